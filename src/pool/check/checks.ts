import { type Clock, systemClock } from '../../core/index.ts'
import type { CheckPlan, PoolPlan } from '../config.ts'
import { SERVER } from '../layout.ts'
import { type Random, SeededRandom } from '../random.ts'
import type { PoolSlots, SlotAssignment } from '../slots.ts'
import { HEALTH } from '../state.ts'
import type { PoolTable } from '../table.ts'
import type { CheckHealth } from './check-state.ts'
import { type CheckConnect, type CheckDelay, systemDelay } from './connect.ts'
import { MAX_PROCESSES } from './exec.ts'
import type { CheckExecute } from './execute.ts'
import { makeCheck } from './make.ts'
import { Monitor } from './monitor.ts'
import type { CheckEnvironment } from './poll.ts'
import { CheckQueue } from './queue.ts'

/** A server went up or down. */
export interface HealthChange {
  readonly pool: string
  readonly server: string
  readonly slot: number
  readonly health: 'up' | 'down'
  /** Nothing was known of it before. */
  readonly isFirst: boolean
  /** "http check: status 503, expected 200-399" */
  readonly reason: string
  /** Milliseconds since the epoch. */
  readonly atMs: number
}

/** The last result of a server's check. */
export interface CheckResult {
  readonly reason: string
  /** Milliseconds since the epoch; 0 before the first result. */
  readonly atMs: number
  /** How long the run took. */
  readonly tookMs: number
  readonly health: CheckHealth
}

export interface ChecksOptions {
  readonly connect: CheckConnect
  /** Without it exec checks fail. */
  readonly execute?: CheckExecute
  readonly delay?: CheckDelay
  readonly clock?: Clock
  readonly random?: Random
  /** Checks under way at once; the others wait. */
  readonly maxConcurrent?: number
}

/** What of a pool concerns checks. */
export type CheckedPool = Pick<PoolPlan, 'name' | 'check'> & {
  readonly servers: readonly Pick<PoolPlan['servers'][number], 'name' | 'address' | 'check'>[]
}

interface Subject {
  readonly pool: string
  readonly server: string
  readonly slot: number
}

interface Watch {
  readonly monitor: Monitor
  /** Every server that this one check decides for. */
  subjects: readonly Subject[]
}

/**
 * All active checks, in the control thread. The same check of the same address runs once, however many pools have it and however many
 * workers there are; its result goes into the table for all of them and leaves by subscription.
 */
export class Checks {
  readonly #table: PoolTable
  readonly #environment: CheckEnvironment
  readonly #listeners = new Set<(change: HealthChange) => void>()
  #watches = new Map<string, Watch>()
  #bySubject = new Map<string, Watch>()
  #settling: (() => void)[] = []

