import { availableParallelism } from 'node:os'
import type { Diagnostic, Plan } from '../config/index.ts'
import { formatAddress } from '../core/index.ts'
import { createEventLog, type EventLog } from '../observe/index.ts'
import { ADMIN_NAMES, type Admin, Discovery, type DiscoveryEvent, PoolTable, type ServerPlan, type Session, Upkeep } from '../pool/index.ts'
import { type AdminTarget, adminApi, type PoolChangeResult, type ReloadResult } from './admin/api.ts'
import { AdminServer } from './admin/server.ts'
import { checkConnect } from './check-connect.ts'
import { discoveryAccess } from './discovery/access.ts'
import { type Generation, Generations } from './generations.ts'
import { Membership } from './membership.ts'
import { Observation } from './observation.ts'
import { packetApi } from './packet-api.ts'
import { packetMetrics } from './packet-metrics.ts'
import { Packets, packetsNotApplied } from './packets.ts'
import { logPoolEvent } from './pool-events.ts'
import { demandFree } from './ports.ts'
import type { KnownPool, RuntimeChanges, ServerChange } from './runtime-changes.ts'
import { describePools, type PoolStatus } from './status.ts'
import { WorkerGroup } from './worker-group.ts'

/** A start or a reload waits so long for the first answers; with what comes later the pools fill up then. */
const DISCOVERY_LIMIT_MS = 5000

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

/** A running Evener: the control thread's side of it. */
export class Balancer implements AdminTarget {
  /** Resolves with the process's exit code once everything is closed. */
  readonly ended: Promise<number>
  readonly #options: BalancerOptions
  readonly #log: EventLog
  readonly #table: PoolTable
  readonly #workers: WorkerGroup
  readonly #upkeep: Upkeep
  readonly #generations: Generations
  readonly #membership: Membership
  readonly #discovery: Discovery
  readonly #observation: Observation
  readonly #packets: Packets
  readonly #startedAtMs = Date.now()
  readonly #end = Promise.withResolvers<number>()
  #admin: AdminServer | null = null
  /** Counts the configurations that came into force. */
  #generation = 0
  #loadedAtMs = 0
  #changing: Promise<unknown> = Promise.resolve()
  #isShuttingDown = false
  /** A change by discovery waits for its turn. */
  #isDiscovering = false

