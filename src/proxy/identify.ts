import { IP_TEXT_BYTES, writeIp } from '../core/index.ts'
import type { DownstreamConnection } from './downstream.ts'
import { literal } from './literal.ts'

/** RFC 7239 §6.2, for clients on a Unix socket. */
const UNKNOWN = literal('unknown')

/** Where a client's address is written before it is kept. */
const text = new Uint8Array(IP_TEXT_BYTES)

/** Who the client is, asked with its first request, so that a connection without one costs no system call for it. */
export function identify(downstream: DownstreamConnection): void {
  const { client, connection, listener, proxied } = downstream
  const { clientSubject, trusted } = listener.current
  if (clientSubject !== null && connection.secure !== null) downstream.subjectLine = clientSubject.line(connection.secure)
  if (proxied === null) connection.readRemoteIp(client)
  else client.copy(proxied.source)
  if (client.family === 0) {
    downstream.clientBytes = UNKNOWN
    downstream.forwardedNode = UNKNOWN
    return
  }
  downstream.isTrusted = trusted.contains(client)
  // An IPv4 client of an IPv6 listener is written as the IPv4 client that it is.
  const bytes = text.slice(0, writeIp(text, 0, client))
  downstream.clientBytes = bytes
  // RFC 7239 §6.1: an IPv6 address stands in brackets and quotes.
  downstream.forwardedNode = client.family === 6 ? literal(`"[${String.fromCharCode(...bytes)}]"`) : bytes
}
