import { formatAddress } from '../core/index.ts'
import type { AdminName, ServerPlan } from '../pool/index.ts'

/** What can be changed of a server while it runs. */
export interface ServerChange {
  readonly admin?: AdminName | undefined
  readonly weight?: number | undefined
}

/** A value that replaces the one that the server was configured with at that time. */
interface Replacement<T> {
  readonly value: T
  readonly over: T
}

export interface ServerReplacements {
  readonly admin?: Replacement<AdminName> | undefined
  readonly weight?: Replacement<number> | undefined
}

/** By name of the server. */
export interface PoolChanges {
  readonly changed: Readonly<Record<string, ServerReplacements>>
  readonly added: Readonly<Record<string, ServerPlan>>
  /** With the address that they had: another server of the name is not meant. */
  readonly removed: Readonly<Record<string, string>>
}

/** A pool as configuration and discovery have it. */
export interface KnownPool {
  readonly name: string
  readonly servers: readonly ServerPlan[]
  /** Servers may come and go: what is not there now may be back. */
  readonly isDiscovered: boolean
}

const NOTHING: PoolChanges = { changed: {}, added: {}, removed: {} }

/**
 * What operators changed of pools since the configuration was written. Each change holds until the configuration itself says something
 * else of that server than it did when the change was made. Immutable: a change gives a new one, which is put in the place of
 * the old when it is in force. Plain data in `pools`.
 */
export class RuntimeChanges {
  readonly pools: Readonly<Record<string, PoolChanges>>

  constructor(pools: Readonly<Record<string, PoolChanges>> = {}) {
    this.pools = pools
  }

  /** The servers that a pool has by all this. */
  serversOf({ name, servers }: KnownPool): ServerPlan[] {
    const changes = this.#of(name)
    const staying = servers.filter((server) => get(changes.removed, server.name) !== formatAddress(server.address))
    const names = new Set(staying.map((server) => server.name))
    const added = Object.values(changes.added).filter((server) => !names.has(server.name))
    return [...staying, ...added].map((server) => replaced(server, get(changes.changed, server.name)))
  }

  isAdded(pool: string, server: string): boolean {
    return get(this.#of(pool).added, server) !== undefined
  }

  /** `pool` is as it is known, without these changes. */
  change(pool: KnownPool, server: string, { admin, weight }: ServerChange): RuntimeChanges {
    const changes = this.#of(pool.name)
    const base = pool.servers.find(({ name }) => name === server) ?? get(changes.added, server)
    if (base === undefined) return this
    const before = get(changes.changed, server)
    const now: ServerReplacements = {
      admin: admin === undefined ? before?.admin : replacement(admin, base.admin),
      weight: weight === undefined ? before?.weight : replacement(weight, base.weight),
    }
    const changed = { ...without(changes.changed, server), ...((now.admin ?? now.weight) ? { [server]: now } : {}) }
    return this.#with(pool.name, { ...changes, changed })
  }

  /** A server whose name and address are those of a removed one is that server, back again. */
  add(pool: KnownPool, server: ServerPlan): RuntimeChanges {
    const changes = this.#of(pool.name)
    const removed = without(changes.removed, server.name)
    const known = pool.servers.find(({ name }) => name === server.name)
    if (known !== undefined && formatAddress(known.address) === formatAddress(server.address)) {
      const { admin, weight } = server
      return this.#with(pool.name, { ...changes, removed }).change(pool, server.name, { admin, weight })
    }
    return this.#with(pool.name, { ...changes, added: { ...changes.added, [server.name]: server } })
  }

  remove(pool: KnownPool, server: string): RuntimeChanges {
    const changes = this.#of(pool.name)
    const changed = without(changes.changed, server)
    const known = pool.servers.find(({ name }) => name === server)
    const removed = known === undefined ? changes.removed : { ...changes.removed, [server]: formatAddress(known.address) }
    return this.#with(pool.name, { changed, added: without(changes.added, server), removed })
  }

  /** Without what the configuration has overtaken. */
  settle(pools: readonly KnownPool[]): RuntimeChanges {
    let settled = new RuntimeChanges()
    for (const pool of pools) {
      const { changed, added, removed } = this.#of(pool.name)
      const known = new Map([...Object.values(added), ...pool.servers].map((server) => [server.name, server]))
      const absent = (server: string): boolean => !known.has(server) && pool.isDiscovered
      settled = settled.#with(pool.name, {
        changed: filtered(changed, (server, change) => absent(server) || holds(change, known.get(server))),
        added: filtered(added, (server) => !pool.servers.some(({ name }) => name === server)),
        removed: filtered(removed, (server, address) => absent(server) || isAt(pool.servers, server, address)),
      })
    }
    return settled
  }

  #of(pool: string): PoolChanges {
    return get(this.pools, pool) ?? NOTHING
  }

  #with(pool: string, changes: PoolChanges): RuntimeChanges {
    const isEmpty = [changes.changed, changes.added, changes.removed].every((part) => Object.keys(part).length === 0)
    return new RuntimeChanges(isEmpty ? without(this.pools, pool) : { ...this.pools, [pool]: changes })
  }
}

function replaced(server: ServerPlan, change: ServerReplacements | undefined): ServerPlan {
  if (change === undefined) return server
  const admin = change.admin?.over === server.admin ? change.admin.value : server.admin
  const weight = change.weight?.over === server.weight ? change.weight.value : server.weight
  return { ...server, admin, weight }
}

function replacement<T>(value: T, over: T): Replacement<T> | undefined {
  return value === over ? undefined : { value, over }
}

/** Whether any of it still replaces what it was made to replace. */
function holds(change: ServerReplacements, server: ServerPlan | undefined): boolean {
  return server !== undefined && (change.admin?.over === server.admin || change.weight?.over === server.weight)
}

function isAt(servers: readonly ServerPlan[], name: string, address: string): boolean {
  return servers.some((server) => server.name === name && formatAddress(server.address) === address)
}

/** Names are the operator's: one may be "constructor". */
function get<T>(record: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined
}

function without<T>(record: Readonly<Record<string, T>>, key: string): Record<string, T> {
  return filtered(record, (name) => name !== key)
}

function filtered<T>(record: Readonly<Record<string, T>>, keeps: (key: string, value: T) => boolean): Record<string, T> {
  return Object.fromEntries(Object.entries(record).filter(([key, value]) => keeps(key, value)))
}
