import type { SocketAddress } from '../core/index.ts'
import type { CheckPlace } from './check/plan.ts'
import type { CookiePersistence } from './persistence/cookie.ts'

/** What the pool room needs of a server of the plan. Plain data. */
export interface ServerDefinition {
  /** Unique in its pool. */
  readonly name: string
  readonly address: SocketAddress
  /** 0 to MAX_WEIGHT; 0 means no new picks. */
  readonly weight: number
  /** 0 first. */
  readonly priority: number
  readonly admin: 'ready' | 'drain' | 'maintenance'
  /** Active requests over all workers; 0 for no limit. */
  readonly maxRequests: number
  /** Open connections over all workers, idle ones included; 0 for no limit. */
  readonly maxConnections?: number
  /** Where it is checked and where its agent listens, instead of the places that the pool's check and agent have. */
  readonly check?: CheckPlace | undefined
  readonly agent?: CheckPlace | undefined
}

/** What the pool room needs of a pool of the plan. Plain data, so that it can be posted to workers. */
export interface PoolDefinition {
  readonly name: string
  readonly algorithm: AlgorithmDefinition
  readonly servers: readonly ServerDefinition[]
  /** Whether a check is configured: its servers are `starting` until it has answered. */
  readonly checked: boolean
  /** Active requests of the pool over all workers; 0 for no limit. */
  readonly maxRequests: number
  /** Open connections to all servers of the pool over all workers, idle ones included; 0 for no limit. */
  readonly maxConnections?: number
  /** The next group of priorities joins while fewer than this many servers of those before are available. At least 1. */
  readonly minAvailable: number
  /** Below this share of usable servers, in percent, health and ejections are ignored and all ready servers used. 0: never. */
  readonly panicPercent?: number
  /** How long a server that comes up takes to get its full weight; 0 for at once. */
  readonly slowStartMs?: number
  readonly outliers?: OutlierDefinition | undefined
  /** Without one, a request that finds all servers full is refused. */
  readonly queue?: QueueDefinition | undefined
  readonly breaker?: BreakerDefinition | undefined
  /** Without one, retries are limited by their number for each request only. */
  readonly retryBudget?: RetryBudgetDefinition | undefined
  readonly persistence?: PersistenceDefinition | undefined
}

/** How a client stays with its server: by a cookie, or by a table that remembers a key of its requests. */
export type PersistenceDefinition = ({ readonly kind: 'cookie' } & CookiePersistence) | TablePersistence

export interface TablePersistence {
  readonly kind: 'table'
  /** `key`, `prefixLength4` and so on, as those of the algorithm `hash`. */
  readonly key: AlgorithmOptions
  /** Seconds after the last request. */
  readonly ttlSeconds: number
  /** Sessions that there is room for, over all workers; above it those go that would expire first. */
  readonly size: number
}

export interface BreakerDefinition {
  /** Opens when this share of the requests of a window failed, in percent. */
  readonly failurePercent: number
  /** Windows with fewer requests open nothing. */
  readonly minRequests: number
  readonly windowMs: number
  /** How long it stays open before it tries. */
  readonly openMs: number
  /** Requests that it tries with; all must go well for it to close. At least 1. */
  readonly probes: number
}

export interface RetryBudgetDefinition {
  /** Retries as a share of the requests, in percent. */
  readonly percent: number
  /** Retries that are allowed in a second, however few requests there are. */
  readonly minPerSecond: number
}

export interface QueueDefinition {
  /** Requests that may wait, over all workers. */
  readonly size: number
  readonly timeoutMs: number
}

/** What takes a server out by the answers that clients get. A threshold of 0 is off. */
export interface OutlierDefinition {
  /** Failures in a row of any kind: no connection, no or a broken response, a time-out, a status of 500 or above. */
  readonly consecutiveFailures: number
  /** The same without statuses other than 502, 503 and 504. */
  readonly consecutiveGatewayErrors: number
  /** Time over which the two below are judged. */
  readonly intervalMs: number
  /** Servers with fewer requests in an interval are not judged by rate or time. */
  readonly minRequests: number
  /** Out goes whose success rate is this many standard deviations below the mean of at least three servers. */
  readonly successRateDeviations: number
  /** Out goes whose mean response time is this many times the median of at least three servers, and above slowMinMs. */
  readonly slowFactor: number
  readonly slowMinMs: number
  /** The first ejection lasts so long, the next twice, and so on up to maxEjectionMs. */
  readonly ejectionMs: number
  readonly maxEjectionMs: number
  /** No more than this share of the pool's servers is out at a time, rounded down. */
  readonly maxEjectedPercent: number
}

export interface AlgorithmDefinition {
  /** A canonical name or an alias. */
  readonly name: string
  /** Those that are left out have the defaults of the catalogue. */
  readonly options?: AlgorithmOptions
}

export type AlgorithmOptions = Readonly<Record<string, string | number | boolean>>

/** Weights are whole numbers up to this. */
export const MAX_WEIGHT = 65535
