import { addressBytes } from '../core/index.ts'

/** How a packet reaches its server: ways 4 (nat, fullnat), 5 (dr) and 6 (tun) of the design. */
export type Forward = 'nat' | 'fullnat' | 'dr' | 'tun'
export type PacketProtocol = 'tcp' | 'udp' | 'sctp'

/** The algorithms that run in the kernel. */
export const PACKET_ALGORITHMS = [
  'round-robin',
  'weighted-round-robin',
  'random',
  'weighted-random',
  'two-choices',
  'least-connections',
  'weighted-least-connections',
  'shortest-expected-delay',
  'never-queue',
  'resource',
  'source-hash',
  'destination-hash',
  'ring',
  'maglev',
  'first',
  'weighted-failover',
  'overflow',
  'locality',
  'locality-replicated',
] as const
export type PacketAlgorithm = (typeof PACKET_ALGORITHMS)[number]

export interface PacketServer {
  readonly name: string
  readonly address: string
  /** 0: the port that the client asked for. DR and TUN cannot change it. */
  readonly port: number
  /** A server with 0 gets no new flows and keeps those it has. */
  readonly weight: number
  /** The part of its weight that counts, 0 to 1: a slow start, or what an agent asks for. */
  readonly share: number
  /** 0: it has its turn. One of a later tier (priority) gets new flows only while all of the earlier ones are full. */
  readonly tier: number
  readonly isDown: boolean
  readonly isDraining: boolean
  /** Above `upper` flows no new ones until fewer than `lower` are left (0: three quarters of upper). 0: no limit. */
  readonly upper: number
  readonly lower: number
}

/** What clients ask for. firstPort 0 and lastPort 65535: every port of the address. */
export interface PacketAddress {
  readonly address: string
  readonly firstPort: number
  readonly lastPort: number
}

/** Seconds without a packet after which a flow is forgotten, by its state. */
export interface FlowTimeouts {
  readonly young: number
  readonly established: number
  readonly finWait: number
  readonly timeWait: number
  readonly closed: number
  readonly datagram: number
}

export const DEFAULT_TIMEOUTS: FlowTimeouts = { young: 60, established: 900, finWait: 120, timeWait: 120, closed: 10, datagram: 300 }

/** One service: addresses and ports that share servers, flows' counts and persistence (as an IPVS service by firewall mark does). */
export interface PacketService {
  readonly name: string
  readonly addresses: readonly PacketAddress[]
  /** Of IPVS: packets with this firewall mark, whatever their address; 0: by address. */
  readonly mark: number
  readonly protocols: readonly PacketProtocol[]
  readonly servers: readonly PacketServer[]
  readonly forward: Forward
  readonly encapsulation: 'ipip' | 'gue'
  readonly guePort: number
  readonly algorithm: PacketAlgorithm
  /** Of hashing algorithms: the source port counts too; an unavailable server is replaced by another. */
  readonly hashPort: boolean
  readonly hashFallback: boolean
  /** Of maglev and ring: places of the table, a prime. */
  readonly tableSize: number
  /** The same seed, servers and weights on several balancers make them choose the same server. */
  readonly seed: number
  readonly persistenceSeconds: number
  readonly persistencePrefix4: number
  readonly persistencePrefix6: number
  readonly onePacket: boolean
  readonly onServerDown: 'reschedule' | 'reset'
  readonly timeouts: FlowTimeouts
  readonly allow: readonly string[]
  readonly deny: readonly string[]
  /** New flows a second for each client address; 0: no limit. */
  readonly newFlowsPerSecond: number
  readonly newFlowsBurst: number
  readonly synCookies: 'off' | 'auto' | 'always'
  /** With auto: SYNs in a second, on one CPU, above which cookies are sent. */
  readonly synCookiesAbove: number
  /** Of fullnat: the addresses and ports that packets to the servers come from. Outside of net.ipv4.ip_local_port_range. */
  readonly localAddresses: readonly string[]
  readonly localFirstPort: number
  readonly localLastPort: number
  /** A share of the packets to servers, in thousandths, leaves this interface too. */
  readonly mirror: { readonly interfaceName: string; readonly perMille: number } | undefined
}

export const SERVICE_DEFAULTS = {
  mark: 0,
  protocols: ['tcp'],
  forward: 'nat',
  encapsulation: 'ipip',
  guePort: 6080,
  algorithm: 'weighted-least-connections',
  hashPort: true,
  hashFallback: true,
  tableSize: 65537,
  seed: 0,
  persistenceSeconds: 0,
  persistencePrefix4: 32,
  persistencePrefix6: 128,
  onePacket: false,
  onServerDown: 'reschedule',
  timeouts: DEFAULT_TIMEOUTS,
  allow: [],
  deny: [],
  newFlowsPerSecond: 0,
  newFlowsBurst: 0,
  synCookies: 'off',
  synCookiesAbove: 1000,
  localAddresses: [],
  localFirstPort: 10000,
  localLastPort: 32767,
  mirror: undefined,
} as const satisfies Partial<PacketService>

/** The 16 bytes by which the programs know an address: IPv6, or IPv4 as ::ffff:a.b.c.d. */
export function mappedAddress(text: string): Uint8Array {
  const bytes = addressBytes(text)
  if (bytes.length === 16) return bytes
  const mapped = new Uint8Array(16)
  mapped[10] = 0xff
  mapped[11] = 0xff
  mapped.set(bytes, 12)
  return mapped
}

export function formatMapped(bytes: Uint8Array): string {
  const isMapped = bytes.subarray(0, 10).every((byte) => byte === 0) && bytes[10] === 0xff && bytes[11] === 0xff
  if (isMapped) return bytes.subarray(12, 16).join('.')
  const groups: string[] = []
  for (let at = 0; at < 16; at += 2) groups.push(((bytes[at] << 8) | bytes[at + 1]).toString(16))
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1)
}

/** A port as the wire has it, read as a little-endian number. */
export function wirePort(port: number): number {
  return ((port & 0xff) << 8) | (port >>> 8)
}

export const PROTOCOL_NUMBER: Readonly<Record<PacketProtocol, number>> = { tcp: 6, udp: 17, sctp: 132 }
