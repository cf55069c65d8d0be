import { EvenerError } from '../core/index.ts'
import {
  CURSORS,
  DEFAULT_TABLE_LIMITS,
  HEADER,
  HEADER_WORDS,
  LEDGER_DOUBLES,
  POOL,
  POOL_WORDS,
  QUEUE_WORDS,
  SERVER,
  SERVER_WORDS,
  TABLE_MAGIC,
  TABLE_VERSION,
  type TableLimits,
  WORKER,
  WORKER_WORDS,
} from './layout.ts'
import { combineState } from './server-state.ts'
import { type Admin, BREAKER_NAMES, type BreakerName, HEALTH, type Health } from './state.ts'

/** What status shows of a pool. */
export interface PoolState {
  readonly active: number
  readonly queued: number
  readonly breaker: BreakerName
}

/**
 * The state of every server of every pool, in one SharedArrayBuffer that the control thread creates and workers attach to. The layout
 * is in layout.ts. Shared words are changed with Atomics, so that active counts, cursors and limits are exact across workers.
 * Slots and rows are given out by the control thread's SlotAllocator only.
 */
export class PoolTable {
  readonly buffer: SharedArrayBuffer
  readonly limits: TableLimits
  readonly words: Int32Array
  readonly ledgers: Float64Array

  private constructor(buffer: SharedArrayBuffer, limits: TableLimits) {
    this.buffer = buffer
    this.limits = limits
    const wordCount = countWords(limits)
    this.words = new Int32Array(buffer, 0, wordCount)
    this.ledgers = new Float64Array(buffer, wordCount * 4)
  }

  /** A fresh table. Pages that are never used cost no memory. */
  static create(limits: Partial<TableLimits> = {}): PoolTable {
    const whole: TableLimits = { ...DEFAULT_TABLE_LIMITS, ...limits }
    const ledgerBytes = whole.workers * whole.servers * LEDGER_DOUBLES * 8
    const table = new PoolTable(new SharedArrayBuffer(countWords(whole) * 4 + ledgerBytes), whole)
    table.words[HEADER.SERVERS] = whole.servers
    table.words[HEADER.POOLS] = whole.pools
    table.words[HEADER.WORKERS] = whole.workers
    table.words[HEADER.VERSION] = TABLE_VERSION
    Atomics.store(table.words, HEADER.MAGIC, TABLE_MAGIC)
    return table
  }

  /** The table that another thread created. */
  static attach(buffer: SharedArrayBuffer): PoolTable {
    const header = new Int32Array(buffer, 0, HEADER_WORDS)
    if (Atomics.load(header, HEADER.MAGIC) !== TABLE_MAGIC || header[HEADER.VERSION] !== TABLE_VERSION) {
      throw new EvenerError('POOL_TABLE_INVALID', 'the shared buffer is not a pool table of this version')
    }
    return new PoolTable(buffer, { servers: header[HEADER.SERVERS], pools: header[HEADER.POOLS], workers: header[HEADER.WORKERS] })
  }

  workerRow(worker: number): number {
    return HEADER_WORDS + worker * WORKER_WORDS
  }

  poolRow(pool: number): number {
    return HEADER_WORDS + this.limits.workers * WORKER_WORDS + pool * POOL_WORDS
  }

  queueRow(pool: number, worker: number): number {
    return this.poolRow(this.limits.pools) + (pool * this.limits.workers + worker) * QUEUE_WORDS
  }

  serverRow(slot: number): number {
    return this.queueRow(this.limits.pools, 0) + slot * SERVER_WORDS
  }

  ledgerRow(worker: number, slot: number): number {
    return (worker * this.limits.servers + slot) * LEDGER_DOUBLES
  }

  /** A worker tells which plan is the oldest that it still has exchanges under; slots of older plans may then be given away. */
  holdPlan(worker: number, oldestGeneration: number): void {
    Atomics.store(this.words, this.workerRow(worker) + WORKER.OLDEST_PLAN, oldestGeneration)
  }

  oldestPlan(worker: number): number {
    return Atomics.load(this.words, this.workerRow(worker) + WORKER.OLDEST_PLAN)
  }

