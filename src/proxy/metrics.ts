import { type MetricDefinition, observeDuration, type SeriesAllocator } from '../observe/index.ts'
import type { ProxyCounters } from './counters.ts'
import { allocateDatagramSeries, countSession, DATAGRAM_METRICS, type DatagramSeries } from './datagram/metrics.ts'
import type { DatagramSession } from './datagram/session.ts'
import type { DatagramSite } from './datagram/site.ts'
import type { Exchange } from './exchange.ts'
import { HEADER_REFUSALS } from './header-gate.ts'
import type { ConnectionSite } from './listener.ts'
import { allocatePoolSeries, countQueued, POOL_METRICS, type PoolSeries } from './pool-metrics.ts'
import type { ListenerSite } from './site.ts'
import { allocateStreamSeries, countStream, STREAM_METRICS, type StreamSeries } from './stream/metrics.ts'
import type { Stream } from './stream/stream.ts'
import { TERMINATIONS } from './termination.ts'
import type { PoolState } from './upstream/pool-state.ts'

const HANDSHAKES = ['full', 'resumed', 'failed'] as const
/** Under keys of their own in the list of all. */
const UDP_METRICS = {
  udpSessions: DATAGRAM_METRICS.sessions,
  udpEnds: DATAGRAM_METRICS.ends,
  udpDuration: DATAGRAM_METRICS.duration,
  udpDatagramsIn: DATAGRAM_METRICS.datagramsIn,
  udpDatagramsOut: DATAGRAM_METRICS.datagramsOut,
  udpBytesIn: DATAGRAM_METRICS.bytesIn,
  udpBytesOut: DATAGRAM_METRICS.bytesOut,
  udpDropped: DATAGRAM_METRICS.dropped,
} as const

const STATUS_CLASSES = ['none', '1xx', '2xx', '3xx', '4xx', '5xx'] as const

/** What this room counts, in the order in which it is shown. */
export const PROXY_METRICS = {
  connections: { name: 'evener_connections', type: 'gauge', help: 'Open client connections.', labels: ['listener'] },
  accepted: { name: 'evener_connections_accepted_total', type: 'counter', help: 'Client connections accepted.', labels: ['listener'] },
  handshakes: {
    name: 'evener_tls_handshakes_total',
    type: 'counter',
    help: 'TLS handshakes with clients, by result: full, resumed or failed.',
    labels: ['listener', 'result'],
  },
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
  spliced: {
    name: 'evener_http_spliced_bytes_total',
    type: 'counter',
    help: 'Bytes of response bodies that went from socket to socket inside the kernel, without being copied.',
    labels: ['listener'],
  },
  attempts: {
    name: 'evener_http_attempts_total',
    type: 'counter',
    help: 'Requests sent to servers, retries included.',
    labels: ['listener'],
  },
  retries: { name: 'evener_http_retries_total', type: 'counter', help: 'Attempts after the first.', labels: ['listener'] },
  ...POOL_METRICS,
  headersRefused: {
    name: 'evener_proxy_protocol_refused_total',
    type: 'counter',
    help: 'Connections that were refused for their header of the PROXY protocol, by reason; where a listener accepts it.',
    labels: ['listener', 'reason'],
  },
  tcpEnds: STREAM_METRICS.ends,
  tcpDuration: STREAM_METRICS.duration,
  tcpBytesIn: STREAM_METRICS.bytesIn,
  tcpBytesOut: STREAM_METRICS.bytesOut,
  tcpSpliced: STREAM_METRICS.spliced,
  tcpAttempts: STREAM_METRICS.attempts,
  tcpRetries: STREAM_METRICS.retries,
  ...UDP_METRICS,
  logDropped: {
    name: 'evener_access_log_dropped_total',
    type: 'counter',
    help: 'Access log lines dropped because writing lagged.',
    labels: [],
  },
} as const satisfies Record<string, MetricDefinition>

/** The series of every listener that accepts connections. */
export interface ConnectionSeries {
  readonly connections: number
  readonly accepted: number
  /** By HEADER_REFUSAL; empty where no header is read. */
  readonly headersRefused: readonly number[]
  /** By HANDSHAKES; empty where TLS is not spoken. */
  readonly handshakes: readonly number[]
}

/** Where an http listener's series are in the metrics table. Plain data for the workers. */
export interface ListenerSeries extends ConnectionSeries {
  /** By STATUS_CLASSES. */
  readonly requests: readonly number[]
  /** By TERMINATION; 0 (complete) is not counted here. */
  readonly terminations: readonly number[]
  readonly duration: number
  readonly bytesIn: number
  readonly bytesOut: number
  readonly spliced: number
  readonly attempts: number
  readonly retries: number
}

/** The series of all listeners of a Plan, by name and kind. */
export interface ProxySeries {
  readonly http: Readonly<Record<string, ListenerSeries>>
  readonly tcp: Readonly<Record<string, StreamSeries>>
  readonly udp: Readonly<Record<string, DatagramSeries>>
  /** In the Plan's order. */
  readonly pools: readonly PoolSeries[]
  readonly logDropped: number
}