  constructor(table: PoolTable, options: ChecksOptions) {
    const clock = options.clock ?? systemClock
    this.#table = table
    this.#environment = {
      connect: options.connect,
      delay: options.delay ?? systemDelay,
      random: options.random ?? new SeededRandom(Date.now()),
      execute: options.execute ?? refuseToExecute,
      queue: new CheckQueue(options.maxConcurrent ?? 256),
      processQueue: new CheckQueue(MAX_PROCESSES),
      wallClock: () => clock.wallClock(),
      now: () => clock.now(),
    }
  }

  /**
   * Takes over the checks of a plan: those that stay go on, new ones run at once, the others end. May be called as soon as the
   * plan's slots are prepared, and again with the old plan when the new one is rolled back.
   */
  apply(pools: readonly CheckedPool[], assignment: SlotAssignment): void {
    const before = this.#watches
    this.#watches = new Map()
    this.#bySubject = new Map()
    const fresh: Watch[] = []
    for (const [index, pool] of pools.entries()) {
      if (pool.check === undefined) continue
      for (const watch of this.#watchPool(pool, pool.check, assignment.pools[index], before)) fresh.push(watch)
    }
    for (const [key, watch] of before) if (!this.#watches.has(key)) watch.monitor.close()
    for (const watch of fresh) watch.monitor.start()
    this.#settle()
  }

  /**
   * Resolves once every check of the plan has had its first result: at the latest after the longest time-out while fewer
   * than maxConcurrent checks are due. Waiting for it before the first pick means that no request meets a server of unknown health.
   */
  settled(): Promise<void> {
    return new Promise((resolve) => {
      this.#settling.push(resolve)
      this.#settle()
    })
  }

  /** undefined where no check is configured. */
  resultOf(pool: string, server: string): CheckResult | undefined {
    const monitor = this.#bySubject.get(subjectKey(pool, server))?.monitor
    return monitor && { reason: monitor.reason, atMs: monitor.checkedAtMs, tookMs: monitor.tookMs, health: monitor.state.health }
  }

  /** Calls `listener` after each change until the returned function is called. The table has the new state already. */
  subscribe(listener: (change: HealthChange) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  close(): void {
    for (const watch of this.#watches.values()) watch.monitor.close()
    this.#watches.clear()
    this.#bySubject.clear()
    this.#settle()
  }

  checked(monitor: Monitor, changed: boolean): void {
    const watch = this.#watches.get(monitor.key)
    if (watch !== undefined && changed) this.#publish(watch)
    this.#settle()
  }

  /** Enters the pool's servers and returns the watches that are new. */
  #watchPool(pool: CheckedPool, check: CheckPlan, slots: PoolSlots, before: ReadonlyMap<string, Watch>): Watch[] {
    const fresh: Watch[] = []
    for (const [index, server] of pool.servers.entries()) {
      const subject = { pool: pool.name, server: server.name, slot: slots.slots[index] }
      const made = makeCheck(check, server.address, server.check)
      let watch = this.#watches.get(made.key)
      if (watch === undefined) {
        const known = before.get(made.key)?.monitor
        const monitor = known ?? new Monitor(made, this.#healthOf(subject.slot), this.#environment, this)
        watch = { monitor, subjects: [] }
        this.#watches.set(made.key, watch)
        if (known === undefined) fresh.push(watch)
      }
      watch.subjects = [...watch.subjects, subject]
      this.#bySubject.set(subjectKey(pool.name, server.name), watch)
      this.#adopt(subject, watch.monitor)
    }
    return fresh
  }

  /** A server that joins a check whose health is known takes it over. */
  #adopt(subject: Subject, monitor: Monitor): void {
    const health = monitor.state.health
    if (health !== 'unknown' && health !== this.#healthOf(subject.slot)) this.#setHealth(subject, monitor)
  }

  #healthOf(slot: number): CheckHealth {
    if (Atomics.load(this.#table.words, this.#table.serverRow(slot) + SERVER.UNCHECKED) === 1) return 'unknown'
    return this.#table.ownHealth(slot) === HEALTH.DOWN ? 'down' : 'up'
  }

  #publish(watch: Watch): void {
    for (const subject of watch.subjects) this.#setHealth(subject, watch.monitor)
  }

  #setHealth(subject: Subject, monitor: Monitor): void {
    const health = monitor.state.health === 'up' ? 'up' : 'down'
    const atMs = this.#environment.wallClock()
    const isFirst = this.#healthOf(subject.slot) === 'unknown'
    this.#table.setHealth(subject.slot, health === 'up' ? HEALTH.UP : HEALTH.DOWN, atMs)
    for (const listener of this.#listeners) listener({ ...subject, health, isFirst, reason: monitor.reason, atMs })
  }

  #settle(): void {
    if (this.#settling.length === 0) return
    for (const watch of this.#watches.values()) if (watch.monitor.state.health === 'unknown') return
    const settling = this.#settling
    this.#settling = []
    for (const resolve of settling) resolve()
  }
}

function subjectKey(pool: string, server: string): string {
  return JSON.stringify([pool, server])
}

const refuseToExecute: CheckExecute = (_command, events) => {
  queueMicrotask(() => events.failed('programs cannot be run here'))
  return { kill: () => {} }
}
