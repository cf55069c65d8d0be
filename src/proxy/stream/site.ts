import type { ProxyProtocolPlan } from '../../pool/index.ts'
import type { HeaderPolicy } from '../header-gate.ts'
import type { PlanUse } from '../plan-use.ts'
import type { PoolState } from '../upstream/pool-state.ts'
import type { StreamMatch } from './match.ts'
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
  /** Something of it depends on what the client's TLS says. */
  readonly needsHello: boolean
  readonly routes: readonly StreamRoute[]
}

export interface StreamRoute {
  readonly id: string
  /** null for every connection. */
  readonly match: StreamMatch | null
  readonly pool: PoolState
  /** Where connections go that get no server here; null where they are reset. */
  readonly sorry: StreamRoute | null
  readonly connectMs: number
  readonly proxyProtocol: ProxyProtocolPlan | null
}
