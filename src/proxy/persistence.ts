import { ByteRange, FIELD, type Fields, findCookie } from '../http/index.ts'
import type { PersistenceCookie } from '../pool/index.ts'
import { type Exchange, GO_ON } from './exchange.ts'
import type { HeadWriter } from './head-writer.ts'
import { COOKIE, CRLF } from './literal.ts'
import type { RouteState } from './site.ts'
import type { PoolState } from './upstream/pool-state.ts'

/** What becomes of the persistence cookie on its way to the server. */
export const COOKIE_EDIT = { NONE: 0, REMOVE: 1, SHORTEN: 2 } as const

/** Longer values are none of ours, and not worth making a string of. */
const MAX_VALUE_BYTES = 4096
const SEMICOLON = 0x3b
const EQUALS = 0x3d
const SPACE = 0x20
const HTAB = 0x09

/** Scratch, for one look-up at a time. */
const range = new ByteRange()

/** Which server the client's cookie names, and what of the cookie the server is to see. */
export function readCookie(exchange: Exchange): number {
  const cookie = (exchange.pool as PoolState).pool.cookie as PersistenceCookie
  const memory = exchange.worker.engine.memory
  if (!findCookie(memory, exchange.request, cookie.nameBytes, range)) return GO_ON
  const { start, end } = range
  const { index, forward } = cookie.read(end - start > MAX_VALUE_BYTES ? '' : textOf(memory, start, end))
  exchange.pick.persisted = index
  exchange.persisted = index
  if (forward === undefined) return GO_ON
  exchange.cookieEdit = forward === null ? COOKIE_EDIT.REMOVE : COOKIE_EDIT.SHORTEN
  exchange.cookieStart = start
  // What the server is to see is the end of what the client sent.
  exchange.cookieForward = end - (forward ?? '').length
  return GO_ON
}

/**
 * Writes the Cookie fields of a request anew: the persistence cookie without our part, all others byte for byte. A field that has nothing
 * else is left out. It never writes more than was there.
 */
export function writeCookies(exchange: Exchange, writer: HeadWriter): void {
  const { fields } = exchange.request
  for (let i = fields.find(FIELD.COOKIE); i !== -1; i = fields.find(FIELD.COOKIE, i + 1)) writeCookieField(exchange, writer, fields, i)
}

function writeCookieField(exchange: Exchange, writer: HeadWriter, fields: Fields, index: number): void {
  const { memory } = writer
  const { nameBytes } = (exchange.pool as PoolState).pool.cookie as PersistenceCookie
  const end = fields.valueEnd(index)
  let isFirst = true
  let at = fields.valueStart(index)
  let separator = at
  while (at < end) {
    while (at < end && isSpace(memory[at])) at++
    const start = at
    while (at < end && memory[at] !== SEMICOLON) at++
    const isOurs = hasName(memory, start, at, nameBytes)
    if (start < at && !(isOurs && exchange.cookieEdit === COOKIE_EDIT.REMOVE)) {
      if (isFirst) writer.literal(COOKIE)
      else writer.copy(separator, start)
      if (isOurs && start < exchange.cookieStart && exchange.cookieStart <= at) {
        writer.copy(start, exchange.cookieStart)
        writer.copy(exchange.cookieForward, at)
      } else writer.copy(start, at)
      isFirst = false
    }
    separator = at
    at++
  }
  if (!isFirst) writer.literal(CRLF)
}

function hasName(memory: Uint8Array, start: number, end: number, name: Uint8Array): boolean {
  let at = start
  for (let i = 0; i < name.length; i++, at++) if (at >= end || memory[at] !== name[i]) return false
  while (at < end && isSpace(memory[at])) at++
  return at < end && memory[at] === EQUALS
}

/**
 * The Set-Cookie fields that are written besides those of the server, or in their place where exchange.replacesCookies is set; null for
 * none.
 */
export function setCookieLines(exchange: Exchange): string | null {
  const { pool, route } = exchange
  exchange.replacesCookies = false
  const ofServer = pool === null || pool.cookie === null ? null : serverCookieLines(exchange, pool.cookie)
  const splitCookie = route === null || route.split === null ? null : route.split.cookie
  const ofSplit = splitCookie?.insertion((route as RouteState).branch, exchange.splitRead)
  if (ofSplit === undefined) return ofServer
  const line = lineOf(secured(exchange, ofSplit))
  return ofServer === null ? line : ofServer + line
}

function serverCookieLines(exchange: Exchange, cookie: PersistenceCookie): string | null {
  const { serverIndex, response } = exchange
  const memory = exchange.worker.engine.memory
  const inserted = cookie.insertion(serverIndex, exchange.persisted)
  if (inserted !== undefined) return lineOf(secured(exchange, inserted))
  if (cookie.mode === 'insert' || exchange.route?.responseEdit?.dropped[FIELD.SET_COOKIE] === 1) return null
  const { fields } = response
  let lines = ''
  for (let i = fields.find(FIELD.SET_COOKIE); i !== -1; i = fields.find(FIELD.SET_COOKIE, i + 1)) {
    const value = textOf(memory, fields.valueStart(i), fields.valueEnd(i))
    const changed = cookie.rewrite(value, serverIndex)
    if (changed !== undefined) exchange.replacesCookies = true
    lines += lineOf(changed ?? value)
  }
  return exchange.replacesCookies ? lines : null
}

/** What was set over TLS is not to be sent in the clear. */
function secured(exchange: Exchange, value: string): string {
  return exchange.downstream?.isSecure === true && !value.includes('; Secure') ? `${value}; Secure` : value
}

function lineOf(value: string): string {
  return `Set-Cookie: ${value}\r\n`
}

/** Latin-1. */
export function textOf(memory: Uint8Array, start: number, end: number): string {
  return String.fromCharCode.apply(null, memory.subarray(start, end) as unknown as number[])
}

function isSpace(byte: number): boolean {
  return byte === SPACE || byte === HTAB
}