  health(slot: number): Health {
    return Atomics.load(this.words, this.serverRow(slot) + SERVER.HEALTH) as Health
  }

  /** Its agent says that it is down. */
  isHeldDown(slot: number): boolean {
    return Atomics.load(this.words, this.serverRow(slot) + SERVER.AGENT_DOWN) === 1
  }

  /** What checks and slow starts say, whatever an agent does. */
  ownHealth(slot: number): Health {
    return Atomics.load(this.words, this.serverRow(slot) + SERVER.OWN_HEALTH) as Health
  }

  admin(slot: number): Admin {
    return Atomics.load(this.words, this.serverRow(slot) + SERVER.ADMIN) as Admin
  }

  weight(slot: number): number {
    return Atomics.load(this.words, this.serverRow(slot) + SERVER.WEIGHT)
  }

  active(slot: number): number {
    return Atomics.load(this.words, this.serverRow(slot) + SERVER.ACTIVE)
  }

  /** Active requests that it may have, over all workers; 0 for no limit. */
  limit(slot: number): number {
    return Atomics.load(this.words, this.serverRow(slot) + SERVER.MAX_ACTIVE)
  }

  connections(slot: number): number {
    return Atomics.load(this.words, this.serverRow(slot) + SERVER.CONNECTIONS)
  }

  latencyMs(slot: number): number {
    return Atomics.load(this.words, this.serverRow(slot) + SERVER.LATENCY) / 1000
  }

  /** Entries of the pool's session table that belong to the server. */
  sessions(slot: number): number {
    return Atomics.load(this.words, this.serverRow(slot) + SERVER.SESSIONS)
  }

  /** Thousandths of the weight that count; below 1000 during a slow start. */
  ramp(slot: number): number {
    return Atomics.load(this.words, this.serverRow(slot) + SERVER.RAMP)
  }

  /** Of the pool in a row, over all workers. */
  poolState(pool: number): PoolState {
    const row = this.poolRow(pool)
    const [active, queued, breaker] = [POOL.ACTIVE, POOL.QUEUED, POOL.BREAKER].map((word) => Atomics.load(this.words, row + word))
    return { active, queued, breaker: BREAKER_NAMES[breaker] }
  }

  /** Goes up with each change of a pool's state, by its row's number. */
  epoch(pool: number): number {
    return Atomics.load(this.words, this.poolRow(pool) + POOL.EPOCH)
  }

  /** Share of the weight that counts, 0 to 1: slow start and what an agent asks for. */
  share(slot: number): number {
    const row = this.serverRow(slot)
    return (Atomics.load(this.words, row + SERVER.RAMP) * Atomics.load(this.words, row + SERVER.SHARE)) / 1e6
  }

  /** Share of its resources that a server has left, 0 to 1. */
  capacity(slot: number): number {
    return Atomics.load(this.words, this.serverRow(slot) + SERVER.CAPACITY) / 1000
  }

  /** Taken out as an outlier, for some time. */
  isEjected(slot: number): boolean {
    return Atomics.load(this.words, this.serverRow(slot) + SERVER.EJECTED) === 1
  }

  /** Too few of the pool's servers are usable, so all of them are used. */
  isPanicking(pool: number): boolean {
    return Atomics.load(this.words, this.poolRow(pool) + POOL.PANIC) === 1
  }

  /** Milliseconds since the epoch of the last change of health or admin; 0 if there was none. */
  changedAt(slot: number): number {
    const at = this.serverRow(slot) + SERVER.CHANGED
    return Atomics.load(this.words, at + 1) * 2 ** 32 + (Atomics.load(this.words, at) >>> 0)
  }

  /** Every worker picks by the new state from its next pick on. */
  setHealth(slot: number, health: Health, nowMs: number): void {
    const row = this.serverRow(slot)
    Atomics.store(this.words, row + SERVER.UNCHECKED, 0)
    Atomics.store(this.words, row + SERVER.OWN_HEALTH, health)
    combineState(this.words, row)
    this.#changed(row, nowMs)
  }

