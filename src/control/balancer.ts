import { availableParallelism } from 'node:os'
import { type Diagnostic, formatBriefly, type Plan } from '../config/index.ts'
import { formatAddress, type SocketAddress } from '../core/index.ts'
import { createEventLog, type EventLog } from '../observe/index.ts'
import { forgetWorker, PoolTable } from '../pool/index.ts'
import type { ChallengeAnswers, TlsFiles } from '../proxy/index.ts'
import { acmeMetrics } from './acme/metrics.ts'
import { AcmeOrders } from './acme/orders.ts'
import { type AdminTarget, adminApi, type ReloadResult } from './admin/api.ts'
import { AdminServer } from './admin/server.ts'
import { type CertificateAnswer, certificateApi, describeCertificates } from './certificate-api.ts'
import { Certificates } from './certificates.ts'
import type { Generation } from './generations.ts'
import { Observation } from './observation.ts'
import { ocspMetrics } from './ocsp/metrics.ts'
import { Staples } from './ocsp/staples.ts'
import { packetApi } from './packet-api.ts'
import { packetMetrics } from './packet-metrics.ts'
import { Packets, packetsNotApplied } from './packets.ts'
import { Pools } from './pools.ts'
import { demandFree } from './ports.ts'
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

/** A running Evener: the control thread's side of it. */
export class Balancer implements AdminTarget {
  /** Resolves with the process's exit code once everything is closed. */
  readonly ended: Promise<number>
  readonly pools: Pools
  readonly #options: BalancerOptions
  readonly #log: EventLog
  readonly #workers: WorkerGroup
  readonly #observation: Observation
  readonly #packets: Packets
  readonly #startedAtMs = Date.now()
  readonly #end = Promise.withResolvers<number>()
  readonly #staples: Staples
  readonly #certificates = new Certificates(
    () => void this.#certificatesChanged(),
    (path, chain) => this.#staples.find(path, chain),
  )
  readonly #acme: AcmeOrders
  #admin: AdminServer | null = null
  /** Counts the configurations that came into force. */
  #generation = 0
  #loadedAtMs = 0
  #isShuttingDown = false

  private constructor(options: BalancerOptions, plan: Plan, workers: number) {
    this.#options = options
    this.#log = options.log ?? createEventLog(process.stderr)
    this.#observation = new Observation(plan, workers, this.#log)
    const table = PoolTable.create({ workers })
    this.#packets = new Packets(table, this.#log)
    this.#workers = new WorkerGroup({
      engine: plan.engine,
      engineOptions: { ticketKeys: this.#certificates.ticketKeys.buffer },
      poolTable: table.buffer,
      metrics: this.#observation.metricsBuffer,
      connectionCounts: this.#observation.connectionCounts.buffer,
      workers,
    })
    this.pools = new Pools(
      { table, observation: this.#observation, packets: this.#packets, workers: this.#workers, certificates: this.#certificates },
      this.#log,
    )
    this.#staples = new Staples(() => void this.#certificatesChanged(), this.#log)
    this.#acme = new AcmeOrders(
      {
        publish: (answers) => this.pools.turns.take(() => this.#publish(answers)),
        renewed: () => this.#certificatesChanged(),
      },
      this.#log,
    )
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
    return this.hasPlan && !this.#isShuttingDown
  }

  get hasPlan(): boolean {
    return this.pools.current !== null
  }

  /** Loads the configuration again. An invalid one, or one whose addresses cannot be bound, changes nothing. */
  reload(): Promise<ReloadResult> {
    return this.pools.turns.take(() => this.#reload())
  }

  reopenLogs(): void {
    this.#observation.reopen()
  }

  /** Stops accepting, lets what is running finish within the grace period, and ends. */
  async shutdown(reason: string): Promise<void> {
    if (this.#isShuttingDown) return
    this.#isShuttingDown = true
    const acme = this.#acme.close()
    this.pools.freeze()
    await this.pools.turns.settled
    const graceMs = this.pools.current?.plan.drainTimeoutMs ?? 0
    this.#log.info(`${reason}: draining, at most ${graceMs / 1000} s; a second signal ends at once`)
    const [isDrained] = await Promise.all([this.#workers.drain(graceMs), this.#packets.drain(graceMs)])
    await acme
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
      pools: this.pools.list(),
      hooks: this.pools.hooks(),
      certificates: this.#describeCertificates(),
    }
  }

  metrics(): string {
    return (
      this.#observation.exposition(this.pools.list(), this.pools.hooks(), this.#certificates.status()) +
      acmeMetrics(this.#acme.status()) +
      ocspMetrics(this.#staples.status()) +
      packetMetrics(this.#packets.status())
    )
  }

  async #start(plan: Plan, workers: number): Promise<void> {
    for (const { bind, kind } of plan.listeners) for (const address of bind) await demandFree(address, kind === 'udp')
    if (plan.admin !== undefined) {
      this.#admin = new AdminServer(
        plan.admin,
        certificateApi(() => this.#describeCertificates(), this.#acme, packetApi(this.#packets, adminApi(this))),
      )
      await this.#admin.listen()
    }
    await this.#workers.start(workers)
    this.pools.openStateFile(plan.stateFile)
    await this.pools.turns.take(() => this.#apply(plan))
    const log = this.#log
    log.info(`${this.#workers.engineReason}, ${workers} worker${workers === 1 ? '' : 's'}`)
    const { addresses } = this.#inForce
    for (const listener of plan.listeners) log.info(`listener ${listener.name} on ${(addresses[listener.name] ?? []).join(', ')}`)
    if (this.#admin !== null) log.info(`admin on http://${this.#admin.address}`)
  }

  async #reload(): Promise<ReloadResult> {
    const log = this.#log
    if (this.#isShuttingDown) return { ok: false, message: 'Evener is shutting down.', diagnostics: [] }
    const loaded = await this.#options.load().catch((error: Error) => error)
    if (loaded instanceof Error) return this.#refuse(`the new configuration cannot be read and changed nothing: ${loaded.message}`)
    const { plan, diagnostics } = loaded
    if (plan === undefined) {
      const errors = diagnostics.filter(({ severity }) => severity === 'error')
      return this.#refuse(`the new configuration is invalid and changed nothing: ${errors.map(formatBriefly).join('; ')}`, diagnostics)
    }
    let notes: readonly string[] = []
    const known = new Set(this.#inForce.plan.listeners.flatMap(({ bind, kind }) => bind.map((address) => placeOf(kind, address))))
    try {
      for (const { bind, kind } of plan.listeners) {
        for (const address of bind) if (!known.has(placeOf(kind, address))) await demandFree(address, kind === 'udp')
      }
      notes = this.#notApplied(plan)
      await this.#apply(plan)
    } catch (error) {
      return this.#refuse(`the new configuration changed nothing: ${(error as Error).message}`)
    }
    const warnings = [...plan.warnings, ...notes]
    for (const warning of warnings) log.warn(warning)
    log.info(`reloaded: generation ${this.#generation} is in force`)
    return { ok: true, generation: this.#generation, warnings }
  }

  #refuse(message: string, diagnostics: readonly Diagnostic[] = []): ReloadResult {
    this.#log.error(message)
    return { ok: false, message, diagnostics }
  }

  async #apply(plan: Plan): Promise<void> {
    await this.pools.apply(plan)
    this.#acme.apply(plan)
    this.#staples.apply(plan, this.#inForce.files)
    this.#generation++
    this.#loadedAtMs = Date.now()
  }

  /** A file is another than before: the same plan once more, with what the files say now. */
  #certificatesChanged(): Promise<void> {
    return this.pools.turns.take(async () => {
      const { current } = this.pools
      if (this.#isShuttingDown || current === null) return
      try {
        // A certificate that was ordered here is in force when its file is seen to have changed.
        if (isSame(this.#certificates.read(current.plan), current.files)) return
        await this.pools.apply(current.configured)
        this.#staples.apply(current.configured, this.#inForce.files)
        this.#log.info('certificates were read again, because one of them, or a response about one, has changed')
      } catch (error) {
        this.#log.error(`a certificate file has changed and cannot be used, those of before stay: ${(error as Error).message}`)
      }
    })
  }

  #describeCertificates(): CertificateAnswer[] {
    return describeCertificates(this.#certificates.status(), this.#acme.status(), this.#staples.status())
  }

  async #publish(answers: ChallengeAnswers): Promise<void> {
    if (this.#isShuttingDown) return
    await this.#workers.answerChallenges(answers)
  }

  /** Before the first plan is in force nobody asks for it. */
  get #inForce(): Generation {
    return this.pools.current as Generation
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
    this.#workers.on('warning', (message) => log.warn(message))
    this.#workers.on('died', (index) => {
      forgetWorker(this.pools.table, index)
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
    this.#staples.close()
    await this.#acme.close()
    this.pools.close()
    this.#certificates.close()
    this.#packets.close()
    await this.#admin?.close()
    this.#observation.collect()
    await this.#workers.close()
    await this.#observation.close()
  }
}

function isSame(files: TlsFiles, others: TlsFiles): boolean {
  const paths = Object.keys(files)
  return paths.length === Object.keys(others).length && paths.every((path) => files[path] === others[path])
}

/** Addresses of connections and of datagrams are different ones. */
function placeOf(kind: string, address: SocketAddress): string {
  return `${kind === 'udp' ? 'udp' : 'tcp'} ${formatAddress(address)}`
}
