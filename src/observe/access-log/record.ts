/** LogRecord.minorVersion of what is not HTTP. */
export const NO_HTTP = -1

/**
 * What the access log can say of one exchange or TCP connection. One for each worker, filled by the proxy at the end of an exchange and read at
 * once. Ranges are offsets into the engine's arena, start === end where there is nothing.
 */
export class LogRecord {
  /** Milliseconds since the epoch. */
  timeMs = 0
  client: Uint8Array = new Uint8Array(0)
  methodStart = 0
  methodEnd = 0
  /** The target as the client sent it. */
  uriStart = 0
  uriEnd = 0
  hostStart = 0
  hostEnd = 0
  userAgentStart = 0
  userAgentEnd = 0
  refererStart = 0
  refererEnd = 0
  /** 0 or 1, for HTTP/1.0 and HTTP/1.1; NO_HTTP. */
  minorVersion = 1
  status = 0
  /** Body bytes from and to the client. */
  bytesIn = 0
  bytesOut = 0
  /** From the end of the request's head to the end of the response. */
  durationMs = 0
  /** To the first byte of the server's response; -1 where there was none. */
  firstByteMs = -1
  attempts = 0
  /** Waited for a place in the pool, and behind how many; -1 where it did not wait. */
  queueMs = -1
  queuePosition = -1
  /** Names out of the Plan; empty where the exchange did not get so far. */
  listener = ''
  route = ''
  pool = ''
  server = ''
  termination = ''
  /** Of the client's connection, empty where it is in the clear. */
  tlsVersion = ''
  tlsCipher = ''
  serverName = ''
  ja3 = ''
  ja4 = ''
}

/** What a template may say, with the sentence for the documentation. */
export const ACCESS_LOG_VARIABLES = {
  time: 'time of the end of the exchange, ISO 8601 with milliseconds',
  client: "the peer's address",
  method: 'request method',
  uri: 'request target as received, but for surplus slashes at its beginning',
  host: 'host and port that the request names',
  version: 'HTTP version of the request, "1.1"',
  status: 'status sent to the client; 0 if none was, as for TCP',
  bytesIn: 'bytes of the request body; for TCP all that the client sent',
  bytesOut: 'bytes of the response body; for TCP all that the server sent',
  duration:
    'milliseconds, with three decimals, from the end of the request head to the end of the response; for TCP of the whole connection',
  firstByte: "milliseconds to the first byte of the server's response (for TCP: of the server), or -",
  attempts: 'servers tried',
  queueTime: 'milliseconds that it waited for a place in the pool, or -',
  queuePosition: 'requests that waited already when it came to the queue, or -',
  listener: 'name of the listener',
  route: 'id of the route, or -',
  pool: 'name of the pool, or -',
  server: 'name of the server that answered, or -',
  termination: 'how the exchange ended: complete, or the reason',
  userAgent: 'User-Agent, or -',
  referer: 'Referer, or -',
  tlsVersion: 'version of TLS, "TLSv1.3", or -',
  tlsCipher: 'cipher of TLS, or -',
  serverName: 'name that the client asked for in its TLS hello (SNI), or -',
  ja3: "JA3 fingerprint of the client's TLS hello, or -",
  ja4: "JA4 fingerprint of the client's TLS hello, or -",
} as const

export type AccessLogVariable = keyof typeof ACCESS_LOG_VARIABLES
