/**
 * The fields (header lines) of one message as offsets into the engine's arena: four numbers a field, and the number of
 * a well-known name where it is one. Made once for each connection and refilled for each message; nothing is copied and
 * nothing allocated. Offsets are valid as long as the block that holds the head is.
 */
export class Fields {
  count = 0
  /** Some name has a mark other than "-", as in "x_y". */
  hasMarkedName = false
  /** nameStart, nameEnd, valueStart, valueEnd of each field; the value is without the white space around it. */
  readonly offsets: Int32Array
  /** FIELD.* of each field, FIELD.OTHER where the name is not a well-known one. */
  readonly ids: Uint8Array
  readonly capacity: number

  constructor(capacity: number) {
    this.capacity = capacity
    this.offsets = new Int32Array(capacity * 4)
    this.ids = new Uint8Array(capacity)
  }

  /** Index of the first field with that well-known name at or after `from`, or -1. */
  find(id: number, from = 0): number {
    for (let i = from; i < this.count; i++) if (this.ids[i] === id) return i
    return -1
  }

  valueStart(index: number): number {
    return this.offsets[index * 4 + 2]
  }

  valueEnd(index: number): number {
    return this.offsets[index * 4 + 3]
  }
}

/** Well-known names. The proxy treats these by number; all others pass through. */
export const FIELD = {
  OTHER: 0,
  HOST: 1,
  CONNECTION: 2,
  CONTENT_LENGTH: 3,
  TRANSFER_ENCODING: 4,
  EXPECT: 5,
  UPGRADE: 6,
  KEEP_ALIVE: 7,
  PROXY_CONNECTION: 8,
  TE: 9,
  TRAILER: 10,
  VIA: 11,
  FORWARDED: 12,
  X_FORWARDED_FOR: 13,
  X_FORWARDED_PROTO: 14,
  X_FORWARDED_HOST: 15,
  MAX_FORWARDS: 16,
  COOKIE: 17,
  DATE: 18,
  ACCEPT: 19,
  CONTENT_TYPE: 20,
  USER_AGENT: 21,
  REFERER: 22,
  SERVER: 23,
  SET_COOKIE: 24,
  PROXY_AUTHENTICATE: 25,
  PROXY_AUTHORIZATION: 26,
  HTTP2_SETTINGS: 27,
  CONTENT_ENCODING: 28,
  CACHE_CONTROL: 29,
  LOCATION: 30,
  AUTHORIZATION: 31,
  ACCEPT_ENCODING: 32,
  X_FORWARDED_PORT: 33,
  RETRY_AFTER: 34,
} as const
