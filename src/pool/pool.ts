import { peakDecayMs } from './algorithm/registry.ts'
import { Breaker } from './breaker.ts'
import type { PickContext } from './context.ts'
import { enter } from './count.ts'
import type { PoolDefinition, QueueDefinition } from './definition.ts'
import { Ejector } from './ejector.ts'
import { LEDGER, POOL, SERVER } from './layout.ts'
import { PersistenceCookie } from './persistence/cookie.ts'
import { KeyPersistence } from './persistence/key.ts'
import { RetryBudget } from './retry-budget.ts'
import { Server } from './server.ts'
import type { PoolSlots } from './slots.ts'
import { ADMIN, HEALTH, OUTCOME, type Outcome } from './state.ts'
import type { PoolTable } from './table.ts'
import { Tiers } from './tiers.ts'
import { type QueueHost, WaitQueue } from './wait-queue.ts'

/** pick(): no server is up, ready and of a weight above 0. */
export const NONE_AVAILABLE = -1
/** pick(): there are such servers, but every one is at its limit, or the pool is. */
export const ALL_FULL = -2
/** pick(): the pool's breaker is open. */
export const BREAKER_OPEN = -3

/** What a pick may answer, for those who must tell the two refusals apart. */
export type PickResult = number

/** A new sample counts for an eighth of the moving average. */
const LATENCY_SHIFT = 3
const MAX_LATENCY_US = 0x7fffffff

/**
 * A pool as one worker sees it. For each attempt: pick() a server, acquire() it, and when the attempt is over report() how it went and
 * release() it. Nothing here allocates. Counts and limits are exact over all workers.
 *
 *     index = pool.pick(context)             // again when acquire() says that another worker was faster
 *     if (index >= 0 && pool.acquire(index)) { …attempt… pool.report(index, outcome, latencyMs, nowMs); pool.release(index) }
 */
export class Pool {
  readonly name: string
  readonly servers: readonly Server[]
  /** Where requests wait that found all servers full; null where none is configured. */
  readonly queue: WaitQueue | null
  readonly breaker: Breaker | null
  readonly retryBudget: RetryBudget | null
  /** The cookie that keeps clients with their servers; null where persistence is by table or not at all. */
  readonly cookie: PersistenceCookie | null
  /** Some connection may have to wait for another one to be closed. */
  readonly limitsConnections: boolean
  readonly #maxConnections: number
  readonly #serverMaxConnections: Int32Array
  readonly #keys: KeyPersistence | null
  readonly #tiers: Tiers
  readonly #words: Int32Array
  readonly #ledgers: Float64Array
  readonly #row: number
  readonly #rows: Int32Array
  readonly #ledgerRows: Int32Array
  /** Milliseconds; 0 where no algorithm asks for the peak. */
  readonly #peakDecayMs: number
  readonly #ejector: Ejector | null
  readonly #queueDefinition: QueueDefinition | undefined
  #epoch = -1