  /** A server whose slot is given out: `starting` until a check has answered, or up where there is none. */
  beginHealth(slot: number, isChecked: boolean): void {
    const row = this.serverRow(slot)
    Atomics.store(this.words, row + SERVER.UNCHECKED, isChecked ? 1 : 0)
    Atomics.store(this.words, row + SERVER.OWN_HEALTH, isChecked ? HEALTH.STARTING : HEALTH.UP)
    combineState(this.words, row)
  }

  setAdmin(slot: number, admin: Admin, nowMs: number): void {
    const row = this.serverRow(slot)
    Atomics.store(this.words, row + SERVER.OWN_ADMIN, admin)
    combineState(this.words, row)
    this.#changed(row, nowMs)
  }

  /** Active requests over all workers; 0 for no limit. */
  setLimit(slot: number, maxActive: number): void {
    const row = this.serverRow(slot)
    Atomics.store(this.words, row + SERVER.OWN_MAX_ACTIVE, maxActive)
    if (combineState(this.words, row)) this.bumpEpoch(row)
  }

  /** What the server's agent says beside checks, operators and configuration: the worse of both counts. `maxActive` 0 is no limit. */
  setAgent(slot: number, isDown: boolean, admin: Admin, maxActive: number, nowMs: number): void {
    const row = this.serverRow(slot)
    Atomics.store(this.words, row + SERVER.AGENT_DOWN, isDown ? 1 : 0)
    Atomics.store(this.words, row + SERVER.AGENT_ADMIN, admin)
    Atomics.store(this.words, row + SERVER.AGENT_MAX_ACTIVE, maxActive)
    if (combineState(this.words, row)) this.#changed(row, nowMs)
  }

  /** `weight` 0 means no new picks, as a drain does. */
  setWeight(slot: number, weight: number): void {
    const row = this.serverRow(slot)
    Atomics.store(this.words, row + SERVER.WEIGHT, weight)
    if (weight > 0) Atomics.store(this.words, row + SERVER.BASE_WEIGHT, weight)
    this.bumpEpoch(row)
  }

  /** Thousandths of the weight that count: a slow start. */
  setRamp(slot: number, thousandths: number): void {
    this.#storeShare(slot, SERVER.RAMP, thousandths)
  }

  /** Thousandths of the weight that the server's agent asks for; 0 takes no new picks. */
  setShare(slot: number, thousandths: number): void {
    this.#storeShare(slot, SERVER.SHARE, thousandths)
  }

  /** Thousandths of its resources that the server has left, for the algorithm `resource`. */
  setCapacity(slot: number, thousandths: number): void {
    this.#storeShare(slot, SERVER.CAPACITY, thousandths)
  }

  /** Tells every worker to look at the pool of the server row again. State must be stored before. */
  bumpEpoch(serverRow: number): void {
    Atomics.add(this.words, this.poolRow(this.words[serverRow + SERVER.POOL]) + POOL.EPOCH, 1)
  }

  #storeShare(slot: number, word: number, thousandths: number): void {
    const row = this.serverRow(slot)
    const whole = Math.max(0, Math.min(1000, Math.round(thousandths)))
    if (Atomics.exchange(this.words, row + word, whole) !== whole) this.bumpEpoch(row)
  }

  #changed(row: number, nowMs: number): void {
    const at = row + SERVER.CHANGED
    Atomics.store(this.words, at, nowMs | 0)
    Atomics.store(this.words, at + 1, Math.floor(nowMs / 2 ** 32))
    this.bumpEpoch(row)
  }
}

/** The cursor of a tier of priorities in a pool's row. */
export function cursorOf(poolRow: number, tier: number): number {
  return poolRow + POOL.CURSOR + Math.min(tier, CURSORS - 1)
}

function countWords(limits: TableLimits): number {
  const queueWords = limits.pools * limits.workers * QUEUE_WORDS
  return HEADER_WORDS + limits.workers * WORKER_WORDS + limits.pools * POOL_WORDS + queueWords + limits.servers * SERVER_WORDS
}
