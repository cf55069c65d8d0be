import { FIELD } from '../http/index.ts'
import type { DownstreamConnection } from './downstream.ts'
import type { Exchange } from './exchange.ts'
import type { HeadWriter } from './head-writer.ts'
import { CRLF, FORWARDED, LIST_SEPARATOR, literal, X_FORWARDED_FOR, X_FORWARDED_HOST } from './literal.ts'
import type { ListenerSite } from './site.ts'

/** Room for our own parts of the forwarded fields; the parts that are kept have their room in the original head. */
export const FORWARDED_ROOM = 512
const PROTO_HTTP = literal('X-Forwarded-Proto: http\r\n')
const PROTO_HTTPS = literal('X-Forwarded-Proto: https\r\n')
const FOR = literal('for=')
const PROTO = literal(';proto=http')
const PROTO_SECURE = literal(';proto=https')
const HOST_PARAMETER = literal(';host="')
const QUOTE = 0x22

/**
 * Flags the fields that writeForwarded() writes itself. From a peer that is not trusted nothing that it says of
 * earlier hops is believed, and all of it is replaced; from a trusted one it is kept and added to.
 */
export function forwardedFlags(exchange: Exchange, downstream: DownstreamConnection, dropped: Uint8Array): void {
  const { forwarded: mode } = exchange.site as ListenerSite
  const isTrusted = downstream.isTrusted
  if (!isTrusted || mode.usesXForwarded) dropped[FIELD.X_FORWARDED_FOR] = 1
  if (!isTrusted || mode.usesForwarded) dropped[FIELD.FORWARDED] = 1
  if (isTrusted) return
  dropped[FIELD.X_FORWARDED_PROTO] = 1
  dropped[FIELD.X_FORWARDED_HOST] = 1
  dropped[FIELD.X_FORWARDED_PORT] = 1
}

/** X-Forwarded-For, -Proto and -Host, and Forwarded (RFC 7239), as the listener is told to write them. */
export function writeForwarded(exchange: Exchange, downstream: DownstreamConnection, writer: HeadWriter): void {
  const { forwarded: mode } = exchange.site as ListenerSite
  if (mode.usesXForwarded) writeXForwarded(exchange, downstream, writer)
  if (mode.usesForwarded) {
    writer.literal(FORWARDED)
    if (downstream.isTrusted) writeExisting(exchange, writer, FIELD.FORWARDED)
    writer.literal(FOR)
    writer.literal(downstream.forwardedNode)
    writer.literal(downstream.isSecure ? PROTO_SECURE : PROTO)
    if (hasAuthority(exchange)) {
      writer.literal(HOST_PARAMETER)
      writer.copy(exchange.request.authorityStart, exchange.request.authorityEnd)
      writer.byte(QUOTE)
    }
    writer.literal(CRLF)
  }
}

function writeXForwarded(exchange: Exchange, downstream: DownstreamConnection, writer: HeadWriter): void {
  const fields = exchange.request.fields
  writer.literal(X_FORWARDED_FOR)
  if (downstream.isTrusted) writeExisting(exchange, writer, FIELD.X_FORWARDED_FOR)
  writer.literal(downstream.clientBytes)
  writer.literal(CRLF)
  if (!downstream.isTrusted || fields.find(FIELD.X_FORWARDED_PROTO) === -1) writer.literal(downstream.isSecure ? PROTO_HTTPS : PROTO_HTTP)
  if (hasAuthority(exchange) && (!downstream.isTrusted || fields.find(FIELD.X_FORWARDED_HOST) === -1)) {
    writer.literal(X_FORWARDED_HOST)
    writer.copy(exchange.request.authorityStart, exchange.request.authorityEnd)
    writer.literal(CRLF)
  }
}

/** All values that the request had under the name, as one list with its separator behind it. */
function writeExisting(exchange: Exchange, writer: HeadWriter, id: number): void {
  const fields = exchange.request.fields
  for (let i = fields.find(id); i !== -1; i = fields.find(id, i + 1)) {
    if (fields.valueStart(i) === fields.valueEnd(i)) continue
    writer.copy(fields.valueStart(i), fields.valueEnd(i))
    writer.literal(LIST_SEPARATOR)
  }
}

function hasAuthority(exchange: Exchange): boolean {
  return exchange.request.authorityEnd > exchange.request.authorityStart
}
