import type { Candidates } from '../candidates.ts'
import type { PickContext } from '../context.ts'
import { type Algorithm, nextFree } from './algorithm.ts'

/**
 * One after the other, weights ignored, in one turn over all workers. pick() is O(1) while no server is full.
 */
export class RoundRobin implements Algorithm {
  rebuild(): void {}

  pick(candidates: Candidates, context: PickContext): number {
    return nextFree(candidates, context, candidates.advance(candidates.count))
  }
}
