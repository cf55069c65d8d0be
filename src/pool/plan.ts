import type { SocketAddress } from '../core/index.ts'

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

interface CheckCommon {
  readonly intervalMs: number
  readonly timeoutMs: number
  /** Successes in a row that bring a server up, failures in a row that take it down. */
  readonly rise: number
  readonly fall: number
  /** Where to check instead of the server's own address. */
  readonly address: SocketAddress | undefined
  /** The server's host with another port; never beside `address`. */
  readonly port: number | undefined
}

export interface TcpCheckPlan extends CheckCommon {
  readonly kind: 'tcp'
}

export interface HttpCheckPlan extends CheckCommon {
  readonly kind: 'http'
  readonly method: string
  /** Path and query. */
  readonly path: string
  /** Value of Host; undefined for the server's own address. */
  readonly host: string | undefined
  readonly headers: readonly { readonly name: string; readonly value: string }[]
  /** Statuses that count as success: inclusive ranges, sorted, not overlapping. */
  readonly status: readonly { readonly from: number; readonly to: number }[]
  /** Text that the first 64 KiB of the response's body must contain. */
  readonly body: string | undefined
}

export type CheckPlan = TcpCheckPlan | HttpCheckPlan

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