  /** `host` is what a queue needs of its worker; without it nothing waits. */
  constructor(definition: PoolDefinition, assigned: PoolSlots, table: PoolTable, worker: number, host?: QueueHost) {
    this.name = definition.name
    this.servers = definition.servers.map((server, index) => new Server(definition.name, server, index, assigned.slots[index], table))
    this.#words = table.words
    this.#ledgers = table.ledgers
    this.#row = table.poolRow(assigned.row)
    this.#rows = Int32Array.from(assigned.slots, (slot) => table.serverRow(slot))
    this.#ledgerRows = Int32Array.from(assigned.slots, (slot) => table.ledgerRow(worker, slot))
    this.#maxConnections = definition.maxConnections ?? 0
    this.#serverMaxConnections = Int32Array.from(definition.servers, (server) => server.maxConnections ?? 0)
    this.limitsConnections = this.#maxConnections > 0 || this.#serverMaxConnections.some((limit) => limit > 0)
    this.#tiers = new Tiers(definition, table, assigned)
    const { queue, breaker, retryBudget, persistence } = definition
    const names = definition.servers.map((server) => server.name)
    this.cookie = persistence?.kind === 'cookie' ? new PersistenceCookie(definition.name, names, persistence) : null
    this.#keys = persistence?.kind === 'table' ? new KeyPersistence(definition, persistence, assigned, table) : null
    this.breaker = breaker === undefined ? null : new Breaker(table.words, this.#row, breaker)
    this.retryBudget = retryBudget === undefined ? null : new RetryBudget(table.words, this.#row, retryBudget)
    this.queue = queue === undefined || host === undefined ? null : queueOf(host, table, assigned.row, worker, queue)
    this.#queueDefinition = queue
    this.#ejector = definition.outliers === undefined ? null : new Ejector(table, this.#rows, definition.outliers)
    this.#peakDecayMs = peakDecayMs(definition.algorithm)
  }

  /** The Plan that it is of comes into force. */
  begin(): void {
    if (this.queue !== null && this.#queueDefinition !== undefined) this.queue.configure(this.#queueDefinition)
  }

  /**
   * The server of the request's session while that can be kept, else the index of an available server that this request has not tried yet; a tried one only when there is no other.
   * NONE_AVAILABLE, ALL_FULL or BREAKER_OPEN otherwise.
   */
  pick(context: PickContext): PickResult {
    this.#refresh()
    if (this.breaker !== null && !this.breaker.isPassable(context.nowMs)) return BREAKER_OPEN
    if (this.#isFull()) return ALL_FULL
    context.ignoresExclusion = false
    const kept = this.#keys === null ? context.persisted : this.#keys.find(context)
    context.kept = kept
    if (kept >= 0 && this.#canKeep(kept, context)) return kept
    const index = this.#pickFromTiers(context)
    if (index >= 0 || context.excludedCount === 0) return index
    context.ignoresExclusion = true
    return this.#pickFromTiers(context)
  }

  /** Makes the server of a request that was acquired the one of its key, where persistence is by table. */
  remember(index: number, context: PickContext): void {
    if (this.#keys !== null && context.kept !== index) this.#keys.store(context, index)
  }

  /** Persistence is by table: remember() does something. */
  get remembers(): boolean {
    return this.#keys !== null
  }

  /** Whether pick() may find a server at all, full or not. */
  get isAvailable(): boolean {
    this.#refresh()
    for (let tier = 0; tier < this.#tiers.count; tier++) if (this.#tiers.tiers[tier].candidates.count > 0) return true
    return false
  }

  /**
   * Counts a request to the server as active. False, and nothing is counted, when the server or the pool has come to its limit
   * since the pick, or when the breaker lets no more requests through. `nowMs` is for the breaker only.
   */
  acquire(index: number, nowMs = 0): boolean {
    const row = this.#rows[index]
    if (!enter(this.#words, this.#row + POOL.ACTIVE, Atomics.load(this.#words, this.#row + POOL.MAX_ACTIVE))) return false
    if (!enter(this.#words, row + SERVER.ACTIVE, Atomics.load(this.#words, row + SERVER.MAX_ACTIVE))) {
      Atomics.sub(this.#words, this.#row + POOL.ACTIVE, 1)
      return false
    }
    if (this.breaker !== null && !this.breaker.pass(nowMs)) {
      Atomics.sub(this.#words, row + SERVER.ACTIVE, 1)
      Atomics.sub(this.#words, this.#row + POOL.ACTIVE, 1)
      return false
    }
    this.#ledgers[this.#ledgerRows[index] + LEDGER.ACTIVE]++
    return true
  }

  /** The attempt is over. Exactly once for each acquire() that returned true. */
  release(index: number): void {
    this.#ledgers[this.#ledgerRows[index] + LEDGER.ACTIVE]--
    Atomics.sub(this.#words, this.#rows[index] + SERVER.ACTIVE, 1)
    Atomics.sub(this.#words, this.#row + POOL.ACTIVE, 1)
    if (this.queue !== null) this.queue.freed()
  }

  /** How an attempt went. `latencyMs`: from sending the request to the first byte of the response; below 0 when there was none. */
  report(index: number, outcome: Outcome, latencyMs: number, nowMs: number): void {
    const ledger = this.#ledgerRows[index]
    this.#ledgers[ledger + LEDGER.REQUESTS]++
    if (outcome >= OUTCOME.SERVER_ERROR) this.#ledgers[ledger + LEDGER.FAILURES]++
    if (outcome === OUTCOME.CONNECT_TIMEOUT || outcome === OUTCOME.RESPONSE_TIMEOUT) this.#ledgers[ledger + LEDGER.TIMEOUTS]++
    if (outcome === OUTCOME.CONNECT_FAILURE || outcome === OUTCOME.CONNECT_TIMEOUT) this.#ledgers[ledger + LEDGER.CONNECT_FAILURES]++
    if (latencyMs >= 0) this.#reportLatency(index, latencyMs, nowMs)
    this.breaker?.record(outcome, nowMs)
    this.#ejector?.record(this.#rows[index], outcome, nowMs)
  }

  /** Counts a connection to the server; false, and nothing is counted, where it or the pool has as many as it may. */
  openConnection(index: number): boolean {
    const ofPool = this.#row + POOL.CONNECTIONS
    if (!enter(this.#words, ofPool, this.#maxConnections)) return false
    if (!enter(this.#words, this.#rows[index] + SERVER.CONNECTIONS, this.#serverMaxConnections[index])) {
      Atomics.sub(this.#words, ofPool, 1)
      return false
    }
    const ledger = this.#ledgerRows[index]
    this.#ledgers[ledger + LEDGER.CONNECTIONS]++
    this.#ledgers[ledger + LEDGER.CONNECTS]++
    return true
  }

  /** The same for connections that are not kept when they have nothing to do, and so are limited as requests are. */
  connectionOpened(index: number): void {
    const ledger = this.#ledgerRows[index]
    this.#ledgers[ledger + LEDGER.CONNECTIONS]++
    this.#ledgers[ledger + LEDGER.CONNECTS]++
    Atomics.add(this.#words, this.#rows[index] + SERVER.CONNECTIONS, 1)
    Atomics.add(this.#words, this.#row + POOL.CONNECTIONS, 1)
  }

  /** Whether no connection may be opened to the server, or for -1 to any of the pool, before another one is closed. */
  isConnectionFull(index: number): boolean {
    const limit = index === -1 ? this.#maxConnections : this.#serverMaxConnections[index]
    const at = index === -1 ? this.#row + POOL.CONNECTIONS : this.#rows[index] + SERVER.CONNECTIONS
    return limit !== 0 && Atomics.load(this.#words, at) >= limit
  }

  /** A worker waits until a connection can be opened. */
  wantConnection(worker: number): void {
    Atomics.or(this.#words, this.#row + POOL.CONNECTIONS_WANTED, 1 << (worker & 31))
  }

  /** The workers that wait, as bits of their index; those from the 33rd on share them. */
  get connectionsWanted(): number {
    return this.limitsConnections ? Atomics.load(this.#words, this.#row + POOL.CONNECTIONS_WANTED) : 0
  }

  /** The same; they have to be told, and may wait again. */
  takeConnectionWants(): number {
    const at = this.#row + POOL.CONNECTIONS_WANTED
    return Atomics.load(this.#words, at) === 0 ? 0 : Atomics.exchange(this.#words, at, 0)
  }

  /** Exactly once for each connectionOpened(), and each openConnection() that returned true. */
  connectionClosed(index: number): void {
    this.#ledgers[this.#ledgerRows[index] + LEDGER.CONNECTIONS]--
    Atomics.sub(this.#words, this.#rows[index] + SERVER.CONNECTIONS, 1)
    Atomics.sub(this.#words, this.#row + POOL.CONNECTIONS, 1)
  }

  addBytes(index: number, sent: number, received: number): void {
    const ledger = this.#ledgerRows[index]
    this.#ledgers[ledger + LEDGER.BYTES_SENT] += sent
    this.#ledgers[ledger + LEDGER.BYTES_RECEIVED] += received
  }

  #refresh(): void {
    const epoch = Atomics.load(this.#words, this.#row + POOL.EPOCH)
    if (epoch === this.#epoch) return
    // The epoch is read first: a change while the states are read raises it again and brings the next pick back here.
    this.#epoch = epoch
    this.#tiers.rebuild()
  }

  /** A session stays with a server that drains or has weight 0, but not with one that is down, out, in maintenance or full. */
  #canKeep(index: number, context: PickContext): boolean {
    const words = this.#words
    const row = this.#rows[index]
    if (row === undefined || context.isExcluded(index)) return false
    if (Atomics.load(words, row + SERVER.HEALTH) === HEALTH.DOWN || Atomics.load(words, row + SERVER.EJECTED) === 1) return false
    if (Atomics.load(words, row + SERVER.ADMIN) === ADMIN.MAINTENANCE) return false
    const limit = Atomics.load(words, row + SERVER.MAX_ACTIVE)
    return limit === 0 || Atomics.load(words, row + SERVER.ACTIVE) < limit
  }

  #pickFromTiers(context: PickContext): PickResult {
    let result = NONE_AVAILABLE
    for (let tier = 0; tier < this.#tiers.count; tier++) {
      const { candidates, algorithm } = this.#tiers.tiers[tier]
      if (candidates.count === 0) continue
      const position = algorithm.pick(candidates, context)
      if (position >= 0) return candidates.indexes[position]
      result = ALL_FULL
    }
    return result
  }

  #isFull(): boolean {
    const limit = Atomics.load(this.#words, this.#row + POOL.MAX_ACTIVE)
    return limit !== 0 && Atomics.load(this.#words, this.#row + POOL.ACTIVE) >= limit
  }

  #reportLatency(index: number, latencyMs: number, nowMs: number): void {
    const words = this.#words
    const row = this.#rows[index]
    this.#ledgers[this.#ledgerRows[index] + LEDGER.LATENCY_SUM_MS] += latencyMs
    this.#ledgers[this.#ledgerRows[index] + LEDGER.RESPONSES]++
    const sample = Math.max(1, Math.min(latencyMs * 1000, MAX_LATENCY_US)) | 0
    const average = Atomics.load(words, row + SERVER.LATENCY)
    const next = average === 0 ? sample : average + ((sample - average) >> LATENCY_SHIFT)
    // A sample that loses the race against another worker's is left out: the average stands for both.
    Atomics.compareExchange(words, row + SERVER.LATENCY, average, next)
    if (this.#peakDecayMs > 0) this.#reportPeak(row, sample, nowMs)
    Atomics.store(words, row + SERVER.LATENCY_AT, nowMs | 0)
  }

  /** Peak EWMA: a slower answer counts at once, a faster one by the time that has passed since the last. */
  #reportPeak(row: number, sample: number, nowMs: number): void {
    const words = this.#words
    const peak = Atomics.load(words, row + SERVER.LATENCY_PEAK)
    const elapsedMs = Math.max(0, (nowMs | 0) - Atomics.load(words, row + SERVER.LATENCY_AT))
    const weight = sample >= peak ? 0 : Math.exp(-elapsedMs / this.#peakDecayMs)
    Atomics.compareExchange(words, row + SERVER.LATENCY_PEAK, peak, Math.max(1, peak * weight + sample * (1 - weight)))
  }
}

function queueOf(host: QueueHost, table: PoolTable, row: number, worker: number, queue: QueueDefinition): WaitQueue {
  const make = (): WaitQueue => new WaitQueue(table, row, worker, queue, host)
  return host.queueOf === undefined ? make() : host.queueOf(row, make)
}
