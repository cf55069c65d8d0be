import { type Clock, systemClock } from '../core/index.ts'
import { type AgentChange, type AgentResult, Agents } from './agent/agents.ts'
import type { AgentPlan } from './agent/plan.ts'
import { type CheckResult, Checks, type ChecksOptions, type HealthChange } from './check/checks.ts'
import { type CheckDelay, systemDelay } from './check/connect.ts'
import type { CheckPlan } from './config.ts'
import type { PoolDefinition } from './definition.ts'
import { type EjectionChange, Outliers } from './outliers.ts'
import { type Session, Sessions } from './persistence/sessions.ts'
import { type PoolChange, PoolStates } from './pool-states.ts'
import type { SlotAssignment } from './slots.ts'
import { SlowStarts } from './slow-starts.ts'
import { HEALTH } from './state.ts'
import type { PoolTable } from './table.ts'

export type { Session } from './persistence/sessions.ts'

/** A pool of the plan with its check. */
export interface UpkeptPool {
  readonly definition: PoolDefinition
  readonly check: CheckPlan | undefined
  readonly agent?: AgentPlan | undefined
}

/** What the log and hooks are told. */
export type PoolEvent =
  | (HealthChange & { readonly kind: 'health' })
  | (EjectionChange & { readonly kind: 'ejection' })
  | (AgentChange & { readonly kind: 'agent' })
  | PoolChange

/** While a slow start is under way, and else. */
const FAST_TICK_MS = 250
const TICK_MS = 1000
/** Programs run sixteen at a time, so that the first round of many of them can take minutes. */
const SETTLE_LIMIT_MS = 15_000

/**
 * Everything that the control thread does for pools while they run: checks, slow starts, outliers, sessions. It writes the table; what
 * happened leaves by subscription.
 */
export class Upkeep {
  readonly #table: PoolTable
  readonly #checks: Checks
  readonly #agents: Agents
  readonly #slowStarts: SlowStarts
  readonly #outliers: Outliers
  readonly #sessions: Sessions
  readonly #states: PoolStates
  readonly #delay: CheckDelay
  readonly #clock: Clock
  readonly #listeners = new Set<(event: PoolEvent) => void>()
  #cancelTick: () => void = () => {}
  /** Of the next tick, on the monotonic clock. */
  #dueMs = Number.POSITIVE_INFINITY

  constructor(table: PoolTable, options: ChecksOptions) {
    this.#table = table
    this.#delay = options.delay ?? systemDelay
    this.#clock = options.clock ?? systemClock
    this.#slowStarts = new SlowStarts(table)
    this.#outliers = new Outliers(table, (change) => this.#ejectionChanged(change))
    this.#sessions = new Sessions(table)
    this.#states = new PoolStates(table, (change) => this.#tell(change))
    this.#checks = new Checks(table, options)
    this.#checks.subscribe((change) => this.#healthChanged(change))
    this.#agents = new Agents(table, options, (change) => this.#agentChanged(change))
  }

  /** Takes over the pools of a plan as soon as their slots are prepared; again with the old plan when the new one is rolled back. */
  apply(pools: readonly UpkeptPool[], assignment: SlotAssignment): void {
    const nowMs = this.#clock.wallClock()
    const definitions = pools.map((pool) => pool.definition)
    this.#slowStarts.apply(definitions, assignment, nowMs)
    this.#outliers.apply(definitions, assignment, nowMs)
    this.#sessions.apply(definitions, assignment)
    this.#states.apply(definitions, assignment)
    const checked = pools.map(({ definition, check }) => ({ name: definition.name, servers: definition.servers, check }))
    this.#checks.apply(checked, assignment)
    const asked = pools.map(({ definition, agent }) => ({ name: definition.name, servers: definition.servers, agent }))
    this.#agents.apply(asked, assignment)
    this.#states.look()
    this.#schedule()
  }

  /** An operator has changed a server. */
  serverChanged(): void {
    this.#states.look()
  }

  /** See Checks.settled(); agents have been asked too. It takes no longer than SETTLE_LIMIT_MS: what is left is not known until then. */
  settled(): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#delay(SETTLE_LIMIT_MS, resolve)
      void Promise.all([this.#checks.settled(), this.#agents.settled()]).then(() => {
        cancel()
        resolve()
      })
    })
  }

  resultOf(pool: string, server: string): CheckResult | undefined {
    return this.#checks.resultOf(pool, server)
  }

  /** undefined where the server has no agent. */
  agentOf(pool: string, server: string): AgentResult | undefined {
    return this.#agents.resultOf(pool, server)
  }

  /** Calls `listener` after each change until the returned function is called. The table has the new state already. */
  subscribe(listener: (event: PoolEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Up to `limit` sessions of a pool with persistence by table; undefined where it has none. */
  sessionsOf(pool: string, limit: number): Session[] | undefined {
    return this.#sessions.list(pool, this.#clock.wallClock(), limit)
  }

  /** Forgets the sessions of a pool, or of one of its servers. Returns how many, undefined where it has no table. */
  clearSessions(pool: string, server?: string): number | undefined {
    return this.#sessions.clear(pool, server)
  }

  close(): void {
    this.#cancelTick()
    this.#checks.close()
    this.#agents.close()
  }

  #healthChanged(change: HealthChange): void {
    // What its agent holds down stays so, and that has been told.
    if (this.#table.isHeldDown(change.slot)) return
    if (change.health === 'up') this.#slowStarts.cameUp(change.slot, change.isFirst, change.atMs)
    else this.#slowStarts.wentDown(change.slot)
    this.#schedule()
    this.#tell({ kind: 'health', ...change })
    this.#states.look()
  }

  /** What an agent says of health counts beside the check; the operator's word is not its business. */
  #agentChanged(change: AgentChange): void {
    const { pool, server, slot, reason, atMs } = change
    if (change.what !== 'health') this.#tell({ kind: 'agent', ...change })
    else if (this.#table.ownHealth(slot) !== HEALTH.DOWN) {
      const health = change.isDown ? 'down' : 'up'
      if (change.isDown) this.#slowStarts.wentDown(slot)
      else this.#slowStarts.cameUp(slot, false, atMs)
      this.#schedule()
      this.#tell({ kind: 'health', pool, server, slot, health, isFirst: false, reason, atMs })
    }
    this.#states.look()
  }

  #ejectionChanged(change: EjectionChange): void {
    if (!change.ejected) this.#slowStarts.cameUp(change.slot, false, this.#clock.wallClock())
    this.#tell({ kind: 'ejection', ...change })
    this.#states.look()
  }

  #tell(event: PoolEvent): void {
    for (const listener of this.#listeners) listener(event)
  }

  #schedule(): void {
    const isIdle = this.#slowStarts.isIdle && this.#outliers.isIdle && this.#sessions.isIdle && this.#states.isIdle
    const dueMs = isIdle ? Number.POSITIVE_INFINITY : this.#clock.now() + (this.#slowStarts.isIdle ? TICK_MS : FAST_TICK_MS)
    // Changes that come closer together than ticks must not put them off again and again.
    if (!isIdle && this.#dueMs <= dueMs) return
    this.#cancelTick()
    this.#dueMs = dueMs
    if (!isIdle) this.#cancelTick = this.#delay(dueMs - this.#clock.now(), () => this.#tick())
  }

  #tick(): void {
    this.#dueMs = Number.POSITIVE_INFINITY
    const nowMs = this.#clock.wallClock()
    this.#outliers.tick(nowMs)
    this.#sessions.tick(nowMs)
    this.#states.tick()
    this.#slowStarts.tick(nowMs)
    this.#schedule()
  }
}
