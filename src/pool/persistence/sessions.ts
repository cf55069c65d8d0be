import type { PoolDefinition } from '../definition.ts'
import type { SlotAssignment } from '../slots.ts'
import type { PoolTable } from '../table.ts'
import { SessionTable } from './session-table.ts'

/** An entry of a pool's table, as `status` shows it. */
export interface Session {
  readonly server: string
  /** Milliseconds since the epoch. */
  readonly expiresAtMs: number
}

interface Watched {
  readonly sessions: SessionTable
  readonly servers: ReadonlyMap<string, number>
  nextBucket: number
}

/** Buckets that one tick goes through, so that a large table holds nobody up. */
const BUCKETS_A_TICK = 4096

/** The control thread's part in persistence by table: takes out what has expired, shows and clears entries. */
export class Sessions {
  readonly #table: PoolTable
  #pools = new Map<string, Watched>()

  constructor(table: PoolTable) {
    this.#table = table
  }

  get isIdle(): boolean {
    return this.#pools.size === 0
  }

  apply(definitions: readonly PoolDefinition[], assignment: SlotAssignment): void {
    const before = this.#pools
    this.#pools = new Map()
    for (const [index, definition] of definitions.entries()) {
      const { sessions, slots } = assignment.pools[index]
      if (sessions === null || definition.persistence?.kind !== 'table') continue
      const servers = new Map(definition.servers.map((server, place) => [server.name, slots[place]]))
      const table = new SessionTable(sessions, this.#table, definition.persistence.ttlSeconds)
      this.#pools.set(definition.name, {
        sessions: table,
        servers,
        nextBucket: Math.min(before.get(definition.name)?.nextBucket ?? 0, table.bucketCount),
      })
    }
  }

  tick(nowMs: number): void {
    for (const watched of this.#pools.values()) {
      const { sessions, nextBucket } = watched
      const end = Math.min(nextBucket + BUCKETS_A_TICK, sessions.bucketCount)
      sessions.sweep(Math.floor(nowMs / 1000), nextBucket, end)
      watched.nextBucket = end === sessions.bucketCount ? 0 : end
    }
  }

  list(pool: string, nowMs: number, limit: number): Session[] | undefined {
    const watched = this.#pools.get(pool)
    if (watched === undefined) return undefined
    const names = new Map(Array.from(watched.servers, ([name, slot]) => [slot, name]))
    const entries = watched.sessions.entries(Math.floor(nowMs / 1000), limit)
    return entries.map(({ slot, expiresAt }) => ({ server: names.get(slot) ?? '', expiresAtMs: expiresAt * 1000 }))
  }

  clear(pool: string, server?: string): number | undefined {
    const watched = this.#pools.get(pool)
    if (watched === undefined) return undefined
    if (server === undefined) return watched.sessions.clear()
    const slot = watched.servers.get(server)
    return slot === undefined ? 0 : watched.sessions.clear(slot)
  }
}
