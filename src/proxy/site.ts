import type { CidrSet } from '../core/index.ts'
import type { HeadLimits } from '../http/index.ts'
import type { HeaderEdit, RedirectTemplate, Rewrite, Router } from '../route/index.ts'
import type { LocalAnswer } from './answer.ts'
import type { ClientSubject } from './client-subject.ts'
import type { ExchangeTimeoutsPlan, ListenerLimitsPlan, ListenerTimeoutsPlan } from './config.ts'
import type { ErrorPages } from './error-pages.ts'
import type { Step } from './exchange.ts'
import type { HeaderPolicy } from './header-gate.ts'
import type { ListenerSeries } from './metrics.ts'
import type { MirrorRule } from './mirror.ts'
import type { PlanUse } from './plan-use.ts'
import type { Split } from './split.ts'
import type { PoolState } from './upstream/pool-state.ts'

/** A listener's part of one Plan, compiled for this worker. Immutable. */
export interface ListenerSite {
  readonly kind: 'http'
  readonly name: string
  /** Whose headers of the PROXY protocol are read; null where nobody's are. */
  readonly headerPolicy: HeaderPolicy | null
  readonly series: ListenerSeries
  readonly use: PlanUse
  readonly router: Router
  readonly routes: readonly RouteState[]
  readonly headLimits: HeadLimits
  readonly limits: ListenerLimitsPlan
  readonly timeouts: ListenerTimeoutsPlan
  readonly forwarded: { readonly usesForwarded: boolean; readonly usesXForwarded: boolean }
  readonly trusted: CidrSet
  /** "Via: 1.0 name" and "Via: 1.1 name" as field lines, by the minor version of the message that came in; empty where there is to be none. */
  readonly via: readonly [Uint8Array, Uint8Array]
  readonly errorPages: ErrorPages
  /** How servers are told who the client's certificate is for; null where none is asked for. */
  readonly clientSubject: ClientSubject | null
  /** Exchanges end with their server; see DownWatch. */
  readonly resetsWhenDown: boolean
}

/** When a request may be tried again; see RetryPlan. */
export interface RetryPolicy {
  readonly attempts: number
  readonly onConnectFailure: boolean
  readonly onReset: boolean
  readonly onTimeout: boolean
  readonly onStatus: ReadonlySet<number>
  readonly backOffMs: number
  readonly maxBackOffMs: number
  readonly bufferBytes: number
}

/** A route of one Plan, ready to be walked: the steps that its action was composed of, and what they need. */
export interface RouteState {
  readonly id: string
  readonly index: number
  readonly steps: readonly Step[]
  readonly pool: PoolState | null
  readonly answer: LocalAnswer | null
  readonly redirect: RedirectTemplate | null
  readonly redirectStatus: number
  /** The action `split`; a branch of it has the number of its pool, the route itself -1. */
  readonly split: Split | null
  readonly branch: number
  /** Where copies of its requests go; null where none are made. */
  readonly mirror: MirrorRule | null
  readonly rewrite: Rewrite | null
  readonly requestEdit: HeaderEdit | null
  readonly responseEdit: HeaderEdit | null
  /** In the queue of its pool; 0 is first. */
  readonly queuePriority: number
  readonly retry: RetryPolicy
  /** When a request that was not answered goes to a second server too; 0 for never. */
  readonly hedgeMs: number
  readonly timeouts: ExchangeTimeoutsPlan
}
