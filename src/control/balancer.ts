import { availableParallelism } from 'node:os'
import type { Diagnostic, Plan } from '../config/index.ts'
import { formatAddress, systemClock } from '../core/index.ts'
import { createEventLog, type EventLog } from '../observe/index.ts'
import { ADMIN, PoolTable, SlotAllocator, type SlotAssignment, Upkeep, type UpkeptPool } from '../pool/index.ts'
import { definitionOf } from '../proxy/index.ts'
import { type AdminTarget, adminApi, type ReloadResult, type ServerChange, type ServerChangeResult } from './admin/api.ts'
import { AdminServer } from './admin/server.ts'
import { checkConnect } from './check-connect.ts'
import { Observation } from './observation.ts'
import { logPoolEvent } from './pool-events.ts'
import { demandFree } from './ports.ts'
import { describePools, type PoolStatus } from './status.ts'
import { WorkerGroup } from './worker-group.ts'

/** What loading the configuration gave: a Plan, or the errors that prevent one. */
export interface LoadedConfiguration {
  readonly plan: Plan | undefined
  readonly diagnostics: readonly Diagnostic[]
}

export interface BalancerOptions {
  /** The configuration file, for messages; null where the command line is the configuration. */
  readonly file: string | null
  readonly version: string
  load(): Promise<LoadedConfiguration>
  /** Lines on standard error without this. */
  readonly log?: EventLog
}

/** The configuration has errors; nothing was started or changed. */
export class ConfigurationError extends Error {
  override name = 'ConfigurationError'
  readonly diagnostics: readonly Diagnostic[]

  constructor(diagnostics: readonly Diagnostic[]) {
    super('the configuration has errors')
    this.diagnostics = diagnostics
  }
}

interface Generation {
  readonly plan: Plan
  readonly slots: SlotAssignment
  readonly addresses: Readonly<Record<string, readonly string[]>>
  readonly loadedAtMs: number
}

/** A running Evener: the control thread's side of it. */
export class Balancer implements AdminTarget {
  /** Resolves with the process's exit code once everything is closed. */
  readonly ended: Promise<number>
  readonly #options: BalancerOptions
  readonly #log: EventLog
  readonly #table: PoolTable
  readonly #allocator: SlotAllocator
  readonly #workers: WorkerGroup
  readonly #upkeep: Upkeep
  readonly #observation: Observation
  readonly #startedAtMs = Date.now()
  readonly #end = Promise.withResolvers<number>()
  #admin: AdminServer | null = null
  #current: Generation | null = null
  #generation = 0
  #reloading: Promise<unknown> = Promise.resolve()
  #isShuttingDown = false

