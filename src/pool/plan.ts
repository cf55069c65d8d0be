import type { SocketAddress } from '../core/index.ts'
import type { AgentPlan } from './agent/plan.ts'
import type { CheckPlace, CheckPlan } from './check/plan.ts'
import type { BreakerDefinition, OutlierDefinition, PersistenceDefinition, QueueDefinition, RetryBudgetDefinition } from './definition.ts'
import type { DiscoveryPlan } from './discovery/plan.ts'

/** A pool, normalised. Two plans' pools are the same pool if their names are. */
export interface PoolPlan {
  readonly name: string
  readonly algorithm: AlgorithmPlan
  /** In the order of the configuration; names are unique in the pool. */
  readonly servers: readonly ServerPlan[]
  /** Where more servers come from; never absent where `servers` is empty. */
  readonly discover: readonly DiscoveryPlan[] | undefined
  readonly check: CheckPlan | undefined
  /** undefined where nobody asks the servers' agents. */
  readonly agent: AgentPlan | undefined
  readonly keepAlive: KeepAlivePlan
  readonly timeouts: PoolTimeoutsPlan
  /** What its servers are sent at the beginning of each connection; undefined for nothing. */
  readonly proxyProtocol: ProxyProtocolPlan | undefined
  /** How its servers are connected to; undefined in the clear. */
  readonly tls: TlsPoolPlan | undefined
  /** Of each server that sets none itself, and of all servers together. */
  readonly limits: { readonly each: LimitsPlan; readonly total: LimitsPlan }
  readonly minAvailable: number
  /** 0 for never. */
  readonly panicPercent: number
  readonly sorry: SorryPlan | undefined
  /** 0 for at once. */
  readonly slowStartMs: number
  readonly outliers: OutlierDefinition | undefined
  readonly queue: QueueDefinition | undefined
  readonly breaker: BreakerDefinition | undefined
  readonly retryBudget: RetryBudgetDefinition | undefined
  readonly persistence: PersistenceDefinition | undefined
}

/** A header of the PROXY protocol. */
export interface ProxyProtocolPlan {
  readonly version: 1 | 2
  readonly tlvs: readonly ('authority' | 'alpn' | 'unique-id' | 'ssl' | 'checksum')[]
}

/** TLS to servers. */
export interface TlsPoolPlan {
  readonly verify: boolean
  /** Path; undefined for the authorities that everybody trusts. */
  readonly ca: string | undefined
  /** Name in certificates; undefined for the server's address. */
  readonly name: string | undefined
  /** SNI; "" for none. */
  readonly serverName: string
  /** Paths. */
  readonly certificate: { readonly cert: string; readonly key: string } | undefined
  /** ALPN. */
  readonly protocols: readonly string[]
  readonly minVersion: '1.2' | '1.3'
  readonly maxVersion: '1.2' | '1.3'
  /** OpenSSL's lists: ciphers of TLS 1.2, suites of TLS 1.3, groups of the key exchange. */
  readonly ciphers: string
  readonly suites: string
  readonly groups: string
}

export interface ServerPlan {
  /** The address as text where the configuration gives no name. */
  readonly name: string
  readonly address: SocketAddress
  /** 0 to 256; a server of weight 0 gets nothing new. */
  readonly weight: number
  /** 0 first; a larger one is used while no server of a smaller one is available. */
  readonly priority: number
  readonly admin: 'ready' | 'drain' | 'maintenance'
  /** The pool's limits where not set. */
  readonly maxConnections?: number | undefined
  readonly maxRequests?: number | undefined
  /** Instead of the places that the pool's check and agent have. */
  readonly check?: CheckPlace | undefined
  readonly agent?: CheckPlace | undefined
}

/** What becomes of a request that no server can take. */
export type SorryPlan =
  | { readonly kind: 'pool'; readonly pool: string }
  | {
      readonly kind: 'respond'
      readonly status: number
      readonly contentType: string
      readonly headers: readonly { readonly name: string; readonly value: string }[]
      readonly body: string
    }

/** Over all workers; 0 for no limit. */
export interface LimitsPlan {
  readonly maxConnections: number
  readonly maxRequests: number
}

/** Canonical name (never an alias) and the algorithm's own options, all defaulted. */
export interface AlgorithmPlan {
  readonly name: string
  readonly options: Readonly<Record<string, string | number | boolean>>
}

/** Idle upstream connections. */
export interface KeepAlivePlan {
  /** Idle connections to keep for each server, per worker; 0 closes each after its exchange. */
  readonly maxIdle: number
  readonly idleTimeoutMs: number
}

/** For listeners that do not carry HTTP; HTTP routes have the pool's values folded in. */
export interface PoolTimeoutsPlan {
  readonly connectMs: number
  readonly responseMs: number
}
