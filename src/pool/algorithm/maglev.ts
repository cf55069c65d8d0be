import type { Candidates } from '../candidates.ts'
import type { PickContext } from '../context.ts'
import { hashText, mix } from '../hash.ts'
import type { HashKey } from '../hash-key.ts'
import { NO_POSITION } from './algorithm.ts'
import { Keyed, MAX_PROBES } from './keyed.ts'

/**
 * Maglev (Eisenbud et al., NSDI 2016): a table of M places, M prime, that members take turns to fill, each along its own
 * permutation. pick() is O(1). Shares are within 1 % of the weights while M is above 100 times the number of members.
 */
export class Maglev extends Keyed {
  readonly #size: number
  /** Index of the server at each place. */
  #table = new Uint16Array(0)

  constructor(key: HashKey, size: number) {
    super(key)
    this.#size = size
  }

  protected build(candidates: Candidates): void {
    const { members, memberWeights, memberCount, names } = candidates
    const identities = Array.from(members.subarray(0, memberCount), (index) => names[index])
    const places = fillMaglev(identities, memberWeights, this.#size, this.key.seed)
    this.#table = Uint16Array.from(places, (member) => members[member])
  }

  protected probe(candidates: Candidates, context: PickContext, hash: number): number {
    let place = hash % this.#size
    for (let i = 0; i < MAX_PROBES; i++) {
      const position = this.accept(candidates, context, this.#table[place], hash)
      if (position !== NO_POSITION) return position
      place = mix(hash + i) % this.#size
    }
    return NO_POSITION
  }
}

/**
 * The member at each of `size` places, `size` prime. Weights as Katran's V2: in each turn a member saves up its weight and claims a
 * place when it has saved the greatest weight, which spreads each weight over the whole table. A new member, or one that is
 * gone, moves little more than its own share of the places. The same in every process with the same seed.
 */
export function fillMaglev(identities: readonly string[], weights: ArrayLike<number>, size: number, seed: number): Uint16Array {
  const count = identities.length
  const next = Float64Array.from(identities, (identity) => hashText(identity, seed) % size)
  const skips = Float64Array.from(identities, (identity) => (hashText(identity, ~seed) % (size - 1)) + 1)
  const saved = new Float64Array(count)
  const places = new Uint16Array(size)
  const isTaken = new Uint8Array(size)
  let greatest = 1
  for (let member = 0; member < count; member++) greatest = Math.max(greatest, weights[member])
  for (let filled = 0; ; ) {
    for (let member = 0; member < count; member++) {
      saved[member] += weights[member]
      if (saved[member] < greatest) continue
      saved[member] -= greatest
      let place = next[member]
      while (isTaken[place] === 1) place = (place + skips[member]) % size
      isTaken[place] = 1
      places[place] = member
      next[member] = (place + skips[member]) % size
      if (++filled === size) return places
    }
  }
}
