import type { ProxyProtocolPlan } from '../../pool/index.ts'
import type { HeaderPolicy } from '../header-gate.ts'
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
  /** Whose datagrams begin with a header; null for nobody's. */
  readonly headerPolicy: HeaderPolicy | null
  readonly pool: PoolState
  /** What servers are sent; null for what their pool says. */
  readonly proxyProtocol: ProxyProtocolPlan | null
  readonly idleMs: number
  readonly maxSessions: number
  /** 0 for all. */
  readonly datagrams: number
  /** -1 for any number. */
  readonly responses: number
  readonly reselects: boolean
}
