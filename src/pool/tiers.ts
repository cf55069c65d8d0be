import type { Algorithm } from './algorithm/algorithm.ts'
import { isWeighted, makeAlgorithm } from './algorithm/registry.ts'
import { Candidates } from './candidates.ts'
import type { PoolDefinition } from './definition.ts'
import { POOL, SERVER } from './layout.ts'
import type { PoolSlots } from './slots.ts'
import { ADMIN, HEALTH } from './state.ts'
import type { PoolTable } from './table.ts'

/** Servers that are picked from together, with the algorithm that does it. */
export interface Tier {
  readonly candidates: Candidates
  readonly algorithm: Algorithm
}

/**
 * The servers of a pool sorted into tiers by priority. The first tier is the first group, joined by the following ones
 * while fewer than `minAvailable` servers are usable; each later group is a tier of its own, used when the ones before are full.
 *
 *   priority   0 0 0 1 1 2          minAvailable 2, and two of the first group down
 *   tier      |   0     | 1|
 */
export class Tiers {
  readonly tiers: readonly Tier[]
  /** Tiers in use; those beyond are empty. */
  count = 0
  readonly #words: Int32Array
  /** Row of each server, by index. */
  readonly #rows: Int32Array
  /** Indexes sorted by priority. */
  readonly #order: Int32Array
  readonly #priorities: Int32Array
  readonly #minAvailable: number
  readonly #poolRow: number
  readonly #panicPercent: number
  #isPanicking = false

  constructor(definition: PoolDefinition, table: PoolTable, assigned: PoolSlots) {
    const servers = definition.servers
    this.#words = table.words
    this.#rows = Int32Array.from(assigned.slots, (slot) => table.serverRow(slot))
    this.#poolRow = table.poolRow(assigned.row)
    this.#panicPercent = definition.panicPercent ?? 0
    this.#minAvailable = definition.minAvailable
    this.#priorities = Int32Array.from(servers, (server) => server.priority)
    this.#order = Int32Array.from(servers.keys()).sort((a, b) => servers[a].priority - servers[b].priority || a - b)
    const groups = new Set(this.#priorities).size
    const weighted = isWeighted(definition.algorithm)
    const candidateServers = { names: servers.map((server) => server.name), slots: assigned.slots, weighted }
    const setting = { pool: definition.name, shared: assigned.shared }
    this.tiers = Array.from({ length: groups }, (_, tier) => ({
      candidates: new Candidates(table.words, this.#poolRow, tier, candidateServers),
      algorithm: makeAlgorithm(definition.algorithm, setting),
    }))
  }

  /** Reads all states again. O(n) and what the algorithm needs to build its tables. */
  rebuild(): void {
    this.#judgePanic()
    let tier = 0
    let from = 0
    while (from < this.#order.length) {
      const to = this.#endOfTier(from)
      this.#fill(this.tiers[tier], from, to)
      tier++
      from = to
    }
    this.count = tier
  }

  /** Where the tier that starts at `from` in the order ends: whole groups, until enough of the servers are usable. */
  #endOfTier(from: number): number {
    const order = this.#order
    let usable = 0
    let end = from
    while (end < order.length) {
      const priority = this.#priorities[order[end]]
      for (; end < order.length && this.#priorities[order[end]] === priority; end++) if (this.#isEligible(order[end])) usable++
      // Only the first tier has others join it; 0 usable ones never make a tier while there is another group.
      if (usable >= (from === 0 ? this.#minAvailable : 1)) break
    }
    return end
  }

  #fill(tier: Tier, from: number, to: number): void {
    const { candidates, algorithm } = tier
    const trusted = this.#hasTrusted(from, to)
    candidates.clear()
    for (let i = from; i < to; i++) {
      const index = this.#order[i]
      const row = this.#rows[index]
      candidates.addMember(index, Atomics.load(this.#words, row + SERVER.BASE_WEIGHT))
      if (!this.#isEligible(index)) continue
      // Servers that no check has answered for wait until there is no other choice.
      if (trusted && Atomics.load(this.#words, row + SERVER.UNCHECKED) === 1) continue
      candidates.add(index, row)
    }
    candidates.finish()
    if (candidates.count > 0) algorithm.rebuild(candidates)
  }

  #hasTrusted(from: number, to: number): boolean {
    for (let i = from; i < to; i++) {
      const index = this.#order[i]
      if (this.#isEligible(index) && Atomics.load(this.#words, this.#rows[index] + SERVER.UNCHECKED) === 0) return true
    }
    return false
  }

  /** In panic every server that the operator lets take requests is used, because what is left would drown. */
  #judgePanic(): void {
    if (this.#panicPercent === 0) return
    let ready = 0
    let sound = 0
    for (const row of this.#rows) {
      if (!this.#isReady(row)) continue
      ready++
      if (this.#isSound(row)) sound++
    }
    this.#isPanicking = sound * 100 < this.#panicPercent * ready
    Atomics.store(this.#words, this.#poolRow + POOL.PANIC, this.#isPanicking ? 1 : 0)
  }

  /** Available but for being full. */
  #isEligible(index: number): boolean {
    const row = this.#rows[index]
    return this.#isReady(row) && (this.#isPanicking || this.#isSound(row))
  }

  /** The operator and the server's own agent let it take requests. */
  #isReady(row: number): boolean {
    const words = this.#words
    return (
      Atomics.load(words, row + SERVER.ADMIN) === ADMIN.READY &&
      Atomics.load(words, row + SERVER.WEIGHT) > 0 &&
      Atomics.load(words, row + SERVER.SHARE) > 0
    )
  }

  /** Neither checks nor clients' answers speak against it. */
  #isSound(row: number): boolean {
    return Atomics.load(this.#words, row + SERVER.HEALTH) !== HEALTH.DOWN && Atomics.load(this.#words, row + SERVER.EJECTED) === 0
  }
}
