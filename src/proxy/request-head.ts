import type { Connection } from '../engine/index.ts'
import { BODY, FIELD, HOP_BY_HOP, METHOD, mustRewriteHost, writeTarget } from '../http/index.ts'
import { readMaxForwards } from './admit.ts'
import type { DownstreamConnection } from './downstream.ts'
import type { Exchange } from './exchange.ts'
import { FORWARDED_ROOM, forwardedFlags, writeForwarded } from './forwarded.ts'
import type { HeadWriter } from './head-writer.ts'
import { CONNECTION_UPGRADE, CRLF, HOST, literal, MAX_FORWARDS, REQUEST_VERSION, TRANSFER_ENCODING_CHUNKED } from './literal.ts'
import { writeCookies } from './persistence.ts'
import type { ListenerSite, RouteState } from './site.ts'
import type { UpstreamServer } from './upstream/server.ts'

const SPACE = 0x20
/** Room for what is added to a head besides the forwarded fields: Host, framing, Upgrade, Via. */
const ADDED_ROOM = 512
const H2C = literal('h2c')

/** Fields that end at this proxy or that it writes itself. Proxy-Authorization is for a proxy that asked for it, and this one never does. */
export const REQUEST_DROPPED = Uint8Array.from(HOP_BY_HOP)
REQUEST_DROPPED[FIELD.PROXY_AUTHORIZATION] = 1

/** Writes the head for the server of this attempt; false when there is no memory for it. */
export function writeRequestHead(exchange: Exchange, connection: Connection): boolean {
  const { request } = exchange
  const route = exchange.route as RouteState
  const downstream = exchange.downstream as DownstreamConnection
  const site = exchange.site as ListenerSite
  const start = connection.reserve(roomFor(exchange, route, site) + downstream.subjectLine.length)
  if (start === -1) return false
  const writer = exchange.worker.headWriter
  writer.begin(start)
  writeRequestLine(exchange, writer, route)
  const isHostWritten = writeHost(exchange, writer, route)
  const dropped = exchange.worker.droppedFields
  dropped.set(route.requestEdit === null ? REQUEST_DROPPED : route.requestEdit.dropped)
  forwardedFlags(exchange, downstream, dropped)
  if (isHostWritten) dropped[FIELD.HOST] = 1
  if (request.minorVersion === 0) dropped[FIELD.EXPECT] = 1
  if (exchange.cookieEdit !== 0 && dropped[FIELD.COOKIE] === 0) {
    dropped[FIELD.COOKIE] = 1
    writeCookies(exchange, writer)
  }
  writeMaxForwards(exchange, writer, dropped)
  if (route.requestEdit !== null) route.requestEdit.mark(writer.memory, request.fields)
  writer.fields(request, dropped)
  if (request.body === BODY.CHUNKED) writer.literal(TRANSFER_ENCODING_CHUNKED)
  if (request.upgrade && request.minorVersion > 0) writeUpgrade(exchange, writer)
  writeForwarded(exchange, downstream, writer)
  if (downstream.subjectLine.length > 0) writer.literal(downstream.subjectLine)
  writer.literal(site.via[request.minorVersion])
  if (route.requestEdit !== null) writer.literal(route.requestEdit.lines)
  writer.literal(CRLF)
  connection.commit(writer.at - start)
  return true
}

function roomFor(exchange: Exchange, route: RouteState, site: ListenerSite): number {
  const request = exchange.request
  let room = request.headEnd - request.headStart + 2 * request.fields.count + ADDED_ROOM + FORWARDED_ROOM + site.via[1].length
  if (route.requestEdit !== null) room += route.requestEdit.addedBytes
  if (route.rewrite !== null) room += route.rewrite.prepare(exchange.worker.engine.memory, request)
  return room
}

function writeRequestLine(exchange: Exchange, writer: HeadWriter, route: RouteState): void {
  const request = exchange.request
  writer.copy(request.methodStart, request.methodEnd)
  writer.byte(SPACE)
  if (route.rewrite !== null) writer.at = route.rewrite.write(writer.memory, writer.at, request)
  else writer.at = writeTarget(writer.memory, writer.at, request, request.method === METHOD.OPTIONS)
  writer.literal(REQUEST_VERSION)
}

/** Host is written anew where the target's authority overrides it, or where there is none; true if so. */
function writeHost(exchange: Exchange, writer: HeadWriter, route: RouteState): boolean {
  const request = exchange.request
  if (route.requestEdit !== null && route.requestEdit.dropped[FIELD.HOST] === 1) return true
  if (!mustRewriteHost(request)) return false
  writer.literal(HOST)
  if (request.authorityEnd > request.authorityStart) writer.copy(request.authorityStart, request.authorityEnd)
  else writer.literal((exchange.server as UpstreamServer).hostBytes)
  writer.literal(CRLF)
  return true
}

/** RFC 9110 §7.6.2. */
function writeMaxForwards(exchange: Exchange, writer: HeadWriter, dropped: Uint8Array): void {
  const method = exchange.request.method
  if (method !== METHOD.TRACE && method !== METHOD.OPTIONS) return
  const value = readMaxForwards(exchange)
  if (value <= 0) return
  dropped[FIELD.MAX_FORWARDS] = 1
  writer.literal(MAX_FORWARDS)
  writer.decimal(value - 1)
  writer.literal(CRLF)
}

/** A request to switch protocols is passed on; but h2c would let a client talk past every route and is not. */
function writeUpgrade(exchange: Exchange, writer: HeadWriter): void {
  const fields = exchange.request.fields
  const index = fields.find(FIELD.UPGRADE)
  if (index === -1 || containsToken(writer.memory, fields.valueStart(index), fields.valueEnd(index), H2C)) return
  writer.literal(CONNECTION_UPGRADE)
  writer.copy(fields.valueStart(index), fields.valueEnd(index))
  writer.literal(CRLF)
}

function containsToken(memory: Uint8Array, start: number, end: number, token: Uint8Array): boolean {
  for (let at = start; at + token.length <= end; at++) {
    let i = 0
    while (i < token.length && (memory[at + i] | 0x20) === (token[i] | 0x20)) i++
    if (i === token.length) return true
  }
  return false
}
