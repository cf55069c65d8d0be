import { type MetricDefinition, observeDuration, type SeriesAllocator } from '../observe/index.ts'
import type { ProxyCounters } from './counters.ts'
import type { Exchange } from './exchange.ts'
import type { ListenerSite } from './site.ts'
import { TERMINATIONS } from './termination.ts'

const STATUS_CLASSES = ['none', '1xx', '2xx', '3xx', '4xx', '5xx'] as const

/** What this room counts, in the order in which it is shown. */
export const PROXY_METRICS = {
  connections: { name: 'evener_connections', type: 'gauge', help: 'Open client connections.', labels: ['listener'] },
  accepted: { name: 'evener_connections_accepted_total', type: 'counter', help: 'Client connections accepted.', labels: ['listener'] },
  requests: {
    name: 'evener_http_requests_total',
    type: 'counter',
    help: 'Exchanges that ended, by the class of the status sent to the client ("none" where none was).',
    labels: ['listener', 'status'],
  },
  terminations: {
    name: 'evener_http_terminations_total',
    type: 'counter',
    help: 'Exchanges that ended otherwise than with a response delivered in full, by reason.',
    labels: ['listener', 'termination'],
  },
  duration: {
    name: 'evener_http_request_duration_seconds',
    type: 'histogram',
    help: 'From the end of the request head to the end of the response.',
    labels: ['listener'],
  },
  bytesIn: { name: 'evener_http_request_body_bytes_total', type: 'counter', help: 'Bytes of request bodies.', labels: ['listener'] },
  bytesOut: { name: 'evener_http_response_body_bytes_total', type: 'counter', help: 'Bytes of response bodies.', labels: ['listener'] },
  attempts: {
    name: 'evener_http_attempts_total',
    type: 'counter',
    help: 'Requests sent to servers, retries included.',
    labels: ['listener'],
  },
  retries: { name: 'evener_http_retries_total', type: 'counter', help: 'Attempts after the first.', labels: ['listener'] },
  logDropped: {
    name: 'evener_access_log_dropped_total',
    type: 'counter',
    help: 'Access log lines dropped because writing lagged.',
    labels: [],
  },
} as const satisfies Record<string, MetricDefinition>

/** Where a listener's series are in the metrics table. Plain data for the workers. */
export interface ListenerSeries {
  readonly connections: number
  readonly accepted: number
  /** By STATUS_CLASSES. */
  readonly requests: readonly number[]
  /** By TERMINATION; 0 (complete) is not counted here. */
  readonly terminations: readonly number[]
  readonly duration: number
  readonly bytesIn: number
  readonly bytesOut: number
  readonly attempts: number
  readonly retries: number
}

/** The series of all listeners of a Plan, in its order. */
export interface ProxySeries {
  readonly listeners: readonly ListenerSeries[]
  readonly logDropped: number
}

/** Finds or makes the series, in the control thread. */
export function allocateSeries(allocator: SeriesAllocator, listeners: readonly { readonly name: string }[]): ProxySeries {
  const one = (definition: MetricDefinition, ...values: string[]): number => allocator.cell(definition, values)
  return {
    listeners: listeners.map(({ name }) => ({
      connections: one(PROXY_METRICS.connections, name),
      accepted: one(PROXY_METRICS.accepted, name),
      requests: STATUS_CLASSES.map((status) => one(PROXY_METRICS.requests, name, status)),
      terminations: TERMINATIONS.map((termination, index) => (index === 0 ? 0 : one(PROXY_METRICS.terminations, name, termination.name))),
      duration: one(PROXY_METRICS.duration, name),
      bytesIn: one(PROXY_METRICS.bytesIn, name),
      bytesOut: one(PROXY_METRICS.bytesOut, name),
      attempts: one(PROXY_METRICS.attempts, name),
      retries: one(PROXY_METRICS.retries, name),
    })),
    logDropped: one(PROXY_METRICS.logDropped),
  }
}

/** Counts into a worker's own row of the metrics table. */
export class RowCounters implements ProxyCounters {
  readonly #row: Float64Array

  constructor(row: Float64Array) {
    this.#row = row
  }

  connectionOpened(site: ListenerSite): void {
    this.#row[site.series.connections]++
    this.#row[site.series.accepted]++
  }

  connectionClosed(site: ListenerSite): void {
    this.#row[site.series.connections]--
  }

  exchanged(exchange: Exchange): void {
    const row = this.#row
    const series = (exchange.site as ListenerSite).series
    row[series.requests[(exchange.status / 100) | 0]]++
    if (exchange.termination !== 0) row[series.terminations[exchange.termination]]++
    observeDuration(row, series.duration, exchange.worker.engine.now() - exchange.startMs)
    row[series.bytesIn] += exchange.requestBytes
    row[series.bytesOut] += exchange.responseBytes
    row[series.attempts] += exchange.attempts
    if (exchange.attempts > 1) row[series.retries] += exchange.attempts - 1
  }
}
