import type { RetryBudgetDefinition } from './definition.ts'
import { POOL } from './layout.ts'

/** What a retry costs: balances are in thousandths. */
const RETRY = 1000
/** Unused retries are kept for so many seconds of the minimum, or so many retries, whichever is more. */
const KEPT_SECONDS = 10
const KEPT_RETRIES = 10

/**
 * Limits retries to a share of the requests over all workers, so that a pool in trouble is not buried under the retries that its
 * trouble causes (Finagle's RetryBudget). deposit() for each request of a client, withdraw() before each retry or hedge.
 */
export class RetryBudget {
  readonly #words: Int32Array
  readonly #balance: number
  readonly #second: number
  readonly #deposit: number
  readonly #minimum: number
  readonly #most: number

  constructor(words: Int32Array, poolRow: number, definition: RetryBudgetDefinition) {
    this.#words = words
    this.#balance = poolRow + POOL.RETRY_BALANCE
    this.#second = poolRow + POOL.RETRY_SECOND
    this.#deposit = Math.round((RETRY * definition.percent) / 100)
    this.#minimum = definition.minPerSecond * RETRY
    this.#most = Math.max(KEPT_RETRIES * RETRY, KEPT_SECONDS * this.#minimum)
  }

  deposit(): void {
    this.#add(this.#deposit)
  }

  /** Whether a retry may be made; if so it is paid for. */
  withdraw(nowMs: number): boolean {
    this.#refill(nowMs)
    let balance = Atomics.load(this.#words, this.#balance)
    while (balance >= RETRY) {
      const seen = Atomics.compareExchange(this.#words, this.#balance, balance, balance - RETRY)
      if (seen === balance) return true
      balance = seen
    }
    return false
  }

  #refill(nowMs: number): void {
    if (this.#minimum === 0) return
    const second = Math.floor(nowMs / 1000) | 0
    const before = Atomics.load(this.#words, this.#second)
    if (second !== before && Atomics.compareExchange(this.#words, this.#second, before, second) === before) this.#add(this.#minimum)
  }

  /** A full account is the rule, and then nothing is written. */
  #add(amount: number): void {
    let balance = Atomics.load(this.#words, this.#balance)
    while (balance < this.#most) {
      const seen = Atomics.compareExchange(this.#words, this.#balance, balance, Math.min(this.#most, balance + amount))
      if (seen === balance) return
      balance = seen
    }
  }
}