/** What of a listener its series depend on. */
export interface CountedListener {
  readonly name: string
  readonly kind: 'http' | 'tcp' | 'udp'
  readonly acceptProxyProtocol?: object | undefined
  readonly tls?: object | undefined
}

/** Finds or makes the series, in the control thread. */
export function allocateSeries(
  allocator: SeriesAllocator,
  listeners: readonly CountedListener[],
  pools: readonly { readonly name: string }[],
): ProxySeries {
  const common = ({ name, acceptProxyProtocol, tls }: CountedListener): ConnectionSeries => ({
    connections: allocator.cell(PROXY_METRICS.connections, [name]),
    accepted: allocator.cell(PROXY_METRICS.accepted, [name]),
    headersRefused:
      acceptProxyProtocol === undefined
        ? []
        : HEADER_REFUSALS.map((reason) => allocator.cell(PROXY_METRICS.headersRefused, [name, reason])),
    handshakes: tls === undefined ? [] : HANDSHAKES.map((result) => allocator.cell(PROXY_METRICS.handshakes, [name, result])),
  })
  const of = <T>(kind: 'http' | 'tcp', allocate: (name: string, common: ConnectionSeries) => T): Record<string, T> =>
    Object.fromEntries(
      listeners.filter((listener) => listener.kind === kind).map((listener) => [listener.name, allocate(listener.name, common(listener))]),
    )
  return {
    pools: pools.map(({ name }) => allocatePoolSeries(allocator, name)),
    http: of('http', (name, shared) => allocateHttpSeries(allocator, name, shared)),
    udp: Object.fromEntries(
      listeners.filter(({ kind }) => kind === 'udp').map(({ name }) => [name, allocateDatagramSeries(allocator, name)]),
    ),
    tcp: of('tcp', (name, shared) => allocateStreamSeries(allocator, name, shared)),
    logDropped: allocator.cell(PROXY_METRICS.logDropped, []),
  }
}

function allocateHttpSeries(allocator: SeriesAllocator, name: string, common: ConnectionSeries): ListenerSeries {
  const one = (definition: MetricDefinition, ...values: string[]): number => allocator.cell(definition, [name, ...values])
  return {
    ...common,
    requests: STATUS_CLASSES.map((status) => one(PROXY_METRICS.requests, status)),
    terminations: TERMINATIONS.map((termination, index) => (index === 0 ? 0 : one(PROXY_METRICS.terminations, termination.name))),
    duration: one(PROXY_METRICS.duration),
    bytesIn: one(PROXY_METRICS.bytesIn),
    bytesOut: one(PROXY_METRICS.bytesOut),
    spliced: one(PROXY_METRICS.spliced),
    attempts: one(PROXY_METRICS.attempts),
    retries: one(PROXY_METRICS.retries),
  }
}

/** Counts into a worker's own row of the metrics table. */
export class RowCounters implements ProxyCounters {
  readonly #row: Float64Array

  constructor(row: Float64Array) {
    this.#row = row
  }

  connectionOpened(site: ConnectionSite): void {
    this.#row[site.series.connections]++
    this.#row[site.series.accepted]++
  }

  connectionClosed(site: ConnectionSite): void {
    this.#row[site.series.connections]--
  }

  handshakeDone(site: ConnectionSite, isResumed: boolean): void {
    this.#row[site.series.handshakes[isResumed ? 1 : 0]]++
  }

  handshakeFailed(site: ConnectionSite): void {
    this.#row[site.series.handshakes[2]]++
  }

  exchanged(exchange: Exchange): void {
    const row = this.#row
    const series = (exchange.site as ListenerSite).series
    row[series.requests[(exchange.status / 100) | 0]]++
    if (exchange.termination !== 0) row[series.terminations[exchange.termination]]++
    observeDuration(row, series.duration, exchange.worker.engine.now() - exchange.startMs)
    row[series.bytesIn] += exchange.requestBytes
    row[series.bytesOut] += exchange.responseBytes
    row[series.spliced] += exchange.splicedBytes
    row[series.attempts] += exchange.attempts
    if (exchange.attempts > 1) row[series.retries] += exchange.attempts - 1
    if (exchange.queuePosition >= 0) countQueued(row, (exchange.pool as PoolState).series, exchange)
  }

  sessionBegan(site: DatagramSite): void {
    this.#row[site.series.connections]++
  }

  sessionEnded(session: DatagramSession): void {
    countSession(this.#row, session)
  }

  datagramDropped(site: DatagramSite, reason: number): void {
    this.#row[site.series.dropped[reason]]++
  }

  headerRefused(site: ConnectionSite, refusal: number): void {
    this.#row[site.series.headersRefused[refusal]]++
  }

  mirrored(series: PoolSeries, isAnswered: boolean): void {
    this.#row[isAnswered ? series.mirrored : series.mirrorsLost]++
  }

  hedged(series: PoolSeries): void {
    this.#row[series.hedges]++
  }

  hedgeWon(series: PoolSeries): void {
    this.#row[series.hedgesWon]++
  }

  streamed(stream: Stream): void {
    countStream(this.#row, stream)
  }
}
