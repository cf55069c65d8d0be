import type { PoolDefinition } from './definition.ts'
import type { SlotAssignment } from './slots.ts'
import { ADMIN, type BreakerName, HEALTH } from './state.ts'
import type { PoolTable } from './table.ts'

/** Something about a pool as a whole has changed. */
export type PoolChange =
  | { readonly kind: 'breaker'; readonly pool: string; readonly state: BreakerName }
  | { readonly kind: 'panic'; readonly pool: string; readonly panics: boolean }
  /** `servers` get new requests, of `all`. Told when the last one goes and when the first one is back. */
  | { readonly kind: 'availability'; readonly pool: string; readonly servers: number; readonly all: number }

interface Followed {
  readonly name: string
  readonly row: number
  readonly slots: readonly number[]
  readonly hasBreaker: boolean
  readonly canPanic: boolean
  breaker: BreakerName
  panics: boolean
  isAvailable: boolean
}

/** The control thread's view of what workers do to a pool as a whole: tells when its breaker, its panic or its availability changes. */
export class PoolStates {
  readonly #table: PoolTable
  readonly #tell: (change: PoolChange) => void
  #pools: Followed[] = []

  constructor(table: PoolTable, tell: (change: PoolChange) => void) {
    this.#table = table
    this.#tell = tell
  }

  /** Nothing can change but by what the control thread itself does. */
  get isIdle(): boolean {
    return !this.#pools.some(({ hasBreaker, canPanic }) => hasBreaker || canPanic)
  }

  apply(definitions: readonly PoolDefinition[], assignment: SlotAssignment): void {
    const before = new Map(this.#pools.map((pool) => [pool.name, pool]))
    this.#pools = definitions.map((definition, index) => {
      const { row, slots } = assignment.pools[index]
      const known = before.get(definition.name)
      return {
        name: definition.name,
        row,
        slots,
        hasBreaker: definition.breaker !== undefined,
        canPanic: (definition.panicPercent ?? 0) > 0,
        breaker: known?.breaker ?? 'closed',
        panics: known?.panics ?? false,
        isAvailable: known?.isAvailable ?? true,
      }
    })
  }

  /** About once a second while it is not idle. */
  tick(): void {
    for (const pool of this.#pools) {
      if (pool.hasBreaker) this.#followBreaker(pool)
      if (pool.canPanic) this.#followPanic(pool)
    }
  }

  /** A server of some pool has changed. */
  look(): void {
    for (const pool of this.#pools) {
      const servers = pool.slots.filter((slot) => this.#isAvailable(slot)).length
      if (servers > 0 === pool.isAvailable) continue
      pool.isAvailable = servers > 0
      this.#tell({ kind: 'availability', pool: pool.name, servers, all: pool.slots.length })
    }
  }

  #followBreaker(pool: Followed): void {
    const { breaker } = this.#table.poolState(pool.row)
    if (breaker === pool.breaker) return
    pool.breaker = breaker
    this.#tell({ kind: 'breaker', pool: pool.name, state: breaker })
  }

  #followPanic(pool: Followed): void {
    const panics = this.#table.isPanicking(pool.row)
    if (panics === pool.panics) return
    pool.panics = panics
    this.#tell({ kind: 'panic', pool: pool.name, panics })
  }

  #isAvailable(slot: number): boolean {
    const table = this.#table
    if (table.health(slot) === HEALTH.DOWN || table.admin(slot) !== ADMIN.READY || table.isEjected(slot)) return false
    return table.weight(slot) > 0 && table.share(slot) > 0
  }
}
