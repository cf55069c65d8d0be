/** What a check found, with the words for the log: "status 503, expected 200-399". */
export interface Verdict {
  readonly ok: boolean
  readonly reason: string
}

/** What a protocol may do with its connection. */
export interface CheckWire {
  write(bytes: Uint8Array): void
  /** Goes on in TLS; opened() is called again once that stands. */
  secure(): void
  /** Sends no more; the server's own end is still told. */
  end(): void
}

/**
 * One conversation with a server, sans-I/O: bytes in, bytes and a verdict out. Made for each run. The first verdict ends it; as
 * long as there is none (null), it goes on until the check's time-out. Whatever the server sends, at most a fixed
 * amount of it is kept.
 */
export interface CheckProtocol {
  /** Certain from now on, while the protocol takes its leave: whatever the connection does then changes nothing. */
  readonly parting?: Verdict | null
  opened(wire: CheckWire): Verdict | null
  received(bytes: Uint8Array, wire: CheckWire): Verdict | null
  /** The server closed the connection. */
  ended(): Verdict
  /** The time is over; null, or no such method, where that is the failure that it looks like. */
  expired?(): Verdict | null
}

export const pass = (reason: string): Verdict => ({ ok: true, reason })
export const fail = (reason: string): Verdict => ({ ok: false, reason })

export const CLOSED_EARLY = fail('connection closed before the answer')

/** What a server wrote, fit for a log line: printable, in one line, and short. */
export function plain(text: string): string {
  const line = text.replace(/[^\x20-\x7e]+/g, ' ').trim()
  return line.length > MAX_QUOTED ? `${line.slice(0, MAX_QUOTED)}…` : line
}

/** The same in quotes. */
export function quote(text: string): string {
  return JSON.stringify(plain(text))
}

const MAX_QUOTED = 100
