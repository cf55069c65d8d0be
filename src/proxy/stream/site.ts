import type { ProxyProtocolPlan } from '../../pool/index.ts'
import type { HeaderPolicy } from '../header-gate.ts'
import type { PlanUse } from '../plan-use.ts'
import type { PoolState } from '../upstream/pool-state.ts'
import type { StreamSeries } from './metrics.ts'
import type { StreamLimitsPlan, StreamTimeoutsPlan } from './plan.ts'

/** A tcp listener's part of one Plan, compiled for this worker. Immutable. */
export interface StreamSite {
  readonly kind: 'tcp'
  readonly name: string
  /** Whose headers of the PROXY protocol are read; null where nobody's are. */
  readonly headerPolicy: HeaderPolicy | null
  readonly series: StreamSeries
  readonly use: PlanUse
  readonly limits: StreamLimitsPlan
  readonly timeouts: StreamTimeoutsPlan
  readonly attempts: number
  readonly resetsWhenDown: boolean
  readonly routes: readonly StreamRoute[]
}

export interface StreamRoute {
  readonly id: string
  readonly pool: PoolState
  readonly connectMs: number
  readonly proxyProtocol: ProxyProtocolPlan | null
}
