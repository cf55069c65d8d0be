import { EvenerError, formatAddress } from '../core/index.ts'
import { sharedBytes } from './algorithm/registry.ts'
import type { PoolDefinition, ServerDefinition } from './definition.ts'
import { LEDGER_DOUBLES, POOL, POOL_WORDS, SERVER, SERVER_WORDS } from './layout.ts'
import { SessionTable, sessionTableBytes } from './persistence/session-table.ts'
import { ADMIN_NAMES, HEALTH } from './state.ts'
import type { PoolTable } from './table.ts'

/** Where a pool and its servers are in the table; `slots` in the order of the definition. Plain data for the workers. */
export interface PoolSlots {
  readonly pool: string
  readonly row: number
  readonly slots: readonly number[]
  /** What workers share beside the table, for algorithms that remember keys; kept over a reload. */
  readonly shared: SharedArrayBuffer | null
  /** The memory of a SessionTable, for persistence by table; kept over a reload that does not change its size. */
  readonly sessions: SharedArrayBuffer | null
}

/** The slots of a whole plan. */
export interface SlotAssignment {
  readonly generation: number
  readonly pools: readonly PoolSlots[]
}

interface Entry {
  readonly number: number
  /** 0 while the plan in force has it; else the plan that no longer does, or the one being prepared that may not come about. */
  droppedIn: number
  /** What the configuration last said. A runtime change stays until the configuration itself changes. */
  configured: ServerDefinition | null
  checked: boolean
  /** Of a pool. */
  shared: SharedArrayBuffer | null
  sessions: SharedArrayBuffer | null
}

/** Of one pool for one plan. */
interface Preparation {
  /** Number of the pool's row. */
  readonly pool: number
  /** The pool is in the plan in force. */
  readonly isRunning: boolean
  readonly generation: number
  readonly nowMs: number
}

/**
 * Gives out slots, in the control thread. A server that stays over a reload (same pool, name and address) keeps its
 * slot and so its state and counts.
 *
 *   free ── prepare ──▶ prepared ── commit ──▶ live ── commit of a plan without it ──▶ dropped ── reclaim ──▶ free
 *
 * rollback turns prepared into dropped, prepare turns dropped into prepared. A dropped slot is reclaimed when it is idle
 * and no worker holds a plan from before the drop, so that nothing late can reach a slot under its next owner.
 */
export class SlotAllocator {
  readonly #table: PoolTable
  readonly #pools = new Map<string, Entry>()
  readonly #servers = new Map<string, Entry>()
  readonly #freePools: number[]
  readonly #freeServers: number[]
  #preparing = 0

  constructor(table: PoolTable) {
    this.#table = table
    this.#freePools = countDown(table.limits.pools)
    this.#freeServers = countDown(table.limits.servers)
  }

  /** Slots in use, dropped ones included. */
  get usedServers(): number {
    return this.#servers.size
  }

