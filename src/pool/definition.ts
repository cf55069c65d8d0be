import type { SocketAddress } from '../core/index.ts'

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
  readonly maxConnections: number
}

/** What the pool room needs of a pool of the plan. Plain data, so that it can be posted to workers. */
export interface PoolDefinition {
  readonly name: string
  readonly algorithm: AlgorithmDefinition
  readonly servers: readonly ServerDefinition[]
  /** Whether a check is configured: its servers are `starting` until it has answered. */
  readonly checked: boolean
  /** Active requests of the pool over all workers; 0 for no limit. */
  readonly maxConnections: number
  /** The next group of priorities joins while fewer than this many servers of those before are available. At least 1. */
  readonly minAvailable: number
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
