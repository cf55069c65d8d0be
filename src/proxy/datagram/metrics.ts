import { type MetricDefinition, observeDuration, type SeriesAllocator } from '../../observe/index.ts'
import type { DatagramSession } from './session.ts'
import { DATAGRAM_DROPS, SESSION_ENDS } from './termination.ts'

const LISTENER = ['listener'] as const

/** What is counted of datagrams, in the order in which it is shown. */
export const DATAGRAM_METRICS = {
  sessions: { name: 'evener_udp_sessions', type: 'gauge', help: 'Sessions of UDP clients.', labels: LISTENER },
  ends: {
    name: 'evener_udp_sessions_total',
    type: 'counter',
    help: 'Sessions of UDP clients that ended, by reason.',
    labels: ['listener', 'termination'],
  },
  duration: {
    name: 'evener_udp_session_duration_seconds',
    type: 'histogram',
    help: 'From the beginning to the end of a UDP session.',
    labels: LISTENER,
  },
  datagramsIn: {
    name: 'evener_udp_received_datagrams_total',
    type: 'counter',
    help: 'Datagrams from clients to servers.',
    labels: LISTENER,
  },
  datagramsOut: { name: 'evener_udp_sent_datagrams_total', type: 'counter', help: 'Datagrams from servers to clients.', labels: LISTENER },
  bytesIn: { name: 'evener_udp_received_bytes_total', type: 'counter', help: 'Bytes in datagrams from clients.', labels: LISTENER },
  bytesOut: { name: 'evener_udp_sent_bytes_total', type: 'counter', help: 'Bytes in datagrams to clients.', labels: LISTENER },
  dropped: {
    name: 'evener_udp_dropped_datagrams_total',
    type: 'counter',
    help: 'Datagrams that went nowhere, by reason.',
    labels: ['listener', 'reason'],
  },
} as const satisfies Record<string, MetricDefinition>

/** Where the series of a udp listener are in the metrics table. Plain data for the workers. */
export interface DatagramSeries {
  /** Its sessions. */
  readonly connections: number
  /** By SESSION_END. */
  readonly ends: readonly number[]
  readonly duration: number
  readonly datagramsIn: number
  readonly datagramsOut: number
  readonly bytesIn: number
  readonly bytesOut: number
  /** By DATAGRAM_DROP. */
  readonly dropped: readonly number[]
}

export function allocateDatagramSeries(allocator: SeriesAllocator, listener: string): DatagramSeries {
  const one = (definition: MetricDefinition, ...values: string[]): number => allocator.cell(definition, [listener, ...values])
  return {
    connections: one(DATAGRAM_METRICS.sessions),
    ends: SESSION_ENDS.map(({ name }) => one(DATAGRAM_METRICS.ends, name)),
    duration: one(DATAGRAM_METRICS.duration),
    datagramsIn: one(DATAGRAM_METRICS.datagramsIn),
    datagramsOut: one(DATAGRAM_METRICS.datagramsOut),
    bytesIn: one(DATAGRAM_METRICS.bytesIn),
    bytesOut: one(DATAGRAM_METRICS.bytesOut),
    dropped: DATAGRAM_DROPS.map((reason) => one(DATAGRAM_METRICS.dropped, reason)),
  }
}

/** Counts a session that is over. */
export function countSession(row: Float64Array, session: DatagramSession): void {
  const { series } = session.site
  row[series.connections]--
  row[series.ends[session.termination]]++
  observeDuration(row, series.duration, session.worker.engine.now() - session.startMs)
  row[series.datagramsIn] += session.datagramsIn
  row[series.datagramsOut] += session.datagramsOut
  row[series.bytesIn] += session.bytesIn
  row[series.bytesOut] += session.bytesOut
}
