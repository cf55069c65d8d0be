import type { SocketAddress } from '../core/index.ts'
import type { CheckPlan } from './check/plan.ts'

/** A pool, normalised. Two plans' pools are the same pool if their names are. */
export interface PoolPlan {
  readonly name: string
  readonly algorithm: AlgorithmPlan
  /** At least one; in the order of the configuration; names are unique in the pool. */
  readonly servers: readonly ServerPlan[]
  readonly check: CheckPlan | undefined
  readonly keepAlive: KeepAlivePlan
  readonly timeouts: PoolTimeoutsPlan
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
