import type { Candidates } from '../candidates.ts'
import type { PickContext } from '../context.ts'
import { type Algorithm, NO_POSITION, nextFree } from './algorithm.ts'

/** Fills the first server up to its limit, then the second: few servers busy, the rest may sleep. O(servers that are full). */
export class First implements Algorithm {
  rebuild(): void {}

  pick(candidates: Candidates, context: PickContext): number {
    return nextFree(candidates, context, 0)
  }
}

/**
 * The highest weight that is free; among equals the earlier one. As `overflow`, a server also counts as used up once its active
 * requests exceed its weight, and when all do, nothing is picked.
 */
export class ByWeight implements Algorithm {
  readonly #overflows: boolean
  #order = new Int32Array(0)

  constructor(overflows: boolean) {
    this.#overflows = overflows
  }

  rebuild(candidates: Candidates): void {
    const { ownWeights, count } = candidates
    this.#order = Int32Array.from({ length: count }, (_, position) => position)
    this.#order.sort((a, b) => ownWeights[b] - ownWeights[a] || a - b)
  }

  pick(candidates: Candidates, context: PickContext): number {
    for (let i = 0; i < candidates.count; i++) {
      const position = this.#order[i]
      if (this.#overflows && candidates.active(position) > candidates.ownWeights[position]) continue
      if (candidates.isFree(position, context)) return position
    }
    return NO_POSITION
  }
}
