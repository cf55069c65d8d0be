import { enter } from './count.ts'
import type { BreakerDefinition } from './definition.ts'
import { POOL } from './layout.ts'
import { BREAKER, BREAKER_NAMES, type BreakerName, OUTCOME, type Outcome } from './state.ts'

/**
 * Keeps requests off a pool that fails, so that they fail at once and the servers can recover. One for the pool over all workers,
 * in the pool's row of the table.
 *
 *   closed ── failurePercent of a window failed ──▶ open ── openMs ──▶ half-open ── all probes went well ──▶ closed
 *                                                    ▲                    │
 *                                                    └──── one failed ────┘
 *
 * A probe that never comes back (its worker died) would hold the breaker half-open for ever: after openMs it tries anew. Requests
 * from before that end while it is half-open count as probes; they say as much about the pool.
 */
export class Breaker {
  readonly #words: Int32Array
  readonly #row: number
  readonly #definition: BreakerDefinition

  constructor(words: Int32Array, poolRow: number, definition: BreakerDefinition) {
    this.#words = words
    this.#row = poolRow
    this.#definition = definition
  }

  get state(): BreakerName {
    return BREAKER_NAMES[Atomics.load(this.#words, this.#row + POOL.BREAKER)]
  }

  /** Whether a request may try now. Does not count it. */
  isPassable(nowMs: number): boolean {
    const state = Atomics.load(this.#words, this.#row + POOL.BREAKER)
    if (state === BREAKER.CLOSED) return true
    if (this.#sinceMs(POOL.BREAKER_SINCE, nowMs) >= this.#definition.openMs) return true
    return state === BREAKER.HALF_OPEN && Atomics.load(this.#words, this.#row + POOL.PROBES) < this.#definition.probes
  }

  /** Lets a request through and, while the breaker is half-open, counts it as a probe. False when it may not. */
  pass(nowMs: number): boolean {
    const state = Atomics.load(this.#words, this.#row + POOL.BREAKER)
    if (state === BREAKER.CLOSED) return true
    if (this.#sinceMs(POOL.BREAKER_SINCE, nowMs) >= this.#definition.openMs) this.#halfOpen(nowMs)
    if (Atomics.load(this.#words, this.#row + POOL.BREAKER) !== BREAKER.HALF_OPEN) return false
    return enter(this.#words, this.#row + POOL.PROBES, this.#definition.probes)
  }

  record(outcome: Outcome, nowMs: number): void {
    const words = this.#words
    const state = Atomics.load(words, this.#row + POOL.BREAKER)
    if (state === BREAKER.OPEN) return
    const failed = outcome >= OUTCOME.SERVER_ERROR
    if (state === BREAKER.HALF_OPEN) this.#recordProbe(outcome, failed, nowMs)
    else if (outcome !== OUTCOME.CANCELLED) this.#recordInWindow(failed, nowMs)
  }

  #recordProbe(outcome: Outcome, failed: boolean, nowMs: number): void {
    const words = this.#words
    if (failed) this.#become(BREAKER.HALF_OPEN, BREAKER.OPEN, nowMs)
    // A cancelled probe has said nothing: another may go in its place.
    else if (outcome === OUTCOME.CANCELLED) {
      if (Atomics.load(words, this.#row + POOL.PROBES) > 0) Atomics.sub(words, this.#row + POOL.PROBES, 1)
    } else if (Atomics.add(words, this.#row + POOL.PROBES_PASSED, 1) + 1 >= this.#definition.probes) {
      this.#beginWindow(nowMs)
      this.#become(BREAKER.HALF_OPEN, BREAKER.CLOSED, nowMs)
    }
  }

  #recordInWindow(failed: boolean, nowMs: number): void {
    const words = this.#words
    const { windowMs, minRequests, failurePercent } = this.#definition
    if (this.#sinceMs(POOL.WINDOW_SINCE, nowMs) >= windowMs) this.#beginWindow(nowMs)
    const requests = Atomics.add(words, this.#row + POOL.WINDOW_REQUESTS, 1) + 1
    if (!failed) return
    const failures = Atomics.add(words, this.#row + POOL.WINDOW_FAILURES, 1) + 1
    if (requests >= minRequests && failures * 100 >= failurePercent * requests) this.#become(BREAKER.CLOSED, BREAKER.OPEN, nowMs)
  }

  #beginWindow(nowMs: number): void {
    Atomics.store(this.#words, this.#row + POOL.WINDOW_SINCE, nowMs | 0)
    Atomics.store(this.#words, this.#row + POOL.WINDOW_REQUESTS, 0)
    Atomics.store(this.#words, this.#row + POOL.WINDOW_FAILURES, 0)
  }

  /** One worker of those that come at the same time begins the probing. */
  #halfOpen(nowMs: number): void {
    const words = this.#words
    const since = Atomics.load(words, this.#row + POOL.BREAKER_SINCE)
    if (((nowMs - since) | 0) < this.#definition.openMs) return
    if (Atomics.compareExchange(words, this.#row + POOL.BREAKER_SINCE, since, nowMs | 0) !== since) return
    Atomics.store(words, this.#row + POOL.PROBES, 0)
    Atomics.store(words, this.#row + POOL.PROBES_PASSED, 0)
    Atomics.compareExchange(words, this.#row + POOL.BREAKER, BREAKER.OPEN, BREAKER.HALF_OPEN)
  }

  #become(from: number, to: number, nowMs: number): void {
    if (Atomics.compareExchange(this.#words, this.#row + POOL.BREAKER, from, to) !== from) return
    Atomics.store(this.#words, this.#row + POOL.BREAKER_SINCE, nowMs | 0)
  }

  #sinceMs(word: number, nowMs: number): number {
    return (nowMs - Atomics.load(this.#words, this.#row + word)) | 0
  }
}
