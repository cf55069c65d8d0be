import type { Candidates } from '../candidates.ts'
import type { PickContext } from '../context.ts'
import { type Algorithm, nextFree } from './algorithm.ts'
import { WeightedTurn } from './turn.ts'

/** Any server, as likely as its weight says. pick() is O(log n), for equal weights O(1), while no server is full. */
export class RandomChoice implements Algorithm {
  readonly #turn = new WeightedTurn()

  rebuild(candidates: Candidates): void {
    this.#turn.rebuild(candidates.weights, candidates.count)
  }

  pick(candidates: Candidates, context: PickContext): number {
    const first = this.#turn.drawn(context.random.next())
    if (candidates.isFree(first, context)) return first
    // A second draw spreads the load of a full server over all others instead of giving it to its neighbour.
    return nextFree(candidates, context, this.#turn.drawn(context.random.next()))
  }
}
