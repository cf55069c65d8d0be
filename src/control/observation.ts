import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads'
import type { Plan } from '../config/index.ts'
import {
  type EventLog,
  Exposition,
  type LogChunk,
  type LogOutput,
  MetricsTable,
  OBSERVE_METRICS,
  openLog,
  quantileMs,
  SeriesAllocator,
} from '../observe/index.ts'
import { allocateSeries, ConnectionCounts, PROXY_METRICS, type ProxySeries } from '../proxy/index.ts'
import { CERTIFICATE_METRICS, type CertificateStatus } from './certificates.ts'
import type { HookStatus } from './hooks/hooks.ts'
import { DISCOVERY_METRICS, HOOK_METRIC, POOL_METRICS, SERVER_METRICS } from './pool-metrics.ts'
import type { PoolStatus } from './status.ts'

export interface ListenerCounts {
  readonly kind: Plan['listeners'][number]['kind']
  readonly connections: number
  /** Requests, or TCP connections, that ended. */
  readonly requests: number
  readonly latencyMs: { readonly p50: number; readonly p99: number } | null
}

/** Metrics and access log as the control thread has them: the tables that workers write into, and where it all comes out. */
export class Observation {
  readonly #log: EventLog
  readonly #table: MetricsTable
  readonly #allocator: SeriesAllocator
  readonly #ports = new Set<MessagePort>()
  #output: LogOutput | null = null
  #target = ''
  series: ProxySeries
  /** Of each listener over all workers, by the cell of its connections. */
  readonly connectionCounts: ConnectionCounts

  constructor(plan: Plan, workers: number, log: EventLog) {
    this.#log = log
    this.#table = MetricsTable.create(workers)
    this.connectionCounts = ConnectionCounts.create(this.#table.capacity)
    this.#allocator = new SeriesAllocator(this.#table)
    this.series = allocateSeries(this.#allocator, plan.listeners, plan.pools)
  }

  get metricsBuffer(): SharedArrayBuffer {
    return this.#table.buffer
  }

  /** Makes the series of a plan before workers see it. */
  prepare(plan: Plan): void {
    this.series = allocateSeries(this.#allocator, plan.listeners, plan.pools)
  }

  /** The plan is in force: its access log is opened, and the one before closed where it is another. */
  commit(plan: Plan): void {
    const target = plan.accessLog === undefined ? '' : JSON.stringify(plan.accessLog.target)
    if (target === this.#target) return
    void this.#output?.close()
    this.#target = target
    this.#output = plan.accessLog === undefined ? null : openLog(plan.accessLog.target, (message) => this.#log.error(message))
  }

  /** Takes a worker's lines; its buffers go back to it once they are written. */
  attach(port: MessagePort): void {
    port.on('message', (chunk: LogChunk) => this.#write(port, chunk))
    port.once('close', () => this.#ports.delete(port))
    this.#ports.add(port)
  }

  /** Takes what workers have sent so far: it comes another way than their answers, which may overtake it. */
  collect(): void {
    for (const port of this.#ports) {
      for (let next = receiveMessageOnPort(port); next !== undefined; next = receiveMessageOnPort(port)) this.#write(port, next.message)
    }
  }

  #write(port: MessagePort, { bytes, length }: LogChunk): void {
    const back = (): void => port.postMessage(bytes, [bytes])
    if (this.#output === null) back()
    else this.#output.write(new Uint8Array(bytes, 0, length), back)
  }

  /** A worker is gone, and with it its connections. */
  forgetWorker(worker: number): void {
    const row = this.#table.row(worker)
    for (const { definition, cell } of this.#allocator.all) {
      if (definition.name === PROXY_METRICS.connections.name) this.connectionCounts.leave(cell, row[cell])
      if (definition.type === 'gauge') this.#table.clear(worker, cell)
    }
  }

  reopen(): void {
    this.#output?.reopen()
  }

  /** What status tells of each listener; the latencies are of all requests (or TCP connections) since the start, null before the first. */
  listenerCounts(plan: Plan): ListenerCounts[] {
    return plan.listeners.map(({ kind, name }) => {
      const series = this.series[kind][name]
      const durations = this.#table.histogram(series.duration)
      const ended = 'requests' in series ? series.requests : series.ends
      return {
        kind,
        latencyMs: durations.count === 0 ? null : { p50: quantileMs(durations, 0.5), p99: quantileMs(durations, 0.99) },
        connections: this.#table.sum(series.connections),
        requests: ended.reduce((sum, cell) => sum + this.#table.sum(cell), 0),
      }
    })
  }

  exposition(pools: readonly PoolStatus[], hooks: readonly HookStatus[], certificates: readonly CertificateStatus[]): string {
    const page = new Exposition()
    const all = this.#allocator.all
    for (const definition of Object.values(PROXY_METRICS)) page.series(definition, all, this.#table)
    for (const definition of POOL_METRICS) {
      page.family(
        definition,
        pools.filter(definition.applies).map((pool) => ({ values: [pool.name], value: definition.read(pool) })),
      )
    }
    for (const definition of SERVER_METRICS) {
      page.family(
        definition,
        pools.flatMap(({ name, servers }) =>
          servers
            .filter((server) => definition.applies?.(server) ?? true)
            .map((server) => ({ values: [name, server.name], value: definition.read(server) })),
        ),
      )
    }
    for (const definition of DISCOVERY_METRICS) {
      page.family(
        definition,
        pools.flatMap((pool) => pool.discovery.map((source) => ({ values: [pool.name, source.source], value: definition.read(source) }))),
      )
    }
    page.family(HOOK_METRIC, hooks.flatMap(HOOK_METRIC.read))
    for (const definition of CERTIFICATE_METRICS) {
      page.family(
        definition,
        certificates.map((each) => ({ values: [each.listener, each.file], value: definition.read(each) })),
      )
    }
    page.family(OBSERVE_METRICS.overflowed, [{ values: [], value: this.#allocator.overflowed }])
    return page.text()
  }

  async close(): Promise<void> {
    await this.#output?.close()
  }
}