  /**
   * Slots for every pool of a plan, before any worker sees it. What the plan in force has is not touched. Throws
   * POOL_TABLE_FULL, and then nothing has changed. `generation` is above 0 and grows with each plan.
   */
  prepare(definitions: readonly PoolDefinition[], generation: number, nowMs: number): SlotAssignment {
    this.reclaim()
    const keys = definitions.flatMap((definition) => definition.servers.map((server) => keyOf(definition, server)))
    demandRoom(
      'pools',
      definitions.map(({ name }) => name),
      this.#pools,
      this.#freePools.length,
    )
    demandRoom('servers', keys, this.#servers, this.#freeServers.length)
    this.#preparing = generation
    return { generation, pools: definitions.map((definition) => this.#preparePool(definition, generation, nowMs)) }
  }

  /** The plan is in force: what the configuration changed is applied, and what it no longer has is dropped. */
  commit(definitions: readonly PoolDefinition[], assignment: SlotAssignment, nowMs: number): void {
    this.#preparing = 0
    const kept = new Set<Entry>()
    for (const definition of definitions) {
      const pool = this.#pools.get(definition.name) as Entry
      const row = this.#table.poolRow(pool.number)
      kept.add(pool)
      Atomics.store(this.#table.words, row + POOL.MAX_ACTIVE, definition.maxRequests)
      for (const server of definition.servers) {
        const entry = this.#servers.get(keyOf(definition, server)) as Entry
        kept.add(entry)
        this.#apply(entry, server, definition.checked, nowMs)
      }
      Atomics.add(this.#table.words, row + POOL.EPOCH, 1)
    }
    for (const entries of [this.#pools, this.#servers]) {
      for (const entry of entries.values()) {
        if (kept.has(entry)) entry.droppedIn = 0
        else if (entry.droppedIn === 0) entry.droppedIn = assignment.generation
      }
    }
  }

  /** The prepared plan will not come into force. */
  rollback(): void {
    this.#preparing = 0
  }

  /** Frees what was dropped and is held no more. prepare() does it too. */
  reclaim(): void {
    const oldest = this.#oldestHeld()
    for (const [key, entry] of this.#servers) {
      if (!this.#isReclaimable(entry, oldest) || !this.#isIdle(entry.number)) continue
      this.#servers.delete(key)
      this.#forgetSessions(entry.number)
      this.#freeServers.push(entry.number)
    }
    for (const [key, entry] of this.#pools) {
      if (!this.#isReclaimable(entry, oldest) || this.#isReferenced(entry.number)) continue
      this.#pools.delete(key)
      this.#freePools.push(entry.number)
    }
  }

  #preparePool(definition: PoolDefinition, generation: number, nowMs: number): PoolSlots {
    let pool = this.#pools.get(definition.name)
    if (pool === undefined) {
      pool = {
        number: this.#freePools.pop() as number,
        droppedIn: generation,
        configured: null,
        checked: false,
        shared: null,
        sessions: null,
      }
      this.#pools.set(definition.name, pool)
      clearRow(this.#table.words, this.#table.poolRow(pool.number), POOL_WORDS)
    }
    if (pool.droppedIn !== 0) pool.droppedIn = generation
    const row = pool.number
    const isRunning = pool.droppedIn === 0
    const slots = definition.servers.map((server) => this.#prepareServer(definition, server, { pool: row, isRunning, generation, nowMs }))
    const { persistence } = definition
    pool.shared = ofSize(pool.shared, sharedBytes(definition.algorithm))
    pool.sessions = ofSize(pool.sessions, persistence?.kind === 'table' ? sessionTableBytes(persistence.size) : 0)
    return { pool: definition.name, row, slots, shared: pool.shared, sessions: pool.sessions }
  }

  #prepareServer(definition: PoolDefinition, server: ServerDefinition, preparation: Preparation): number {
    const { pool, isRunning, generation, nowMs } = preparation
    const key = keyOf(definition, server)
    let entry = this.#servers.get(key)
    if (entry === undefined) {
      entry = {
        number: this.#freeServers.pop() as number,
        droppedIn: generation,
        configured: null,
        checked: false,
        shared: null,
        sessions: null,
      }
      this.#servers.set(key, entry)
      this.#clearServer(entry.number, pool)
    }
    if (entry.droppedIn === 0) return entry.number
    Atomics.store(this.#table.words, this.#table.serverRow(entry.number) + SERVER.JOINED, isRunning ? 1 : 0)
    // New, or back after a time in which nobody checked it.
    entry.droppedIn = generation
    entry.configured = null
    this.#table.beginHealth(entry.number, definition.checked)
    this.#apply(entry, server, definition.checked, nowMs)
    return entry.number
  }

  /** Takes over what the configuration says, where it says something else than last time. */
  #apply(entry: Entry, server: ServerDefinition, checked: boolean, nowMs: number): void {
    const words = this.#table.words
    const row = this.#table.serverRow(entry.number)
    const last = entry.configured
    if (last === null || last.weight !== server.weight) this.#table.setWeight(entry.number, server.weight)
    if (last === null || last.admin !== server.admin) {
      this.#table.setAdmin(entry.number, ADMIN_NAMES.indexOf(server.admin) as 0 | 1 | 2, nowMs)
    }
    // Nobody would ever bring up again what a check that is gone took down.
    if (entry.checked && !checked) this.#table.setHealth(entry.number, HEALTH.UP, nowMs)
    entry.checked = checked
    Atomics.store(words, row + SERVER.PRIORITY, server.priority)
    this.#table.setLimit(entry.number, server.maxRequests)
    entry.configured = server
  }

  #clearServer(slot: number, pool: number): void {
    const { words, ledgers, limits } = this.#table
    const row = this.#table.serverRow(slot)
    clearRow(words, row, SERVER_WORDS)
    Atomics.store(words, row + SERVER.POOL, pool)
    for (const share of [SERVER.RAMP, SERVER.SHARE, SERVER.CAPACITY]) Atomics.store(words, row + share, 1000)
    Atomics.store(words, row + SERVER.RATIO, 1)
    for (let worker = 0; worker < limits.workers; worker++) {
      const ledger = this.#table.ledgerRow(worker, slot)
      ledgers.fill(0, ledger, ledger + LEDGER_DOUBLES)
    }
  }

  /** Or the keys of a server that is gone would be those of the next owner of its slot. */
  #forgetSessions(slot: number): void {
    const pool = this.#table.words[this.#table.serverRow(slot) + SERVER.POOL]
    for (const { number, sessions } of this.#pools.values()) {
      if (number === pool && sessions !== null) new SessionTable(sessions, this.#table, 0).clear(slot)
    }
  }

  #isReclaimable(entry: Entry, oldestHeld: number): boolean {
    return entry.droppedIn !== 0 && entry.droppedIn !== this.#preparing && oldestHeld >= entry.droppedIn
  }

  #isIdle(slot: number): boolean {
    return this.#table.active(slot) === 0 && this.#table.connections(slot) === 0
  }

  #isReferenced(pool: number): boolean {
    for (const entry of this.#servers.values()) {
      if (this.#table.words[this.#table.serverRow(entry.number) + SERVER.POOL] === pool) return true
    }
    return false
  }

  #oldestHeld(): number {
    let oldest = Number.POSITIVE_INFINITY
    for (let worker = 0; worker < this.#table.limits.workers; worker++) {
      const generation = this.#table.oldestPlan(worker)
      if (generation !== 0 && generation < oldest) oldest = generation
    }
    return oldest
  }
}

function keyOf(definition: PoolDefinition, server: ServerDefinition): string {
  return JSON.stringify([definition.name, server.name, formatAddress(server.address)])
}

/** All words 0 but the first, the generation, which goes up. */
function clearRow(words: Int32Array, row: number, length: number): void {
  Atomics.add(words, row, 1)
  for (let word = row + 1; word < row + length; word++) Atomics.store(words, word, 0)
}

function demandRoom(what: string, keys: readonly string[], entries: ReadonlyMap<string, Entry>, free: number): void {
  const fresh = new Set(keys.filter((key) => !entries.has(key))).size
  if (fresh <= free) return
  const limit = entries.size + free
  const why = entries.size > 0 ? `, of which ${entries.size} are in use or still finish` : ''
  throw new EvenerError('POOL_TABLE_FULL', `the pool table has room for ${limit} ${what}${why}; the configuration needs ${fresh} new ones`)
}

/** The same memory where it has the size. */
function ofSize(memory: SharedArrayBuffer | null, bytes: number): SharedArrayBuffer | null {
  if ((memory?.byteLength ?? 0) === bytes) return memory
  return bytes === 0 ? null : new SharedArrayBuffer(bytes)
}

function countDown(count: number): number[] {
  return Array.from({ length: count }, (_, i) => count - 1 - i)
}