  private constructor(options: BalancerOptions, plan: Plan, workers: number) {
    this.#options = options
    this.#log = options.log ?? createEventLog(process.stderr)
    this.#table = PoolTable.create({ workers })
    this.#allocator = new SlotAllocator(this.#table)
    this.#observation = new Observation(plan, workers, this.#log)
    this.#upkeep = new Upkeep(this.#table, { connect: checkConnect })
    this.#upkeep.subscribe((event) => logPoolEvent(this.#log, event))
    this.#workers = new WorkerGroup({
      engine: plan.engine,
      engineOptions: {},
      poolTable: this.#table.buffer,
      metrics: this.#observation.metricsBuffer,
      workers,
    })
    this.ended = this.#end.promise
    this.#watchWorkers()
  }

  /** Loads, binds, starts. Rejects with ConfigurationError or EvenerError, and then nothing is left running. */
  static async start(options: BalancerOptions): Promise<Balancer> {
    const { plan, diagnostics } = await options.load()
    if (plan === undefined) throw new ConfigurationError(diagnostics)
    const workers = plan.workers === 'auto' ? availableParallelism() : plan.workers
    const balancer = new Balancer(options, plan, workers)
    try {
      await balancer.#start(plan, workers)
    } catch (error) {
      await balancer.#close()
      throw error
    }
    return balancer
  }

  get isReady(): boolean {
    return this.#current !== null && !this.#isShuttingDown
  }

  /** Loads the configuration again. An invalid one, or one whose addresses cannot be bound, changes nothing. */
  reload(): Promise<ReloadResult> {
    const result = this.#reloading.then(() => this.#reload())
    this.#reloading = result
    return result
  }

  reopenLogs(): void {
    this.#observation.reopen()
  }

  /** Stops accepting, lets what is running finish within the grace period, and ends. */
  async shutdown(reason: string): Promise<void> {
    if (this.#isShuttingDown) return
    this.#isShuttingDown = true
    await this.#reloading
    const graceMs = this.#current?.plan.drainTimeoutMs ?? 0
    this.#log.info(`${reason}: draining, at most ${graceMs / 1000} s; a second signal ends at once`)
    const isDrained = await this.#workers.drain(graceMs)
    if (!isDrained) this.#log.warn('the grace period is over: closing the connections that are left')
    await this.#close()
    this.#log.info('ended')
    this.#end.resolve(0)
  }

  status(): unknown {
    const current = this.#current as Generation
    const counts = this.#observation.listenerCounts(current.plan)
    return {
      version: this.#options.version,
      engine: { kind: this.#workers.engine, reason: this.#workers.engineReason },
      workers: this.#workers.size,
      uptimeMs: Date.now() - this.#startedAtMs,
      config: {
        file: this.#options.file,
        generation: this.#generation,
        loadedAt: new Date(current.loadedAtMs).toISOString(),
        warnings: current.plan.warnings,
      },
      listeners: current.plan.listeners.map((listener, index) => ({
        name: listener.name,
        addresses: current.addresses[listener.name] ?? [],
        ...counts[index],
      })),
      pools: this.pools(),
    }
  }

  pools(): PoolStatus[] {
    const current = this.#current as Generation
    return describePools(current.plan, current.slots, this.#table, (pool, server) => this.#upkeep.resultOf(pool, server))
  }

  metrics(): string {
    return this.#observation.exposition(this.#current === null ? [] : this.pools())
  }

  changeServer(pool: string, server: string, change: ServerChange): ServerChangeResult {
    const current = this.#current as Generation
    const poolIndex = current.plan.pools.findIndex((candidate) => candidate.name === pool)
    const serverIndex = current.plan.pools[poolIndex].servers.findIndex((candidate) => candidate.name === server)
    const slot = current.slots.pools[poolIndex].slots[serverIndex]
    if (change.weight !== undefined) this.#table.setWeight(slot, change.weight)
    if (change.admin !== undefined) {
      const state = change.admin === 'ready' ? ADMIN.READY : change.admin === 'drain' ? ADMIN.DRAIN : ADMIN.MAINTENANCE
      this.#table.setAdmin(slot, state, Date.now())
    }
    this.#log.info(`server ${pool}/${server}: ${JSON.stringify(change)} by the admin API`)
    return { ok: true, pool: this.pools()[poolIndex] }
  }

  async #start(plan: Plan, workers: number): Promise<void> {
    for (const listener of plan.listeners) for (const address of listener.bind) await demandFree(address)
    if (plan.admin !== undefined) {
      this.#admin = new AdminServer(plan.admin, adminApi(this))
      await this.#admin.listen()
    }
    await this.#workers.start(workers)
    await this.#apply(plan)
    const log = this.#log
    log.info(`${this.#workers.engineReason}, ${workers} worker${workers === 1 ? '' : 's'}`)
    const { addresses } = this.#current as unknown as Generation
    for (const listener of plan.listeners) log.info(`listener ${listener.name} on ${(addresses[listener.name] ?? []).join(', ')}`)
    if (this.#admin !== null) log.info(`admin on http://${this.#admin.address}`)
  }

  async #reload(): Promise<ReloadResult> {
    const log = this.#log
    if (this.#isShuttingDown || this.#current === null) return { ok: false, message: 'Evener is shutting down.', diagnostics: [] }
    const { plan, diagnostics } = await this.#options.load().catch((error: Error) => ({ plan: undefined, diagnostics: [], error }))
    if (plan === undefined) {
      const message = `the new configuration is invalid and changed nothing: ${diagnostics.map((diagnostic) => diagnostic.message).join('; ')}`
      log.error(message)
      return { ok: false, message, diagnostics }
    }
    const known = new Set(this.#current.plan.listeners.flatMap((listener) => listener.bind.map(formatAddress)))
    try {
      for (const listener of plan.listeners) {
        for (const address of listener.bind) if (!known.has(formatAddress(address))) await demandFree(address)
      }
      await this.#apply(plan)
    } catch (error) {
      const message = `the new configuration changed nothing: ${(error as Error).message}`
      log.error(message)
      return { ok: false, message, diagnostics: [] }
    }
    const warnings = [...plan.warnings, ...this.#notApplied(plan)]
    for (const warning of warnings) log.warn(warning)
    log.info(`reloaded: generation ${this.#generation} is in force`)
    return { ok: true, generation: this.#generation, warnings }
  }

  async #apply(plan: Plan): Promise<void> {
    const definitions = plan.pools.map(definitionOf)
    const generation = this.#generation + 1
    const slots = this.#allocator.prepare(definitions, generation, systemClock.wallClock())
    const before = this.#current
    let addresses: Readonly<Record<string, readonly string[]>>
    try {
      // The first picks are to meet servers of known health; a first result comes within the check's time-out.
      this.#upkeep.apply(upkept(plan), slots)
      await this.#upkeep.settled()
      this.#observation.prepare(plan)
      addresses = await this.#workers.apply({ plan, slots, series: this.#observation.series }, () => {
        this.#allocator.commit(definitions, slots, systemClock.wallClock())
      })
    } catch (error) {
      this.#allocator.rollback()
      if (before === null) this.#upkeep.close()
      else this.#upkeep.apply(upkept(before.plan), before.slots)
      throw error
    }
    this.#observation.commit(plan)
    this.#generation = generation
    this.#current = { plan, slots, addresses, loadedAtMs: Date.now() }
  }

  /** What a reload cannot change, in words. */
  #notApplied(plan: Plan): string[] {
    const old = (this.#current as Generation).plan
    const notes: string[] = []
    if (plan.workers !== 'auto' && plan.workers !== this.#workers.size) notes.push('workers: a change takes effect with the next start')
    if (plan.engine !== old.engine) notes.push('engine: a change takes effect with the next start')
    if (JSON.stringify(plan.admin) !== JSON.stringify(old.admin)) notes.push('admin: a change takes effect with the next start')
    return notes
  }

  #watchWorkers(): void {
    const log = this.#log
    this.#workers.on('error', (index, message) => log.error(`worker ${index}: ${message}`))
    this.#workers.on('died', (index) => {
      this.#table.forgetWorker(index)
      this.#observation.forgetWorker(index)
    })
    this.#workers.on('restarted', (_index, reason) => log.error(`${reason}; it was started again`))
    this.#workers.on('accessLog', (port) => this.#observation.attach(port))
    this.#workers.on('lost', (_index, reason) => {
      log.error(`${reason}; it cannot be kept alive, so Evener ends`)
      void this.#close().then(() => this.#end.resolve(1))
    })
  }

  async #close(): Promise<void> {
    this.#isShuttingDown = true
    this.#upkeep.close()
    await this.#admin?.close()
    await this.#workers.close()
    await this.#observation.close()
  }
}

function upkept(plan: Plan): UpkeptPool[] {
  return plan.pools.map((pool) => ({ definition: definitionOf(pool), check: pool.check }))
}
