import type { OutlierDefinition } from './definition.ts'
import { SERVER } from './layout.ts'
import { OUTCOME, type Outcome } from './state.ts'
import type { PoolTable } from './table.ts'

/** Why a server was ejected. */
export const EJECTION = { FAILURES: 1, GATEWAY_ERRORS: 2, SUCCESS_RATE: 3, SLOW: 4 } as const
export type Ejection = (typeof EJECTION)[keyof typeof EJECTION]

/**
 * Takes outliers out of a pool. Workers count failures in a row in shared words, so that five failures are five whichever workers
 * met them, and the one that comes to the threshold ejects at once. The control thread (Outliers) judges rates and
 * times, and brings servers back.
 */
export class Ejector {
  readonly #table: PoolTable
  readonly #words: Int32Array
  readonly #rows: Int32Array
  readonly #outliers: OutlierDefinition
  readonly #maxEjected: number

  constructor(table: PoolTable, rows: Int32Array, outliers: OutlierDefinition) {
    this.#table = table
    this.#words = table.words
    this.#rows = rows
    this.#outliers = outliers
    this.#maxEjected = Math.floor((rows.length * outliers.maxEjectedPercent) / 100)
  }

  /** Counts the outcome of an attempt at the server of a row. */
  record(row: number, outcome: Outcome, nowMs: number): void {
    if (outcome === OUTCOME.CANCELLED) return
    const failures = row + SERVER.FAILURES_IN_A_ROW
    const gatewayErrors = row + SERVER.GATEWAY_ERRORS_IN_A_ROW
    if (outcome < OUTCOME.GATEWAY_ERROR) this.#clear(gatewayErrors)
    else this.#count(gatewayErrors, row, this.#outliers.consecutiveGatewayErrors, EJECTION.GATEWAY_ERRORS, nowMs)
    if (outcome === OUTCOME.SUCCESS) this.#clear(failures)
    else this.#count(failures, row, this.#outliers.consecutiveFailures, EJECTION.FAILURES, nowMs)
  }

  /** Ejects the server of a row, unless it is out already or too many are. */
  eject(row: number, why: Ejection, nowMs: number): boolean {
    const words = this.#words
    if (Atomics.compareExchange(words, row + SERVER.EJECTED, 0, 1) !== 0) return false
    // Two workers that come to the cap at the same time may both step back; neither exceeds it.
    if (this.#countEjected() > this.#maxEjected) {
      Atomics.store(words, row + SERVER.EJECTED, 0)
      return false
    }
    Atomics.store(words, row + SERVER.EJECTED_FOR, why)
    Atomics.store(words, row + SERVER.EJECTED_AT, nowMs | 0)
    Atomics.add(words, row + SERVER.EJECTIONS, 1)
    this.#clear(row + SERVER.FAILURES_IN_A_ROW)
    this.#clear(row + SERVER.GATEWAY_ERRORS_IN_A_ROW)
    this.#table.bumpEpoch(row)
    return true
  }

  #count(word: number, row: number, threshold: number, why: Ejection, nowMs: number): void {
    if (threshold === 0) return
    if (Atomics.add(this.#words, word, 1) + 1 >= threshold) this.eject(row, why, nowMs)
  }

  /** A success is the rule: reading keeps the cache line where it is. */
  #clear(word: number): void {
    if (Atomics.load(this.#words, word) !== 0) Atomics.store(this.#words, word, 0)
  }

  #countEjected(): number {
    let ejected = 0
    for (const row of this.#rows) ejected += Atomics.load(this.#words, row + SERVER.EJECTED)
    return ejected
  }
}
