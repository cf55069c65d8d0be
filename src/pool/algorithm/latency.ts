import type { Candidates } from '../candidates.ts'
import type { PickContext } from '../context.ts'
import { SERVER } from '../layout.ts'
import { LeastCost } from './least-cost.ts'
import { TwoChoices } from './two-choices.ts'

/** More than any latency in microseconds times active requests: a server that nothing is known of and that is being tried. */
const UNKNOWN_COST = 2 ** 50

/**
 * The least response time for the weight, counted once more for each active request. A server that nothing is known of is tried with
 * one request, and what is known loses its worth while a server is idle, so that nobody is shut out by one bad sample.
 */
export class Fastest extends LeastCost {
  readonly #decayMs: number

  constructor(decayMs: number) {
    super()
    this.#decayMs = decayMs
  }

  cost(candidates: Candidates, position: number, context: PickContext): number {
    return latencyCost(candidates, position, context, SERVER.LATENCY, this.#decayMs)
  }
}

/** Two choices by the peak-sensitive moving average of the response time (Finagle's Peak EWMA), see recordPeak(). */
export class PeakEwma extends TwoChoices {
  readonly #decayMs: number

  constructor(draws: number, decayMs: number) {
    super(draws)
    this.#decayMs = decayMs
  }

  override cost(candidates: Candidates, position: number, context: PickContext): number {
    return latencyCost(candidates, position, context, SERVER.LATENCY_PEAK, this.#decayMs)
  }
}

function latencyCost(candidates: Candidates, position: number, context: PickContext, field: number, decayMs: number): number {
  const row = candidates.rows[position]
  const active = Atomics.load(candidates.words, row + SERVER.ACTIVE)
  const latency = Atomics.load(candidates.words, row + field)
  if (latency === 0) return active === 0 ? 0 : UNKNOWN_COST + active
  const idleMs = Math.max(0, (context.nowMs | 0) - Atomics.load(candidates.words, row + SERVER.LATENCY_AT))
  return (latency * decayMs * (active + 1)) / ((decayMs + idleMs) * candidates.weights[position])
}
