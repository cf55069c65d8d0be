import type { Candidates } from '../candidates.ts'
import type { PickContext } from '../context.ts'
import { type Algorithm, NO_POSITION, nextFree } from './algorithm.ts'
import { WeightedTurn } from './turn.ts'

/**
 * Draws a few servers by weight and takes the one of the least cost, here the active requests for the weight. Nearly as even as a scan of
 * all, without every worker running to the same server (Mitzenmacher, The Power of Two Choices, 2001). pick() is O(log n).
 */
export class TwoChoices implements Algorithm {
  readonly #draws: number
  readonly #turn = new WeightedTurn()

  constructor(draws: number) {
    this.#draws = draws
  }

  rebuild(candidates: Candidates): void {
    this.#turn.rebuild(candidates.weights, candidates.count)
  }

  cost(candidates: Candidates, position: number, _context: PickContext): number {
    return candidates.active(position) / candidates.weights[position]
  }

  pick(candidates: Candidates, context: PickContext): number {
    let best = NO_POSITION
    let leastCost = 0
    let drawn = 0
    for (let i = 0; i < this.#draws; i++) {
      drawn = this.#draw(context, drawn, i > 0)
      if (!candidates.isFree(drawn, context)) continue
      const cost = this.cost(candidates, drawn, context)
      if (best === NO_POSITION || cost < leastCost) {
        best = drawn
        leastCost = cost
      }
    }
    return best === NO_POSITION ? nextFree(candidates, context, drawn) : best
  }

  /** Drawing the same server twice would be no choice: one more try for another. */
  #draw(context: PickContext, before: number, hasBefore: boolean): number {
    const drawn = this.#turn.drawn(context.random.next())
    return hasBefore && drawn === before ? this.#turn.drawn(context.random.next()) : drawn
  }
}
