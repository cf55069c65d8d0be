/** The two times that a room may ask for. Rooms take a Clock as a parameter, so that tests can move time themselves. */
export interface Clock {
  /** Milliseconds on a clock that never goes back; only differences mean anything. */
  now(): number
  /** Milliseconds since the epoch, for people and for headers; it may jump. */
  wallClock(): number
}

/** Time and chance for what happens now and then, as a parameter too. */
export interface Pace {
  /** Milliseconds since the epoch. */
  now(): number
  /** From 0 to 1. */
  random(): number
  /** Rejects when the signal is aborted. */
  sleep(ms: number, signal: AbortSignal): Promise<void>
}

export const systemClock: Clock = {
  now: () => performance.now(),
  wallClock: () => Date.now(),
}

/**
 * A clock that is read once per turn of an event loop: every event of a turn happens at the same instant, and asking
 * for the time costs a field. tick() begins a turn.
 */
export class TurnClock implements Clock {
  readonly #source: Clock
  #nowMs: number
  #wallClockMs = 0

  constructor(source: Clock = systemClock) {
    this.#source = source
    this.#nowMs = source.now()
  }

  tick(): number {
    this.#wallClockMs = 0
    this.#nowMs = this.#source.now()
    return this.#nowMs
  }

  now(): number {
    return this.#nowMs
  }

  wallClock(): number {
    // Read on the first question of a turn: most turns never ask.
    if (this.#wallClockMs === 0) this.#wallClockMs = this.#source.wallClock()
    return this.#wallClockMs
  }
}
