import { BODY, FIELD, HOP_BY_HOP, METHOD } from '../http/index.ts'
import type { DownstreamConnection } from './downstream.ts'
import type { Exchange } from './exchange.ts'
import type { HeadWriter } from './head-writer.ts'
import {
  CONNECTION_CLOSE,
  CONNECTION_KEEP_ALIVE,
  CONNECTION_UPGRADE,
  CRLF,
  RESPONSE_VERSION,
  TRANSFER_ENCODING_CHUNKED,
} from './literal.ts'
import { setCookieLines } from './persistence.ts'
import type { ListenerSite, RouteState } from './site.ts'

/** How the response is delimited towards the client. */
export const FRAMING = { NONE: 0, LENGTH: 1, CHUNKED: 2, UNTIL_CLOSE: 3 } as const

const SPACE = 0x20
const ADDED_ROOM = 512
const UPGRADE_REQUIRED = 426

/** Fields that end at this proxy or that it writes itself. */
export const RESPONSE_DROPPED = HOP_BY_HOP

/** As above, and without a length, which a 1xx or 204 must not have (RFC 9110 §8.6). */
const BODYLESS_DROPPED = Uint8Array.from(HOP_BY_HOP)
BODYLESS_DROPPED[FIELD.CONTENT_LENGTH] = 1
const BODYLESS_COOKIELESS_DROPPED = Uint8Array.from(BODYLESS_DROPPED)
BODYLESS_COOKIELESS_DROPPED[FIELD.SET_COOKIE] = 1
const NO_CONTENT = 204

/** Writes the head of the final response and decides its framing; false when there is no memory for it. */
export function writeResponseHead(exchange: Exchange): boolean {
  const response = exchange.response
  const route = exchange.route
  exchange.framing = framingOf(exchange)
  if (exchange.framing === FRAMING.UNTIL_CLOSE || !exchange.isRequestComplete || endsConnections(exchange)) exchange.keepAlive = false
  const cookieLines = setCookieLines(exchange)
  const addedBytes = route === null || route.responseEdit === null ? 0 : route.responseEdit.addedBytes
  const writer = beginHead(exchange, cookieLines === null ? addedBytes : addedBytes + cookieLines.length)
  if (writer === null) return false
  const start = writer.at
  writeStatusLine(exchange, writer)
  if (route !== null && route.responseEdit !== null) route.responseEdit.mark(writer.memory, response.fields)
  writer.fields(response, droppedOf(exchange, route, exchange.replacesCookies))
  if (cookieLines !== null) writer.text(cookieLines)
  if (exchange.framing === FRAMING.CHUNKED) writer.literal(TRANSFER_ENCODING_CHUNKED)
  if (response.status === UPGRADE_REQUIRED) writeUpgrade(exchange, writer)
  else writeConnection(exchange, writer)
  if (response.fields.find(FIELD.DATE) === -1) writer.literal(exchange.worker.dateLine())
  writer.literal((exchange.site as ListenerSite).via[exchange.response.minorVersion])
  if (route !== null && route.responseEdit !== null) writer.literal(route.responseEdit.lines)
  writer.literal(CRLF)
  ;(exchange.downstream as DownstreamConnection).connection.commit(writer.at - start)
  return true
}

function droppedOf(exchange: Exchange, route: RouteState | null, replacesCookies: boolean): Uint8Array {
  const dropped = route === null || route.responseEdit === null ? RESPONSE_DROPPED : route.responseEdit.dropped
  if (exchange.response.status !== NO_CONTENT && !replacesCookies) return dropped
  const scratch = exchange.worker.droppedFields
  scratch.set(dropped)
  if (exchange.response.status === NO_CONTENT) scratch[FIELD.CONTENT_LENGTH] = 1
  if (replacesCookies) scratch[FIELD.SET_COOKIE] = 1
  return scratch
}

/** An interim response (1xx), passed on as it is. */
export function writeInformationalHead(exchange: Exchange): boolean {
  const writer = beginHead(exchange, 0)
  if (writer === null) return false
  const start = writer.at
  writeStatusLine(exchange, writer)
  writer.fields(exchange.response, BODYLESS_DROPPED)
  writer.literal(CRLF)
  ;(exchange.downstream as DownstreamConnection).connection.commit(writer.at - start)
  return true
}

/** 101 Switching Protocols with the protocol that the server chose. */
export function writeSwitchingHead(exchange: Exchange): boolean {
  const cookieLines = setCookieLines(exchange)
  const writer = beginHead(exchange, cookieLines === null ? 0 : cookieLines.length)
  if (writer === null) return false
  const start = writer.at
  writeStatusLine(exchange, writer)
  writer.fields(exchange.response, exchange.replacesCookies ? BODYLESS_COOKIELESS_DROPPED : BODYLESS_DROPPED)
  if (cookieLines !== null) writer.text(cookieLines)
  writeUpgrade(exchange, writer)
  writer.literal((exchange.site as ListenerSite).via[exchange.response.minorVersion])
  writer.literal(CRLF)
  ;(exchange.downstream as DownstreamConnection).connection.commit(writer.at - start)
  return true
}

/** How the connection goes on, told only where the version does not say it already. */
export function writeConnection(exchange: Exchange, writer: HeadWriter): void {
  if (!exchange.keepAlive) writer.literal(CONNECTION_CLOSE)
  else if (exchange.request.minorVersion === 0) writer.literal(CONNECTION_KEEP_ALIVE)
}

function beginHead(exchange: Exchange, addedBytes: number): HeadWriter | null {
  const response = exchange.response
  const connection = (exchange.downstream as DownstreamConnection).connection
  const room =
    response.headEnd -
    response.headStart +
    2 * response.fields.count +
    ADDED_ROOM +
    (exchange.site as ListenerSite).via[1].length +
    addedBytes
  const start = connection.reserve(room)
  if (start === -1) return null
  const writer = exchange.worker.headWriter
  writer.begin(start)
  return writer
}

function writeStatusLine(exchange: Exchange, writer: HeadWriter): void {
  const response = exchange.response
  writer.literal(RESPONSE_VERSION)
  writer.decimal(response.status)
  writer.byte(SPACE)
  writer.copy(response.reasonStart, response.reasonEnd)
  writer.literal(CRLF)
}

function writeUpgrade(exchange: Exchange, writer: HeadWriter): void {
  const fields = exchange.response.fields
  const index = fields.find(FIELD.UPGRADE)
  if (index === -1) return
  writer.literal(CONNECTION_UPGRADE)
  writer.copy(fields.valueStart(index), fields.valueEnd(index))
  writer.literal(CRLF)
}

/** The balancer drains, or a reload took the listener away. */
export function endsConnections(exchange: Exchange): boolean {
  return exchange.worker.isDraining || (exchange.downstream as DownstreamConnection).listener.isRetired
}

/** A body without a length is chunked for those who can read that; for HTTP/1.0 the end of the connection ends it. */
function framingOf(exchange: Exchange): number {
  const body = exchange.response.body
  if (body === BODY.NONE || exchange.request.method === METHOD.HEAD) return FRAMING.NONE
  if (body === BODY.LENGTH) return FRAMING.LENGTH
  return exchange.request.minorVersion === 0 ? FRAMING.UNTIL_CLOSE : FRAMING.CHUNKED
}
