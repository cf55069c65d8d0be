import type { Candidates } from '../candidates.ts'
import { NO_KEY, type PickContext } from '../context.ts'
import { mix } from '../hash.ts'
import type { HashKey } from '../hash-key.ts'
import { type Algorithm, NO_POSITION, nextFree } from './algorithm.ts'
import { pickInTurn } from './round-robin.ts'
import { WeightedTurn } from './turn.ts'

/** Places that a key tries before it goes through all servers in order. */
export const MAX_PROBES = 128

/**
 * What all hashing algorithms have in common: a request without the key is served in weighted turn; a key whose server cannot
 * take it tries other places, always in the same order, so that it comes back to its own server when that returns.
 */
export abstract class Keyed implements Algorithm {
  protected readonly key: HashKey
  readonly #turn = new WeightedTurn()
  #membership = -1

  constructor(key: HashKey) {
    this.key = key
  }

  rebuild(candidates: Candidates): void {
    this.#turn.rebuild(candidates.weights, candidates.count)
    // A server that is down or drained stays in the table, which is therefore built for changes of the configuration only.
    if (candidates.membership === this.#membership) return
    this.#membership = candidates.membership
    this.build(candidates)
  }

  pick(candidates: Candidates, context: PickContext): number {
    const hash = context.keyHash(this.key)
    if (hash === NO_KEY) return pickInTurn(this.#turn, candidates, context)
    const position = this.probe(candidates, context, hash)
    return position === NO_POSITION ? nextFree(candidates, context, hash % candidates.count) : position
  }

  /** Builds the table over the members. */
  protected abstract build(candidates: Candidates): void

  /** The position of the first acceptable place for the hash, or NO_POSITION when none was found in reasonable time. */
  protected abstract probe(candidates: Candidates, context: PickContext, hash: number): number

  /**
   * The position of a member if it takes the key. One that is in its slow start, or asks for less, takes a share of its keys that
   * only grows as the share does, so that no key moves twice.
   */
  protected accept(candidates: Candidates, context: PickContext, index: number, hash: number): number {
    const position = candidates.positions[index]
    if (position < 0) return NO_POSITION
    const share = candidates.shares[index]
    if (share < 1000 && mix(hash ^ (index + 1)) % 1000 >= share) return NO_POSITION
    return candidates.isFree(position, context) ? position : NO_POSITION
  }
}
