import type { MessagePort } from 'node:worker_threads'
import type { Plan } from '../config/index.ts'
import {
  type EventLog,
  Exposition,
  type LogChunk,
  type LogOutput,
  type MetricDefinition,
  MetricsTable,
  OBSERVE_METRICS,
  openLog,
  quantileMs,
  SeriesAllocator,
} from '../observe/index.ts'
import { allocateSeries, PROXY_METRICS, type ProxySeries } from '../proxy/index.ts'
import type { PoolStatus, ServerStatus } from './status.ts'

const SERVER_LABELS = ['pool', 'server'] as const

/** What is known of servers, read from the pool table at each scrape. */
export const SERVER_METRICS: readonly (MetricDefinition & { read(server: ServerStatus): number })[] = [
  {
    name: 'evener_server_up',
    type: 'gauge',
    help: '1 while the server is up or starting, 0 while it is down.',
    labels: SERVER_LABELS,
    read: (server) => (server.health === 'down' ? 0 : 1),
  },
  {
    name: 'evener_server_ready',
    type: 'gauge',
    help: '1 while the administrative state is ready, 0 in drain or maintenance.',
    labels: SERVER_LABELS,
    read: (server) => (server.admin === 'ready' ? 1 : 0),
  },
  { name: 'evener_server_weight', type: 'gauge', help: 'Weight in force.', labels: SERVER_LABELS, read: (server) => server.weight },
  {
    name: 'evener_server_active_requests',
    type: 'gauge',
    help: 'Requests that the server is working on.',
    labels: SERVER_LABELS,
    read: (server) => server.active,
  },
  {
    name: 'evener_server_connections',
    type: 'gauge',
    help: 'Open connections to the server, idle ones included.',
    labels: SERVER_LABELS,
    read: (server) => server.connections,
  },
  {
    name: 'evener_server_requests_total',
    type: 'counter',
    help: 'Attempts that ended.',
    labels: SERVER_LABELS,
    read: (server) => server.requests,
  },
  {
    name: 'evener_server_failures_total',
    type: 'counter',
    help: 'Attempts that failed, or that the server answered with 5xx.',
    labels: SERVER_LABELS,
    read: (server) => server.failures,
  },
  {
    name: 'evener_server_latency_seconds',
    type: 'gauge',
    help: 'Moving average of the time to the first byte of a response.',
    labels: SERVER_LABELS,
    read: (server) => server.latencyMs / 1000,
  },
]

export interface ListenerCounts {
  readonly connections: number
  readonly requests: number
  readonly latencyMs: { readonly p50: number; readonly p99: number } | null
}

/** Metrics and access log as the control thread has them: the tables that workers write into, and where it all comes out. */
export class Observation {
  readonly #log: EventLog
  readonly #table: MetricsTable
  readonly #allocator: SeriesAllocator
  #output: LogOutput | null = null
  #target = ''
  series: ProxySeries

  constructor(plan: Plan, workers: number, log: EventLog) {
    this.#log = log
    this.#table = MetricsTable.create(workers)
    this.#allocator = new SeriesAllocator(this.#table)
    this.series = allocateSeries(this.#allocator, plan.listeners)
  }

  get metricsBuffer(): SharedArrayBuffer {
    return this.#table.buffer
  }

  /** Makes the series of a plan before workers see it. */
  prepare(plan: Plan): void {
    this.series = allocateSeries(this.#allocator, plan.listeners)
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
    port.on('message', ({ bytes, length }: LogChunk) => {
      const back = (): void => port.postMessage(bytes, [bytes])
      if (this.#output === null) back()
      else this.#output.write(new Uint8Array(bytes, 0, length), back)
    })
  }

  /** A worker is gone, and with it its connections. */
  forgetWorker(worker: number): void {
    for (const { definition, cell } of this.#allocator.all) if (definition.type === 'gauge') this.#table.clear(worker, cell)
  }

  reopen(): void {
    this.#output?.reopen()
  }

  /** What status tells of each listener; the latencies are of all requests since the start, null before the first. */
  listenerCounts(plan: Plan): ListenerCounts[] {
    return plan.listeners.map((_, index) => {
      const series = this.series.listeners[index]
      const durations = this.#table.histogram(series.duration)
      return {
        latencyMs: durations.count === 0 ? null : { p50: quantileMs(durations, 0.5), p99: quantileMs(durations, 0.99) },
        connections: this.#table.sum(series.connections),
        requests: series.requests.reduce((sum, cell) => sum + this.#table.sum(cell), 0),
      }
    })
  }

  exposition(pools: readonly PoolStatus[]): string {
    const page = new Exposition()
    const all = this.#allocator.all
    for (const definition of Object.values(PROXY_METRICS)) page.series(definition, all, this.#table)
    for (const definition of SERVER_METRICS) {
      page.family(
        definition,
        pools.flatMap((pool) => pool.servers.map((server) => ({ values: [pool.name, server.name], value: definition.read(server) }))),
      )
    }
    page.family(OBSERVE_METRICS.overflowed, [{ values: [], value: this.#allocator.overflowed }])
    return page.text()
  }

  async close(): Promise<void> {
    await this.#output?.close()
  }
}
