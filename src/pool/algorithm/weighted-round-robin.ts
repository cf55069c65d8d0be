import type { Candidates } from '../candidates.ts'
import type { PickContext } from '../context.ts'
import { type Algorithm, nextFree } from './algorithm.ts'
import { WeightedTurn } from './turn.ts'

/**
 * Smooth weighted round robin. While the set is unchanged, any `totalWeight` picks in a row, over all workers, give each
 * server exactly its weight, without bursts. pick() is O(log n) while no server is full.
 */
export class WeightedRoundRobin implements Algorithm {
  readonly #turn = new WeightedTurn()

  rebuild(candidates: Candidates): void {
    this.#turn.rebuild(candidates)
  }

  pick(candidates: Candidates, context: PickContext): number {
    const position = this.#turn.at(candidates.advance(this.#turn.total))
    if (candidates.isFree(position, context)) return position
    const another = this.#turn.at(candidates.advance(this.#turn.total))
    return nextFree(candidates, context, another)
  }
}
