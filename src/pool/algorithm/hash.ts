import type { Candidates } from '../candidates.ts'
import type { PickContext } from '../context.ts'
import { mix } from '../hash.ts'
import { NO_POSITION } from './algorithm.ts'
import { Keyed, MAX_PROBES } from './keyed.ts'
import { WeightedTurn } from './turn.ts'

/**
 * The plain hash of a key over the servers, by weight. The keys of a server that is down spread over all
 * others and return with it; a server that is added moves most keys (ring and maglev do not). pick() is O(log n), no table.
 */
export class PlainHash extends Keyed {
  readonly #shares = new WeightedTurn()

  protected build(candidates: Candidates): void {
    this.#shares.rebuild(candidates.memberWeights, candidates.memberCount)
  }

  protected probe(candidates: Candidates, context: PickContext, hash: number): number {
    let place = mix(hash)
    for (let i = 0; i < MAX_PROBES; i++) {
      const position = this.accept(candidates, context, candidates.members[this.#shares.drawn(place)], hash)
      if (position !== NO_POSITION) return position
      place = mix(place + 0x9e3779b9)
    }
    return NO_POSITION
  }
}
