import { Fields } from './fields.ts'

export const METHOD = { OTHER: 0, GET: 1, HEAD: 2, POST: 3, PUT: 4, DELETE: 5, CONNECT: 6, OPTIONS: 7, TRACE: 8, PATCH: 9 } as const

/** RFC 9112 §3.2: the four forms of a request target. */
export const TARGET = { ORIGIN: 0, ABSOLUTE: 1, AUTHORITY: 2, ASTERISK: 3 } as const

/** How a message's body is delimited, RFC 9112 §6. */
export const BODY = { NONE: 0, LENGTH: 1, CHUNKED: 2, UNTIL_CLOSE: 3 } as const

/** Limits that a head must keep. */
export interface HeadLimits {
  /** Request line, above which 414 (target) or 400 (the rest) is the answer. Bytes. */
  readonly maxLineBytes: number
  /** The whole head with its last empty line, above which 431 is the answer. Bytes. */
  readonly maxHeadBytes: number
  readonly maxFields: number
}

/** A request's head as offsets into the arena; refilled by parseRequestHead. */
export class RequestHead {
  readonly fields: Fields
  method = 0
  methodStart = 0
  methodEnd = 0
  targetForm = 0
  targetStart = 0
  targetEnd = 0
  /** The target is in absolute-form with the scheme https; RFC 9110 §7.4: not to be served over a connection without TLS. */
  isHttpsTarget = false
  /** Path and query of the target, query without "?"; both empty ranges for authority and asterisk forms. pathStart === pathEnd means "/". */
  pathStart = 0
  pathEnd = 0
  queryStart = 0
  queryEnd = 0
  /** True where the target has a "?", even with nothing behind it. */
  hasQuery = false
  /**
   * The host with its port. The target's authority, where it has one, wins over the Host field, which is then to be written anew
   * (RFC 9112 §3.2.2, mustRewriteHost). An empty range if there is none: HTTP/1.0, or "*" with an empty Host.
   */
  authorityStart = 0
  authorityEnd = 0
  /** The host without the port; brackets of an IPv6 literal included. */
  hostStart = 0
  hostEnd = 0
  /** 0 or 1, for HTTP/1.0 and HTTP/1.1. */
  minorVersion = 1
  body = 0
  /** Bytes, for BODY.LENGTH; at most 2^53 - 1. */
  contentLength = 0
  /** Whether the connection may go on after this message, by version and Connection options. */
  keepAlive = true
  expectContinue = false
  /** `Connection: upgrade` and an Upgrade field are both there. */
  upgrade = false
  /** Some field is named by a Connection option that is not a well-known hop-by-hop name; see isConnectionOption(). */
  hasConnectionOptions = false
  headStart = 0
  headEnd = 0

  constructor(maxFields: number) {
    this.fields = new Fields(maxFields)
  }
}

/** A response's head as offsets into the arena; refilled by parseResponseHead. */
export class ResponseHead {
  readonly fields: Fields
  status = 0
  reasonStart = 0
  reasonEnd = 0
  minorVersion = 1
  body = 0
  contentLength = 0
  keepAlive = true
  upgrade = false
  hasConnectionOptions = false
  headStart = 0
  headEnd = 0

  constructor(maxFields: number) {
    this.fields = new Fields(maxFields)
  }
}
