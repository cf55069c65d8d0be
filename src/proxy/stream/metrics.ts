import { type MetricDefinition, observeDuration, type SeriesAllocator } from '../../observe/index.ts'
import type { ConnectionSeries } from '../metrics.ts'
import type { Stream } from './stream.ts'
import { STREAM_ENDS } from './termination.ts'

const LISTENER = ['listener'] as const

/** What is counted of TCP connections, in the order in which it is shown. */
export const STREAM_METRICS = {
  ends: {
    name: 'evener_tcp_connections_total',
    type: 'counter',
    help: 'TCP connections that ended, by reason; "complete" is an end that both sides agreed to.',
    labels: ['listener', 'termination'],
  },
  duration: {
    name: 'evener_tcp_connection_duration_seconds',
    type: 'histogram',
    help: 'From the beginning to the end of a TCP connection.',
    labels: LISTENER,
  },
  bytesIn: { name: 'evener_tcp_received_bytes_total', type: 'counter', help: 'Bytes from clients to servers.', labels: LISTENER },
  bytesOut: { name: 'evener_tcp_sent_bytes_total', type: 'counter', help: 'Bytes from servers to clients.', labels: LISTENER },
  spliced: {
    name: 'evener_tcp_spliced_bytes_total',
    type: 'counter',
    help: 'Bytes of either way that went from socket to socket inside the kernel, without being copied.',
    labels: LISTENER,
  },
  attempts: { name: 'evener_tcp_attempts_total', type: 'counter', help: 'Connections to servers that were tried.', labels: LISTENER },
  retries: { name: 'evener_tcp_retries_total', type: 'counter', help: 'Attempts after the first of a connection.', labels: LISTENER },
} as const satisfies Record<string, MetricDefinition>

/** Where the series of a tcp listener are in the metrics table. Plain data for the workers. */
export interface StreamSeries extends ConnectionSeries {
  /** By STREAM_END. */
  readonly ends: readonly number[]
  readonly duration: number
  readonly bytesIn: number
  readonly bytesOut: number
  readonly spliced: number
  readonly attempts: number
  readonly retries: number
}

/** `connections` and `accepted` are those that every kind of listener has. */
export function allocateStreamSeries(allocator: SeriesAllocator, listener: string, common: ConnectionSeries): StreamSeries {
  const one = (definition: MetricDefinition, ...values: string[]): number => allocator.cell(definition, [listener, ...values])
  return {
    ...common,
    ends: STREAM_ENDS.map(({ name }) => one(STREAM_METRICS.ends, name)),
    duration: one(STREAM_METRICS.duration),
    bytesIn: one(STREAM_METRICS.bytesIn),
    bytesOut: one(STREAM_METRICS.bytesOut),
    spliced: one(STREAM_METRICS.spliced),
    attempts: one(STREAM_METRICS.attempts),
    retries: one(STREAM_METRICS.retries),
  }
}

/** Counts a stream that is over. */
export function countStream(row: Float64Array, stream: Stream): void {
  const { series } = stream.site
  row[series.ends[stream.termination]]++
  observeDuration(row, series.duration, stream.worker.engine.now() - stream.startMs)
  row[series.bytesIn] += stream.bytesIn
  row[series.bytesOut] += stream.bytesOut
  row[series.spliced] += stream.splicedBytes
  row[series.attempts] += stream.attempts
  if (stream.attempts > 1) row[series.retries] += stream.attempts - 1
}
