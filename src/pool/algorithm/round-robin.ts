import type { Candidates } from '../candidates.ts'
import type { PickContext } from '../context.ts'
import { SERVER } from '../layout.ts'
import { type Algorithm, nextFree } from './algorithm.ts'
import { WeightedTurn } from './turn.ts'

/**
 * Smooth weighted round robin; servers of equal weight come in order. While the set is unchanged, any `totalWeight` picks in a row, over all workers, give each
 * server exactly its weight, without bursts. pick() is O(log n), for equal weights O(1), while no server is full.
 */
export class RoundRobin implements Algorithm {
  readonly #turn = new WeightedTurn()

  rebuild(candidates: Candidates): void {
    this.#turn.rebuild(candidates.weights, candidates.count)
  }

  pick(candidates: Candidates, context: PickContext): number {
    return pickInTurn(this.#turn, candidates, context)
  }
}

/** Weighted round robin over weight times the capacity that agents report. */
export class Resource implements Algorithm {
  readonly #turn = new WeightedTurn()
  #weights = new Float64Array(0)

  rebuild(candidates: Candidates): void {
    if (this.#weights.length === 0) this.#weights = new Float64Array(candidates.servers)
    for (let position = 0; position < candidates.count; position++) {
      // Never 0: a server that reports nothing left still gets the odd request, which shows when it has recovered.
      const capacity = Math.max(1, Atomics.load(candidates.words, candidates.rows[position] + SERVER.CAPACITY))
      this.#weights[position] = candidates.weights[position] * capacity
    }
    this.#turn.rebuild(this.#weights, candidates.count)
  }

  pick(candidates: Candidates, context: PickContext): number {
    return pickInTurn(this.#turn, candidates, context)
  }
}

/** The position whose turn it is; when that is not free, the first free one after another turn's. */
export function pickInTurn(turn: WeightedTurn, candidates: Candidates, context: PickContext): number {
  const position = turn.at(candidates.advance(turn.total))
  if (candidates.isFree(position, context)) return position
  return nextFree(candidates, context, turn.at(candidates.advance(turn.total)))
}
