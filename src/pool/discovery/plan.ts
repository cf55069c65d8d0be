import type { SocketAddress } from '../../core/index.ts'

interface DiscoveryCommon {
  /** An answer without any server empties the pool; else the last servers stay. */
  readonly mayEmpty: boolean
}

/** Addresses of a name, or the SRV records of one. */
export interface DnsDiscoveryPlan extends DiscoveryCommon {
  readonly kind: 'dns'
  /** Absolute, without the final dot. */
  readonly name: string
  readonly record: 'address' | 'a' | 'aaaa' | 'srv'
  /** 0 for srv, whose records have their own. */
  readonly port: number
  /** Empty for those of the system. */
  readonly resolvers: readonly SocketAddress[]
  readonly minTtlMs: number
  readonly maxTtlMs: number
  /** For one query to one resolver. */
  readonly timeoutMs: number
}

/** A file with a list of servers. */
export interface FileDiscoveryPlan extends DiscoveryCommon {
  readonly kind: 'file'
  readonly path: string
  readonly intervalMs: number
}

/** An HTTP endpoint that answers with a list of servers. */
export interface HttpDiscoveryPlan extends DiscoveryCommon {
  readonly kind: 'http'
  readonly url: string
  readonly headers: readonly { readonly name: string; readonly value: string }[]
  readonly intervalMs: number
  readonly timeoutMs: number
}

/** Where servers of a pool are found beside those that the configuration names. */
export type DiscoveryPlan = DnsDiscoveryPlan | FileDiscoveryPlan | HttpDiscoveryPlan