  private constructor(options: BalancerOptions, plan: Plan, workers: number) {
    this.#options = options
    this.#log = options.log ?? createEventLog(process.stderr)
    this.#table = PoolTable.create({ workers })
    this.#discovery = new Discovery({ access: discoveryAccess() })
    this.#discovery.subscribe((event) => this.#discovered(event))
    this.#membership = new Membership(this.#discovery, this.#log)
    this.#observation = new Observation(plan, workers, this.#log)
    this.#upkeep = new Upkeep(this.#table, { connect: checkConnect })
    this.#packets = new Packets(this.#table, this.#log)
    this.#upkeep.subscribe((event) => {
      logPoolEvent(this.#log, event)
      this.#packets.sync()
    })
    this.#workers = new WorkerGroup({
      engine: plan.engine,
      engineOptions: {},
      poolTable: this.#table.buffer,
      metrics: this.#observation.metricsBuffer,
      workers,
    })
    this.#generations = new Generations({
      table: this.#table,
      upkeep: this.#upkeep,
      observation: this.#observation,
      packets: this.#packets,
      workers: this.#workers,
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
    return this.#generations.current !== null && !this.#isShuttingDown
  }

  /** Loads the configuration again. An invalid one, or one whose addresses cannot be bound, changes nothing. */
  reload(): Promise<ReloadResult> {
    return this.#inTurn(() => this.#reload())
  }

  /** Changes of what is in force come one after the other. */
  #inTurn<T>(change: () => Promise<T>): Promise<T> {
    const result = this.#changing.then(change)
    this.#changing = result.catch(() => {})
    return result
  }

  reopenLogs(): void {
    this.#observation.reopen()
  }

  /** Stops accepting, lets what is running finish within the grace period, and ends. */
  async shutdown(reason: string): Promise<void> {
    if (this.#isShuttingDown) return
    this.#isShuttingDown = true
    await this.#changing
    const graceMs = this.#generations.current?.plan.drainTimeoutMs ?? 0
    this.#log.info(`${reason}: draining, at most ${graceMs / 1000} s; a second signal ends at once`)
    const [isDrained] = await Promise.all([this.#workers.drain(graceMs), this.#packets.drain(graceMs)])
    if (!isDrained) this.#log.warn('the grace period is over: closing the connections that are left')
    await this.#close()
    this.#log.info('ended')
    this.#end.resolve(0)
  }

  status(): unknown {
    const current = this.#inForce
    const counts = this.#observation.listenerCounts(current.plan)
    return {
      version: this.#options.version,
      engine: { kind: this.#workers.engine, reason: this.#workers.engineReason },
      workers: this.#workers.size,
      uptimeMs: Date.now() - this.#startedAtMs,
      config: {
        file: this.#options.file,
        generation: this.#generation,
        loadedAt: new Date(this.#loadedAtMs).toISOString(),
        warnings: current.plan.warnings,
      },
      listeners: [
        ...current.plan.listeners.map((listener, index) => ({
          name: listener.name,
          addresses: current.addresses[listener.name] ?? [],
          ...counts[index],
        })),
        ...this.#packets.listeners(),
      ],
      pools: this.pools(),
    }
  }

  pools(): PoolStatus[] {
    const current = this.#inForce
    return describePools(current, { table: this.#table, upkeep: this.#upkeep, membership: this.#membership, discovery: this.#discovery })
  }

  metrics(): string {
    return this.#observation.exposition(this.#generations.current === null ? [] : this.pools()) + packetMetrics(this.#packets.status())
  }

  /** In every worker at once: the table says what is so, and the plans that follow say the same. */
  changeServer(pool: string, server: string, change: ServerChange): void {
    const { configured, plan, slots } = this.#inForce
    const poolIndex = plan.pools.findIndex((candidate) => candidate.name === pool)
    const slot = slots.pools[poolIndex].slots[plan.pools[poolIndex].servers.findIndex((candidate) => candidate.name === server)]
    if (change.weight !== undefined) this.#table.setWeight(slot, change.weight)
    if (change.admin !== undefined) this.#table.setAdmin(slot, ADMIN_NAMES.indexOf(change.admin) as Admin, Date.now())
    this.#membership.keep(this.#membership.changes.change(this.#membership.knownPool(configured.pools[poolIndex]), server, change))
    this.#packets.sync()
    this.#log.info(`server ${pool}/${server}: ${JSON.stringify(change)} by the admin API`)
  }

  addServer(pool: string, server: ServerPlan): Promise<PoolChangeResult> {
    return this.#changePool(
      pool,
      `server ${pool}/${server.name} (${formatAddress(server.address)}) added by the admin API`,
      (changes, known) => changes.add(known, server),
    )
  }

  removeServer(pool: string, server: string): Promise<PoolChangeResult> {
    return this.#changePool(pool, `server ${pool}/${server} removed by the admin API`, (changes, known) => changes.remove(known, server))
  }

  sessionsOf(pool: string, limit: number): readonly Session[] | undefined {
    return this.#upkeep.sessionsOf(pool, limit)
  }

  clearSessions(pool: string, server?: string): number | undefined {
    const cleared = this.#upkeep.clearSessions(pool, server)
    if (cleared !== undefined)
      this.#log.info(
        `${cleared} sessions of ${server === undefined ? `pool ${pool}` : `server ${pool}/${server}`} cleared by the admin API`,
      )
    return cleared
  }

  /** In every worker at once: another plan, in the way that a reload takes. */
  #changePool(
    pool: string,
    sentence: string,
    edit: (changes: RuntimeChanges, known: KnownPool) => RuntimeChanges,
  ): Promise<PoolChangeResult> {
    return this.#inTurn(async () => {
      const { configured } = this.#inForce
      const found = configured.pools.find(({ name }) => name === pool)
      if (found === undefined || this.#isShuttingDown) return { ok: false, message: `There is no pool "${pool}" any more.` }
      // Edited again afterwards: what has been changed in the meantime is to be kept too.
      const next = (): RuntimeChanges => edit(this.#membership.changes, this.#membership.knownPool(found))
      try {
        await this.#generations.apply(configured, this.#membership.effective(configured, next()))
      } catch (error) {
        return { ok: false, message: (error as Error).message }
      }
      this.#membership.keep(next())
      this.#log.info(sentence)
      return { ok: true }
    })
  }

  async #start(plan: Plan, workers: number): Promise<void> {
    for (const listener of plan.listeners) for (const address of listener.bind) await demandFree(address)
    if (plan.admin !== undefined) {
      this.#admin = new AdminServer(plan.admin, packetApi(this.#packets, adminApi(this)))
      await this.#admin.listen()
    }
    await this.#workers.start(workers)
    this.#membership.open(plan.stateFile)
    await this.#inTurn(() => this.#apply(plan))
    const log = this.#log
    log.info(`${this.#workers.engineReason}, ${workers} worker${workers === 1 ? '' : 's'}`)
    const { addresses } = this.#inForce
    for (const listener of plan.listeners) log.info(`listener ${listener.name} on ${(addresses[listener.name] ?? []).join(', ')}`)
    if (this.#admin !== null) log.info(`admin on http://${this.#admin.address}`)
  }

  async #reload(): Promise<ReloadResult> {
    const log = this.#log
    if (this.#isShuttingDown) return { ok: false, message: 'Evener is shutting down.', diagnostics: [] }
    const { plan, diagnostics } = await this.#options.load().catch((error: Error) => ({ plan: undefined, diagnostics: [], error }))
    if (plan === undefined) {
      const message = `the new configuration is invalid and changed nothing: ${diagnostics.map((diagnostic) => diagnostic.message).join('; ')}`
      log.error(message)
      return { ok: false, message, diagnostics }
    }
    let notes: readonly string[] = []
    const known = new Set(this.#inForce.plan.listeners.flatMap((listener) => listener.bind.map(formatAddress)))
    try {
      for (const listener of plan.listeners) {
        for (const address of listener.bind) if (!known.has(formatAddress(address))) await demandFree(address)
      }
      notes = this.#notApplied(plan)
      await this.#apply(plan)
    } catch (error) {
      const message = `the new configuration changed nothing: ${(error as Error).message}`
      log.error(message)
      return { ok: false, message, diagnostics: [] }
    }
    const warnings = [...plan.warnings, ...notes]
    for (const warning of warnings) log.warn(warning)
    log.info(`reloaded: generation ${this.#generation} is in force`)
    return { ok: true, generation: this.#generation, warnings }
  }

  async #apply(plan: Plan): Promise<void> {
    this.#discovery.apply(plan.pools)
    try {
      await this.#discovery.settled(DISCOVERY_LIMIT_MS)
      await this.#generations.apply(plan, this.#membership.effective(plan, this.#membership.settled(plan)))
    } catch (error) {
      this.#discovery.apply(this.#generations.current?.configured.pools ?? [])
      throw error
    }
    this.#membership.keep(this.#membership.settled(plan))
    this.#generation++
    this.#loadedAtMs = Date.now()
  }

  /** What was found comes into force together with whatever is found until its turn comes. */
  #discovered({ kind, pool, source, reason }: DiscoveryEvent): void {
    const sentence = `pool ${pool}: ${source}: ${reason}`
    if (kind === 'failed' || kind === 'cut') this.#log.warn(sentence)
    else this.#log.info(sentence)
    if (kind !== 'changed' || this.#isDiscovering) return
    this.#isDiscovering = true
    void this.#inTurn(async () => {
      this.#isDiscovering = false
      if (this.#isShuttingDown || this.#generations.current === null) return
      const { configured, plan } = this.#inForce
      const next = this.#membership.effective(configured)
      // The first answers are in the plan already that waited for them.
      if (JSON.stringify(next.pools) === JSON.stringify(plan.pools)) return
      await this.#generations.apply(configured, next).catch((error: Error) => {
        this.#log.error(`what was discovered is not in force: ${error.message}`)
      })
    })
  }

  /** Before the first plan is in force nobody asks for it. */
  get #inForce(): Generation {
    return this.#generations.current as Generation
  }

  /** What a reload cannot change, in words. */
  #notApplied(plan: Plan): string[] {
    const old = this.#inForce.configured
    const notes = packetsNotApplied(old, plan)
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
    this.#discovery.close()
    this.#upkeep.close()
    this.#packets.close()
    await this.#admin?.close()
    await this.#workers.close()
    await this.#observation.close()
  }
}
