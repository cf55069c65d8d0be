import type { PoolDefinition } from './definition.ts'
import { POOL, SERVER } from './layout.ts'
import type { PoolSlots } from './slots.ts'
import { ADMIN, HEALTH } from './state.ts'
import type { PoolTable } from './table.ts'

/**
 * Which servers of a pool may be picked, and in which order: sorted by priority and cut into tiers. The first tier is the first group,
 * joined by the following ones while fewer than `minAvailable` servers are usable; each later group is a tier of its own.
 *
 *   priority   0 0 0 1 1 2          minAvailable 2, and two of the first group down
 *   tier      |   0     | 1|
 */
export class Ranks {
  /** Indexes sorted by priority. */
  readonly order: Int32Array
  /** Row of each server, by index. */
  readonly rows: Int32Array
  readonly #words: Int32Array
  readonly #priorities: Int32Array
  readonly #minAvailable: number
  readonly #poolRow: number
  readonly #panicPercent: number
  #isPanicking = false

  constructor(definition: PoolDefinition, table: PoolTable, assigned: PoolSlots) {
    const { servers } = definition
    this.#words = table.words
    this.rows = Int32Array.from(assigned.slots, (slot) => table.serverRow(slot))
    this.#poolRow = table.poolRow(assigned.row)
    this.#panicPercent = definition.panicPercent ?? 0
    this.#minAvailable = definition.minAvailable
    this.#priorities = Int32Array.from(servers, (server) => server.priority)
    this.order = Int32Array.from(servers.keys()).sort((a, b) => servers[a].priority - servers[b].priority || a - b)
  }

  /** Priorities, of which each may be a tier of its own. */
  get groups(): number {
    return new Set(this.#priorities).size
  }

  /** Before the others, after each change. In panic every server that the operator lets take requests is used, because what is left would drown. */
  judge(): void {
    if (this.#panicPercent === 0) return
    let ready = 0
    let sound = 0
    for (const row of this.rows) {
      if (!this.#isReady(row)) continue
      ready++
      if (this.#isSound(row)) sound++
    }
    this.#isPanicking = sound * 100 < this.#panicPercent * ready
    Atomics.store(this.#words, this.#poolRow + POOL.PANIC, this.#isPanicking ? 1 : 0)
  }

  /** Where the tier that starts at `from` in the order ends: whole groups, until enough of the servers are usable. */
  endOfTier(from: number): number {
    const { order } = this
    let usable = 0
    let end = from
    while (end < order.length) {
      const priority = this.#priorities[order[end]]
      for (; end < order.length && this.#priorities[order[end]] === priority; end++) if (this.isEligible(order[end])) usable++
      // Only the first tier has others join it; 0 usable ones never make a tier while there is another group.
      if (usable >= (from === 0 ? this.#minAvailable : 1)) break
    }
    return end
  }

  /** Available but for being full. */
  isEligible(index: number): boolean {
    const row = this.rows[index]
    return this.#isReady(row) && (this.#isPanicking || this.#isSound(row))
  }

  /** No check has answered for it yet. */
  isUnchecked(index: number): boolean {
    return Atomics.load(this.#words, this.rows[index] + SERVER.UNCHECKED) === 1
  }

  /** Whether there is one between these places of the order that a check has answered for; then the others wait. */
  hasTrusted(from: number, to: number): boolean {
    for (let i = from; i < to; i++) {
      const index = this.order[i]
      if (this.isEligible(index) && !this.isUnchecked(index)) return true
    }
    return false
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
