/** Bytes that the proxy writes into heads, made once. */
export function literal(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text, 'latin1'))
}

export const CRLF = literal('\r\n')
export const LAST_CHUNK_LINE = literal('0\r\n')
export const TRANSFER_ENCODING_CHUNKED = literal('Transfer-Encoding: chunked\r\n')
export const CONNECTION_CLOSE = literal('Connection: close\r\n')
export const CONNECTION_KEEP_ALIVE = literal('Connection: keep-alive\r\n')
export const CONNECTION_UPGRADE = literal('Connection: Upgrade\r\nUpgrade: ')
export const HOST = literal('Host: ')
export const REQUEST_VERSION = literal(' HTTP/1.1\r\n')
export const RESPONSE_VERSION = literal('HTTP/1.1 ')
export const X_FORWARDED_FOR = literal('X-Forwarded-For: ')
export const X_FORWARDED_PROTO = literal('X-Forwarded-Proto: ')
export const X_FORWARDED_HOST = literal('X-Forwarded-Host: ')
export const FORWARDED = literal('Forwarded: ')
export const LIST_SEPARATOR = literal(', ')
export const COOKIE = literal('Cookie: ')
export const MAX_FORWARDS = literal('Max-Forwards: ')
