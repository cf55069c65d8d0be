/** What a check found, with the words for the log: "status 503, expected 200-399". */
export interface Verdict {
  readonly ok: boolean
  readonly reason: string
}

export type CheckWriter = (bytes: Uint8Array) => void

/**
 * One conversation with a server, sans-I/O: bytes in, bytes and a verdict out. Made for each run. The first verdict ends it; as
 * long as there is none (null), it goes on until the check's time-out. Whatever the server sends, at most a fixed
 * amount of it is kept.
 */
export interface CheckProtocol {
  opened(write: CheckWriter): Verdict | null
  received(bytes: Uint8Array, write: CheckWriter): Verdict | null
  /** The server closed the connection. */
  ended(): Verdict
}

export const pass = (reason: string): Verdict => ({ ok: true, reason })
export const fail = (reason: string): Verdict => ({ ok: false, reason })

export const CLOSED_EARLY = fail('connection closed before the answer')
