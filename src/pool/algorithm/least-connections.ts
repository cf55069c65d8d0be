import type { Candidates } from '../candidates.ts'
import type { PickContext } from '../context.ts'
import { type Algorithm, NO_POSITION } from './algorithm.ts'
import { WeightedTurn } from './turn.ts'

/** The server with the fewest active requests over all workers, weights ignored. Equals take turns. pick() is O(n). */
export class LeastConnections implements Algorithm {
  rebuild(): void {}

  pick(candidates: Candidates, context: PickContext): number {
    const count = candidates.count
    let position = candidates.advance(count)
    let best = NO_POSITION
    let bestActive = 0
    for (let i = 0; i < count; i++) {
      const active = candidates.active(position)
      if ((best === NO_POSITION || active < bestActive) && candidates.isFree(position, context)) {
        if (active === 0) return position
        best = position
        bestActive = active
      }
      position = position + 1 === count ? 0 : position + 1
    }
    return best
  }
}

/**
 * The server with the fewest active requests for its weight, over all workers. Among equals the smooth weighted turn decides, so that an
 * idle pool is shared by weight too. pick() is O(n).
 */
export class WeightedLeastConnections implements Algorithm {
  readonly #turn = new WeightedTurn()

  rebuild(candidates: Candidates): void {
    this.#turn.rebuild(candidates)
  }

  pick(candidates: Candidates, context: PickContext): number {
    const count = candidates.count
    let position = this.#turn.at(candidates.advance(this.#turn.total))
    let best = NO_POSITION
    let bestActive = 0
    let bestWeight = 1
    for (let i = 0; i < count; i++) {
      const active = candidates.active(position)
      const weight = candidates.weights[position]
      // active / weight < bestActive / bestWeight
      if ((best === NO_POSITION || active * bestWeight < bestActive * weight) && candidates.isFree(position, context)) {
        if (active === 0) return position
        best = position
        bestActive = active
        bestWeight = weight
      }
      position = position + 1 === count ? 0 : position + 1
    }
    return best
  }
}
