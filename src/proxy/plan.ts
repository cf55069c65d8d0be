import type { SocketAddress } from '../core/index.ts'
import type { CookiePersistence } from '../pool/index.ts'
import type { RouteActionPlan, RoutePlan } from '../route/index.ts'
import type { UdpListenerPlan } from './datagram/plan.ts'
import type { AcceptProxyProtocolPlan } from './proxy-protocol/option.ts'
import type { TcpListenerPlan } from './stream/plan.ts'
import type { TlsListenerPlan } from './tls-plan.ts'

export type * from './datagram/plan.ts'
export type { AcceptProxyProtocolPlan } from './proxy-protocol/option.ts'
export type * from './stream/plan.ts'

/** An entry of `listeners` with `http`. */
export interface HttpListenerPlan {
  readonly name: string
  readonly bind: readonly SocketAddress[]
  readonly kind: 'http'
  readonly acceptProxyProtocol: AcceptProxyProtocolPlan | undefined
  /** undefined serves in the clear. */
  readonly tls: TlsListenerPlan | undefined
  readonly timeouts: ListenerTimeoutsPlan
  readonly limits: ListenerLimitsPlan
  /** Pseudonym in Via; undefined adds no Via. */
  readonly via: string | undefined
  readonly forwarded: ForwardedMode
  /** What happens to requests that a server works on when it goes down or into maintenance. */
  readonly onServerDown: 'keep' | 'reset'
  /** Where none matches the answer is 404. */
  readonly routes: readonly HttpRoutePlan[]
}

/** One entry of `listeners`. */
export type ListenerPlan = HttpListenerPlan | TcpListenerPlan | UdpListenerPlan

/** Which fields tell the server about the client. Whatever the mode, those of an untrusted peer are removed. */
export type ForwardedMode = 'both' | 'forwarded' | 'x-forwarded' | 'none'

/** All in milliseconds; 0 is "no limit" where the schema allows "none". */
export interface ListenerTimeoutsPlan {
  /** From the first byte of a request (or the start of a new connection) to the end of its head. */
  readonly requestHeadMs: number
  /** Longest wait for the next piece of a request's body. */
  readonly requestBodyMs: number
  /** A kept-alive connection without a request. */
  readonly idleMs: number
  /** Longest time in which the client takes no byte of what waits for it. */
  readonly sendMs: number
  /** Silence in both directions of an upgraded connection (WebSocket). */
  readonly tunnelMs: number
}

export interface ListenerLimitsPlan {
  readonly maxHeadBytes: number
  readonly maxLineBytes: number
  readonly maxFields: number
  /** Number.MAX_SAFE_INTEGER where there is no limit. */
  readonly maxBodyBytes: number
  /** Open connections of this listener over all workers; more wait to be accepted. */
  readonly maxConnections: number
}

/** A route of an HTTP listener: the match and action of `route`, and how the proxy carries it out. */
export interface HttpRoutePlan extends Omit<RoutePlan, 'action'> {
  readonly action: RouteActionPlan | SplitActionPlan
  /** Folded: the route's own, else the pool's, else the listener's, else the top level's. */
  readonly timeouts: ExchangeTimeoutsPlan
  readonly retry: RetryPlan
  /** In the queue of its pool; 0 is first. */
  readonly queuePriority: number
  /** Copies of so many percent of the requests go to another pool, and their answers nowhere. */
  readonly mirror: { readonly pool: string; readonly percent: number } | undefined
  /** When a request that was not answered goes to a second server too; 0 for never. */
  readonly hedgeMs: number
}

/** Several pools, by weight. */
export interface SplitActionPlan {
  readonly kind: 'split'
  readonly branches: readonly SplitBranchPlan[]
  /** How a client stays with its pool; undefined where it does not. */
  readonly sticky: SplitStickyPlan | undefined
}

export interface SplitBranchPlan {
  readonly pool: string
  readonly weight: number
  readonly timeouts: ExchangeTimeoutsPlan
}

export type SplitStickyPlan =
  | ({ readonly kind: 'cookie' } & CookiePersistence)
  | { readonly kind: 'key'; readonly key: { readonly key: string } }

/** An answer out of the configuration. */
export type FixedAnswerPlan = Omit<Extract<RouteActionPlan, { kind: 'respond' }>, 'kind'>

export interface ExchangeTimeoutsPlan {
  readonly connectMs: number
  /** Longest wait for the response's head, and then for each next piece of its body. */
  readonly responseMs: number
  readonly requestBodyMs: number
  readonly tunnelMs: number
}

/**
 * A request whose bytes never left, or whose reused connection died before any byte of a response, may always be tried again
 * as long as `attempts` allows. The conditions here come on top, and never for a method that is not idempotent.
 */
export interface RetryPlan {
  /** Attempts in all, the first included: 1 is "never again". */
  readonly attempts: number
  readonly onConnectFailure: boolean
  /** The connection ended before the response's head did. */
  readonly onReset: boolean
  /** `timeouts.response` (not connect, which is a connect failure) before the response's head. */
  readonly onTimeout: boolean
  /** Sorted. */
  readonly onStatus: readonly number[]
  /** Before the first retry, doubled before each further one up to the maximum; 0 for none. */
  readonly backOffMs: number
  readonly maxBackOffMs: number
  /** Of a request's body, kept to be sent again; a longer body is sent once. */
  readonly bufferBytes: number
}

/** The body of an answer that Evener itself gives with `status`; statuses without one have the built-in page. */
export interface ErrorPagePlan {
  readonly status: number
  readonly contentType: string
  readonly body: string
}
