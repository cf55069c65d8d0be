import type { Candidates } from '../candidates.ts'
import type { PickContext } from '../context.ts'
import { POOL, SERVER } from '../layout.ts'
import type { Algorithm } from './algorithm.ts'
import { pickInTurn } from './round-robin.ts'
import { WeightedTurn } from './turn.ts'

const SAMPLE_MS = 1000

/**
 * F5's Observed and Predictive. Once a second one worker samples the active requests of all servers into moving averages and
 * gives each server a ratio that multiplies its weight until the next sample:
 *
 *                            load falls or stays    load rises
 *   below the average        3, predictive 4        3
 *   above                    2                      2, predictive 1
 *
 * pick() is O(log n), and O(n) once a second.
 */
export class Observed implements Algorithm {
  readonly #predictive: boolean
  readonly #turn = new WeightedTurn()
  #weights = new Float64Array(0)
  #isRising = new Uint8Array(0)
  #sample = -1

  constructor(predictive: boolean) {
    this.#predictive = predictive
  }

  rebuild(candidates: Candidates): void {
    if (this.#weights.length === 0) {
      this.#weights = new Float64Array(candidates.servers)
      this.#isRising = new Uint8Array(candidates.servers)
    }
    this.#sample = -1
  }

  pick(candidates: Candidates, context: PickContext): number {
    const { words, poolRow } = candidates
    const sampledAt = Atomics.load(words, poolRow + POOL.SAMPLED_AT)
    const now = context.nowMs | 0
    if (((now - sampledAt) | 0) >= SAMPLE_MS && Atomics.compareExchange(words, poolRow + POOL.SAMPLED_AT, sampledAt, now) === sampledAt) {
      this.#takeSample(candidates)
    }
    const sample = Atomics.load(words, poolRow + POOL.SAMPLE)
    if (sample !== this.#sample) this.#takeRatios(candidates, sample)
    return pickInTurn(this.#turn, candidates, context)
  }

  #takeRatios(candidates: Candidates, sample: number): void {
    this.#sample = sample
    for (let position = 0; position < candidates.count; position++) {
      const ratio = Atomics.load(candidates.words, candidates.rows[position] + SERVER.RATIO)
      this.#weights[position] = candidates.weights[position] * ratio
    }
    this.#turn.rebuild(this.#weights, candidates.count)
  }

  #takeSample(candidates: Candidates): void {
    const { words, rows, weights, count } = candidates
    let sum = 0
    for (let position = 0; position < count; position++) {
      const at = rows[position] + SERVER.AVERAGE
      const before = Atomics.load(words, at)
      const after = before + ((candidates.active(position) * 256 - before) >> 2)
      Atomics.store(words, at, after)
      this.#isRising[position] = after > before ? 1 : 0
      sum += after / weights[position]
    }
    const mean = sum / count
    for (let position = 0; position < count; position++) {
      const isBelow = Atomics.load(words, rows[position] + SERVER.AVERAGE) / weights[position] <= mean
      Atomics.store(words, rows[position] + SERVER.RATIO, this.#ratioOf(isBelow, this.#isRising[position] === 1))
    }
    Atomics.add(words, candidates.poolRow + POOL.SAMPLE, 1)
  }

  #ratioOf(isBelow: boolean, isRising: boolean): number {
    if (isBelow) return this.#predictive && !isRising ? 4 : 3
    return this.#predictive && isRising ? 1 : 2
  }
}
