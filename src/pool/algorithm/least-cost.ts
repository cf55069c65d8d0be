import type { Candidates } from '../candidates.ts'
import type { PickContext } from '../context.ts'
import { type Algorithm, NO_POSITION } from './algorithm.ts'
import { WeightedTurn } from './turn.ts'

/**
 * Servers that are compared. A scan of thousands costs tens of microseconds, mostly cache misses (bench/pick.ts), and the
 * least of 64 is hardly ever more than one request above the least of all (Mitzenmacher, 2001).
 */
export const WINDOW = 64

/**
 * The free server of the least cost: of all up to WINDOW servers, of more the least of the WINDOW that follow the one whose turn it
 * is. Equals therefore take turns, by weight, and an idle pool is shared by weight. A cost of 0 ends the scan. pick() is O(WINDOW)
 * while some of them are free.
 */
export abstract class LeastCost implements Algorithm {
  readonly #turn = new WeightedTurn()

  rebuild(candidates: Candidates): void {
    this.#turn.rebuild(candidates.weights, candidates.count)
  }

  /** What it costs to give the request to the server: 0 or more. */
  abstract cost(candidates: Candidates, position: number, context: PickContext): number

  pick(candidates: Candidates, context: PickContext): number {
    const count = candidates.count
    let position = this.#turn.at(candidates.advance(this.#turn.total))
    let best = NO_POSITION
    let leastCost = 0
    for (let i = 0; i < count; i++) {
      if (i >= WINDOW && best !== NO_POSITION) break
      const cost = this.cost(candidates, position, context)
      if ((best === NO_POSITION || cost < leastCost) && candidates.isFree(position, context)) {
        if (cost === 0) return position
        best = position
        leastCost = cost
      }
      position = position + 1 === count ? 0 : position + 1
    }
    return best
  }
}
