import type { PickContext } from '../context.ts'
import { NO_KEY } from '../context.ts'
import type { PoolDefinition, TablePersistence } from '../definition.ts'
import { type HashKey, hashKeyFrom } from '../hash-key.ts'
import type { PoolSlots } from '../slots.ts'
import type { PoolTable } from '../table.ts'
import { SessionTable } from './session-table.ts'

/** Remembers in the shared table which server the key of a request belongs to. */
export class KeyPersistence {
  readonly #sessions: SessionTable
  /** One key, hashed with two seeds: 64 bits, so that two clients hardly ever share an entry. */
  readonly #high: HashKey
  readonly #low: HashKey
  readonly #slots: readonly number[]
  readonly #indexes: ReadonlyMap<number, number>

  constructor(definition: PoolDefinition, persistence: TablePersistence, assigned: PoolSlots, table: PoolTable) {
    if (assigned.sessions === null) throw new Error(`pool "${definition.name}" has no session table`)
    this.#sessions = new SessionTable(assigned.sessions, table, persistence.ttlSeconds)
    this.#high = hashKeyFrom(persistence.key, definition.name)
    this.#low = { ...this.#high, method: 'murmur3', seed: ~this.#high.seed }
    this.#slots = assigned.slots
    this.#indexes = new Map(assigned.slots.map((slot, index) => [slot, index]))
  }

  /** The index of the server that the request's key belongs to, or -1. */
  find(context: PickContext): number {
    const high = context.keySource.keyHash(this.#high)
    if (high === NO_KEY) return -1
    const slot = this.#sessions.find(high | 0, context.keySource.keyHash(this.#low) | 0, Math.floor(context.nowMs / 1000) | 0)
    return slot === -1 ? -1 : (this.#indexes.get(slot) ?? -1)
  }

  store(context: PickContext, index: number): void {
    const high = context.keySource.keyHash(this.#high)
    if (high === NO_KEY) return
    this.#sessions.store(high | 0, context.keySource.keyHash(this.#low) | 0, this.#slots[index], Math.floor(context.nowMs / 1000) | 0)
  }
}
