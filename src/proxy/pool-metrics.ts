import { type MetricDefinition, observeDuration, type SeriesAllocator } from '../observe/index.ts'
import type { Exchange } from './exchange.ts'

/** What is counted of a pool. What its servers do is read from the pool table. */
export const POOL_METRICS = {
  queued: {
    name: 'evener_pool_queued_total',
    type: 'counter',
    help: 'Requests that had to wait for a place in the pool.',
    labels: ['pool'],
  },
  queueWait: {
    name: 'evener_pool_queue_wait_seconds',
    type: 'histogram',
    help: 'How long requests waited for a place in the pool.',
    labels: ['pool'],
  },
  queuePosition: {
    name: 'evener_pool_queue_position_sum',
    type: 'counter',
    help: 'Requests that waited already when another one came to the queue, summed up; the mean position is this by evener_pool_queued_total.',
    labels: ['pool'],
  },
  mirrored: {
    name: 'evener_pool_mirrored_total',
    type: 'counter',
    help: 'Requests that were copied to the pool by a mirror, and answered.',
    labels: ['pool'],
  },
  mirrorsLost: {
    name: 'evener_pool_mirrors_lost_total',
    type: 'counter',
    help: 'Copies of requests that the pool did not get or not answer: no server available, full, too slow, or failed.',
    labels: ['pool'],
  },
  hedges: {
    name: 'evener_pool_hedges_total',
    type: 'counter',
    help: 'Requests that went to a second server too, because the first one took its time.',
    labels: ['pool'],
  },
  hedgesWon: {
    name: 'evener_pool_hedges_won_total',
    type: 'counter',
    help: 'Requests that the second server answered first.',
    labels: ['pool'],
  },
} as const satisfies Record<string, MetricDefinition>

/** Where a pool's series are in the metrics table. Plain data for the workers. */
export type PoolSeries = Readonly<Record<keyof typeof POOL_METRICS, number>>

export function allocatePoolSeries(allocator: SeriesAllocator, name: string): PoolSeries {
  const entries = Object.entries(POOL_METRICS).map(([key, definition]) => [key, allocator.cell(definition, [name])])
  return Object.fromEntries(entries) as PoolSeries
}

/** The exchange had to wait. */
export function countQueued(row: Float64Array, series: PoolSeries, exchange: Exchange): void {
  row[series.queued]++
  row[series.queuePosition] += exchange.queuePosition
  observeDuration(row, series.queueWait, exchange.queueMs)
}
