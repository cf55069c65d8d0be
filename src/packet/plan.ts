import type { SocketAddress } from '../core/index.ts'
import type { FlowTimeouts, Forward, PacketAddress, PacketAlgorithm, PacketProtocol } from './definition.ts'

export interface PortRange {
  readonly firstPort: number
  readonly lastPort: number
}

/** What all packet listeners share. */
export interface PacketPlan {
  readonly mode: 'auto' | 'native' | 'generic'
  /** Folder of a BPF file system; undefined: nothing outlives the process. */
  readonly pins: string | undefined
  readonly keepAtExit: boolean
  readonly flows: number
  readonly newFlows: number
  readonly icmpPerSecond: number
  readonly tunnelSource4: string | undefined
  readonly tunnelSource6: string | undefined
  /** At least one. */
  readonly listeners: readonly PacketListenerPlan[]
}

/** A listener whose packets the kernel forwards. Durations in seconds. */
export interface PacketListenerPlan {
  readonly name: string
  readonly bind: readonly SocketAddress[]
  readonly pool: string
  readonly forward: Forward
  readonly engine: 'xdp' | 'ipvs'
  readonly interfaces: readonly string[]
  readonly protocols: readonly PacketProtocol[]
  /** Of `bind`, with its ports. */
  readonly addresses: readonly PacketAddress[]
  readonly mark: number | undefined
  /** undefined: the pool's. */
  readonly algorithm: PacketAlgorithm | undefined
  readonly hash: { readonly port: boolean; readonly fallback: boolean; readonly tableSize: number; readonly seed: number }
  readonly persistence: { readonly seconds: number; readonly prefix4: number; readonly prefix6: number } | undefined
  readonly onePacket: boolean
  readonly onServerDown: 'reschedule' | 'reset'
  readonly timeouts: FlowTimeouts
  readonly tunnel: { readonly kind: 'ipip' | 'gue'; readonly port: number }
  readonly local: ({ readonly addresses: readonly string[] } & PortRange) | undefined
  readonly access: { readonly allow: readonly string[]; readonly deny: readonly string[] }
  readonly limits: {
    readonly flows: number
    readonly resumeBelow: number
    readonly newFlowsPerSecond: number
    readonly burst: number
  }
  /** How checks over TCP reach servers. */
  readonly checks: 'direct' | 'forwarded'
  readonly mirror: { readonly interfaceName: string; readonly perMille: number } | undefined
  readonly synCookies: { readonly mode: 'off' | 'auto' | 'always'; readonly above: number }
}
