import type { Clock } from '../../src/core/index.ts'

/** A clock that stands still until a test moves it. */
export class FakeClock implements Clock {
  #nowMs: number
  readonly #epochMs: number

  constructor(nowMs = 0, epochMs = Date.UTC(2026, 0, 1)) {
    this.#nowMs = nowMs
    this.#epochMs = epochMs
  }

  now(): number {
    return this.#nowMs
  }

  wallClock(): number {
    return this.#epochMs + this.#nowMs
  }

  advance(ms: number): number {
    this.#nowMs += ms
    return this.#nowMs
  }
}
