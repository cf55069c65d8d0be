/** What a timer calls. One object may own several timers and tell them apart by identity. */
export interface TimerTarget {
  expired(timer: Timer): void
}

/** An intrusive timer: made once for each owner, armed and disarmed without allocation. Fields are the wheel's. */
export class Timer {
  readonly target: TimerTarget
  /** Milliseconds on the wheel's clock, or 0 when disarmed. */
  deadlineMs = 0
  /** The wheel's links; slot -1 means that it is in no list. */
  slot = -1
  previous: Timer | null = null
  next: Timer | null = null

  constructor(target: TimerTarget) {
    this.target = target
  }

  get isArmed(): boolean {
    return this.deadlineMs !== 0
  }
}

/**
 * A hashed timing wheel of coarse ticks (Varghese and Lauck, 1987). Arming again later than before only stores the new
 * deadline: the timer is moved when its old slot comes up, so that a deadline renewed with every request costs one store.
 */
export interface TimerWheel {
  arm(timer: Timer, delayMs: number): void
  disarm(timer: Timer): void
  /** Calls what is due at `nowMs`. The engine calls this once per turn. */
  advance(nowMs: number): void
  /** Milliseconds until the next slot that holds a timer, or -1 when there is none. */
  nextDelayMs(nowMs: number): number
}
