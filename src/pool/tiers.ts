import type { Algorithm } from './algorithm/algorithm.ts'
import { isWeighted, makeAlgorithm } from './algorithm/registry.ts'
import { Candidates } from './candidates.ts'
import type { PoolDefinition } from './definition.ts'
import { SERVER } from './layout.ts'
import { Ranks } from './ranks.ts'
import type { PoolSlots } from './slots.ts'
import type { PoolTable } from './table.ts'

/** Servers that are picked from together, with the algorithm that does it. */
export interface Tier {
  readonly candidates: Candidates
  readonly algorithm: Algorithm
}

/** The tiers of a pool with what may be picked in each: a later one is used when the ones before are full. */
export class Tiers {
  readonly tiers: readonly Tier[]
  /** Tiers in use; those beyond are empty. */
  count = 0
  readonly #words: Int32Array
  readonly #ranks: Ranks

  constructor(definition: PoolDefinition, table: PoolTable, assigned: PoolSlots) {
    this.#words = table.words
    this.#ranks = new Ranks(definition, table, assigned)
    const weighted = isWeighted(definition.algorithm)
    const candidateServers = { names: definition.servers.map((server) => server.name), slots: assigned.slots, weighted }
    const setting = { pool: definition.name, shared: assigned.shared }
    this.tiers = Array.from({ length: this.#ranks.groups }, (_, tier) => ({
      candidates: new Candidates(table.words, table.poolRow(assigned.row), tier, candidateServers),
      algorithm: makeAlgorithm(definition.algorithm, setting),
    }))
  }

  /** Reads all states again. O(n) and what the algorithm needs to build its tables. */
  rebuild(): void {
    const ranks = this.#ranks
    ranks.judge()
    let tier = 0
    let from = 0
    while (from < ranks.order.length) {
      const to = ranks.endOfTier(from)
      this.#fill(this.tiers[tier], from, to)
      tier++
      from = to
    }
    this.count = tier
  }

  #fill(tier: Tier, from: number, to: number): void {
    const { candidates, algorithm } = tier
    const ranks = this.#ranks
    const trusted = ranks.hasTrusted(from, to)
    candidates.clear()
    for (let i = from; i < to; i++) {
      const index = ranks.order[i]
      const row = ranks.rows[index]
      candidates.addMember(index, Atomics.load(this.#words, row + SERVER.BASE_WEIGHT))
      if (!ranks.isEligible(index)) continue
      // Servers that no check has answered for wait until there is no other choice.
      if (trusted && ranks.isUnchecked(index)) continue
      candidates.add(index, row)
    }
    candidates.finish()
    if (candidates.count > 0) algorithm.rebuild(candidates)
  }
}
