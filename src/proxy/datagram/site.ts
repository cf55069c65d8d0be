import type { PlanUse } from '../plan-use.ts'
import type { PoolState } from '../upstream/pool-state.ts'
import type { DatagramSeries } from './metrics.ts'

/** A udp listener's part of one Plan, compiled for this worker. Immutable. */
export interface DatagramSite {
  readonly kind: 'udp'
  readonly name: string
  /** "listeners.logs.udp". */
  readonly id: string
  readonly series: DatagramSeries
  readonly use: PlanUse
  readonly pool: PoolState
  readonly idleMs: number
  readonly maxSessions: number
  /** 0 for all. */
  readonly datagrams: number
  /** -1 for any number. */
  readonly responses: number
  readonly reselects: boolean
}
