import { type Connection, Timer, type TimerTarget, type TimerWheel } from '../engine/index.ts'

/** What becomes of a client whose time is up. */
export const VERDICT = { WAIT: 0, CLOSE: 1, RESET: 2 } as const

/** After an answer that closes, what the client still sends is read and dropped for this long. */
const LINGER_MS = 2000

/** The one time-out of a client's connection. A client that takes bytes, however slowly, gets more time. */
export class ClientDeadline {
  readonly #connection: Connection
  readonly #timers: TimerWheel
  readonly #timer: Timer
  #sentAtArm = 0
  /** How long a closing connection has not taken a byte. */
  #stalledMs = 0

  constructor(timers: TimerWheel, connection: Connection, target: TimerTarget) {
    this.#timers = timers
    this.#connection = connection
    this.#timer = new Timer(target)
  }

  /** 0 is no limit. */
  arm(delayMs: number): void {
    this.#sentAtArm = this.#connection.sentBytes
    if (delayMs === 0) this.disarm()
    else this.#timers.arm(this.#timer, delayMs)
  }

  disarm(): void {
    this.#timers.disarm(this.#timer)
  }

  armLinger(): void {
    this.#stalledMs = 0
    this.arm(LINGER_MS)
  }

  /** The client does not take what waits for it: RESET, or WAIT where it has taken some, with `sendMs` more. */
  judgeStalled(sendMs: number): number {
    if (this.#connection.sentBytes === this.#sentAtArm) return VERDICT.RESET
    this.arm(sendMs)
    return VERDICT.WAIT
  }

  /** A slow client may still be taking its answer. What the kernel has of it is delivered after close(), but not after reset(). */
  judgeLingering(sendMs: number): number {
    const hasMoved = this.#connection.sentBytes !== this.#sentAtArm
    this.#stalledMs = hasMoved ? 0 : this.#stalledMs + LINGER_MS
    if (!hasMoved && this.#connection.queuedBytes === 0) return VERDICT.CLOSE
    if (!hasMoved && sendMs !== 0 && this.#stalledMs >= sendMs) return VERDICT.RESET
    this.arm(LINGER_MS)
    return VERDICT.WAIT
  }
}
