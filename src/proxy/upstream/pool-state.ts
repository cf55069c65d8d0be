import type { PersistenceCookie, Pool, ProxyProtocolPlan } from '../../pool/index.ts'
import type { LocalAnswer } from '../answer.ts'
import type { Step } from '../exchange.ts'
import type { PoolSeries } from '../pool-metrics.ts'
import type { UpstreamServer } from './server.ts'

/** A pool of one Plan in this worker: the algorithm's view, and the connections to each server in the same order. */
export interface PoolState {
  readonly name: string
  readonly index: number
  readonly pool: Pool
  readonly servers: readonly UpstreamServer[]
  /** Persistence by table, or by a cookie that Evener writes or changes. */
  readonly remembers: boolean
  readonly cookie: PersistenceCookie | null
  /** What happens to a request that no server can take; set once when the Plan is compiled. */
  sorry: Sorry | null
  /** What its requests go through. */
  readonly steps: readonly Step[]
  readonly series: PoolSeries
  /** A key of its algorithm or persistence is the name that TLS asks for. */
  readonly usesServerName: boolean
  /** What its servers are sent first; null for nothing. */
  readonly proxyProtocol: ProxyProtocolPlan | null
}

/** Another pool, or an answer. */
export interface Sorry {
  readonly pool: PoolState | null
  readonly answer: LocalAnswer | null
}
