import { z } from 'zod'
import { formatCidr, type SocketAddress } from '../core/index.ts'
import { always, cidr, type complain, duration, oneOrMore, options } from '../schema/index.ts'
import { PACKET_ALGORITHMS } from './definition.ts'
import { ipAddress, portRange, prime } from './option.ts'
import type { PacketListenerPlan, PacketPlan, PortRange } from './plan.ts'

export { PACKET_ALGORITHMS } from './definition.ts'
export { SCHEDULER as IPVS_SCHEDULERS } from './ipvs/vocabulary.ts'
export type * from './plan.ts'

const interfaceName = z
  .string()
  .regex(/^[^\s/:]{1,15}$/, 'an interface has a name of at most 15 characters, without spaces, "/" and ":"')
  .meta({ title: 'interface', examples: ['eth0'] })

const timeouts = options({
  new: duration.prefault('1m').describe('A flow of which only the first packet came.'),
  established: duration.prefault('15m').describe('TCP and SCTP without a packet.'),
  finWait: duration.prefault('2m').describe('One side has closed.'),
  timeWait: duration.prefault('2m').describe('Both sides have closed.'),
  closed: duration.prefault('10s').describe('After a reset.'),
  datagram: duration.prefault('5m').describe('UDP without a packet.'),
})

const hashing = options({
  port: z.boolean().default(true).describe("Whether the client's port counts, so that its connections spread."),
  fallback: z
    .boolean()
    .default(true)
    .describe('Whether another server takes over for one that is not available; else the packet is refused.'),
  tableSize: prime.prefault(65537).describe('Places of the table of maglev and ring: a prime, at least 100 for each server.'),
  seed: z.int().min(0).max(0xffffffff).default(0).describe('The same on all balancers that are to choose the same server.'),
})

const persistence = options({
  timeout: duration.prefault('5m').describe('After the last new flow of a client.'),
  prefix4: z.int().min(1).max(32).default(32).describe('Bits of an IPv4 address that make a client.'),
  prefix6: z.int().min(1).max(128).default(128).describe('Bits of an IPv6 address that make a client.'),
})

const limits = options({
  flows: z.int().min(0).max(100_000_000).default(0).describe('For each server: at so many flows it gets no new ones; 0 for no limit.'),
  resumeBelow: z.int().min(0).max(100_000_000).default(0).describe('It gets new ones again below this; 0 for three quarters of "flows".'),
  newFlowsPerSecond: z.int().min(0).max(1_000_000).default(0).describe('For each client address (IPv6: each /64); 0 for no limit.'),
  burst: z.int().min(0).max(1_000_000).default(0).describe('New flows that may come at once; 0 for those of a second.'),
})

/** `packet` of a listener: ways 4, 5 and 6 to a server. */
export const packet = options({
  pool: z.string().min(1).describe('Pool that clients are spread over.'),
  forward: z
    .enum(['nat', 'fullnat', 'dr', 'tun'])
    .describe('"nat" rewrites the destination, "fullnat" the source too, "dr" only the MAC address, "tun" wraps the packet.'),
  engine: z.enum(['xdp', 'ipvs']).default('xdp').describe("Programs of Evener's own, or the kernel's IPVS."),
  interfaces: z.array(interfaceName).default([]).describe("Where clients' packets come in, and servers' answers with nat and fullnat."),
  protocol: oneOrMore(z.enum(['tcp', 'udp', 'sctp']))
    .prefault('tcp')
    .describe('One or more of tcp, udp, sctp.'),
  ports: oneOrMore(portRange)
    .optional()
    .describe('Ports and ranges ("8000-8009") of an address that is bound with port 0, which alone stands for all.'),
  mark: z.int().min(1).max(0xffffffff).optional().describe('With ipvs: packets with this firewall mark, instead of those to addresses.'),
  algorithm: z.enum(PACKET_ALGORITHMS).optional().describe("Instead of the pool's."),
  hash: hashing.prefault({}).describe('Of algorithms that choose by a hash.'),
  persistence: persistence.optional().describe('A client stays with its server, for all ports of the listener.'),
  onePacket: z.boolean().default(false).describe('UDP: each packet is spread by itself, and nothing is remembered.'),
  onServerDown: z
    .enum(['reschedule', 'reset'])
    .default('reschedule')
    .describe('What becomes of a flow whose server is down, with its next packet.'),
  timeouts: timeouts.prefault({}).describe('How long a flow is remembered, by its state.'),
  tunnel: options({
    kind: z.enum(['ipip', 'gue']).default('ipip').describe('IP in IP, or in UDP (GUE variant 1).'),
    port: z.int().min(1).max(65535).default(6080).describe('UDP port of GUE.'),
  })
    .prefault({})
    .describe('Of forward: tun.'),
  local: options({
    addresses: z.array(ipAddress).min(1).describe("Addresses of this machine that servers see as the clients'."),
    ports: portRange.prefault('10000-32767').describe('Their ports; outside of net.ipv4.ip_local_port_range.'),
  })
    .optional()
    .describe('Of forward: fullnat.'),
  access: options({
    allow: z.array(cidr).default([]).describe('With at least one, only these clients.'),
    deny: z.array(cidr).default([]).describe('Never these; the narrower range wins.'),
  })
    .prefault({})
    .describe('Who may come.'),
  limits: limits.prefault({}).describe('For servers and clients.'),
  synCookies: z.enum(['off', 'auto', 'always']).default('off').describe('Answer SYNs without remembering them (nat and fullnat).'),
  synCookiesAbove: z.int().min(1).max(10_000_000).default(1000).describe('With auto: from so many SYNs a second on, for each CPU.'),
  checks: z
    .enum(['direct', 'forwarded'])
    .default('direct')
    .describe('dr and tun: whether checks over TCP go straight to a server, or to "bind" and the way of the packets.'),
  mirror: options({
    interface: interfaceName.describe('Where copies leave, as the packets themselves do.'),
    share: z.number().min(0.1).max(100).default(100).describe('Of the packets to servers, in per cent.'),
  })
    .optional()
    .describe('Copies of packets, for somebody who looks on.'),
}).check(always(checkPacket))

/** `packet` of the top level: what all packet listeners share. */
export const packetPlane = options({
  mode: z
    .enum(['auto', 'native', 'generic'])
    .default('auto')
    .describe('XDP in the driver, or in the stack; "auto" takes the driver where it can.'),
  pins: z
    .union([z.literal('none'), z.string().regex(/^\//, 'a path begins with "/"')])
    .default('/sys/fs/bpf/evener')
    .describe('Folder of a BPF file system that keeps tables and programs over a restart, or "none".'),
  atExit: z.enum(['keep', 'remove']).default('keep').describe('Whether the kernel goes on forwarding when Evener has ended. Needs "pins".'),
  flows: z.int().min(1024).max(64_000_000).default(262_144).describe('Entries for established flows; nat and fullnat take two for each.'),
  newFlows: z.int().min(1024).max(16_000_000).default(65_536).describe('Entries for flows that are not established yet.'),
  icmpPerSecond: z.int().min(0).max(100_000).default(100).describe('ICMP errors that are sent, for each CPU.'),
  tunnelSource: z
    .array(ipAddress)
    .max(2)
    .default([])
    .describe('Source of tunnelled packets; without one it varies within 172.16.0.0/16 and 100::/64.'),
})

export type PacketConfig = z.output<typeof packet>
export type PacketPlaneConfig = z.output<typeof packetPlane>

export function normalisePacketListener(name: string, bind: readonly SocketAddress[], config: PacketConfig): PacketListenerPlan {
  const { persistence: stay, local, access, mirror, timeouts: times, tunnel } = config
  return {
    name,
    bind,
    pool: config.pool,
    forward: config.forward,
    engine: config.engine,
    interfaces: config.interfaces,
    protocols: [...new Set(config.protocol)],
    addresses: bind.flatMap((where) =>
      where.family === 'unix' ? [] : rangesOf(where.port, config.ports).map((range) => ({ address: where.host, ...range })),
    ),
    mark: config.mark,
    algorithm: config.algorithm,
    hash: config.hash,
    persistence: stay && { seconds: seconds(stay.timeout), prefix4: stay.prefix4, prefix6: stay.prefix6 },
    onePacket: config.onePacket,
    onServerDown: config.onServerDown,
    timeouts: {
      young: seconds(times.new),
      established: seconds(times.established),
      finWait: seconds(times.finWait),
      timeWait: seconds(times.timeWait),
      closed: seconds(times.closed),
      datagram: seconds(times.datagram),
    },
    tunnel,
    local: local && { addresses: local.addresses, ...local.ports },
    access: { allow: access.allow.map(formatCidr), deny: access.deny.map(formatCidr) },
    limits: config.limits,
    checks: config.checks,
    mirror: mirror && { interfaceName: mirror.interface, perMille: Math.round(mirror.share * 10) },
    synCookies: { mode: config.synCookies, above: config.synCookiesAbove },
  }
}

/** A listener that says nothing but what it must. */
export function plainListener(): PacketListenerPlan {
  return normalisePacketListener('', [], packet.parse({ pool: 'p', forward: 'dr', interfaces: ['i'] }))
}

/** undefined where no listener is of this kind. */
export function normalisePacketPlane(config: PacketPlaneConfig, listeners: readonly PacketListenerPlan[]): PacketPlan | undefined {
  if (listeners.length === 0) return undefined
  const source = (isV6: boolean) => config.tunnelSource.find((address) => address.includes(':') === isV6)
  return {
    mode: config.mode,
    pins: config.pins === 'none' ? undefined : config.pins,
    keepAtExit: config.atExit === 'keep' && config.pins !== 'none',
    flows: config.flows,
    newFlows: config.newFlows,
    icmpPerSecond: config.icmpPerSecond,
    tunnelSource4: source(false),
    tunnelSource6: source(true),
    listeners,
  }
}

function rangesOf(port: number, ranges: readonly PortRange[] | undefined): readonly PortRange[] {
  if (port !== 0) return [{ firstPort: port, lastPort: port }]
  return ranges ?? [{ firstPort: 0, lastPort: 65535 }]
}

function seconds(ms: number): number {
  return Math.max(1, Math.round(ms / 1000))
}

type Report = (complaint: Parameters<typeof complain>[1], path?: (string | number)[]) => void

/** What does not go together within one listener. */
function checkPacket(value: Record<string, unknown>, report: Report): void {
  const { forward, engine, protocol = ['tcp'] } = value
  const conflict = (key: string, message: string, hint?: string) => report({ code: 'CONFIG_CONFLICT', message, hint }, [key])
  const interfaces = Array.isArray(value.interfaces) ? value.interfaces : []
  if (engine !== 'ipvs' && interfaces.length === 0) {
    report({ code: 'CONFIG_MISSING', message: 'a packet listener needs "interfaces"', hint: 'for example interfaces: [eth0]' })
  }
  if (engine === 'ipvs' && forward === 'fullnat') conflict('forward', 'IPVS has no fullnat', 'nat, dr or tun')
  if (engine !== 'ipvs' && value.mark !== undefined) {
    conflict(
      'mark',
      'firewall marks are set after XDP has seen a packet',
      'list the addresses in "bind", which are one service then, or engine: ipvs',
    )
  }
  if (forward === 'fullnat' && value.local === undefined) {
    report({ code: 'CONFIG_MISSING', message: 'forward: fullnat needs "local"', hint: 'for example local: { addresses: ["10.0.0.2"] }' })
  }
  const isCookied = value.synCookies === 'auto' || value.synCookies === 'always'
  if (isCookied && (forward === 'dr' || forward === 'tun')) {
    const hint = 'servers answer clients directly there: set net.ipv4.tcp_syncookies on them'
    conflict('synCookies', `SYN cookies need nat or fullnat, not ${forward}`, hint)
  }
  if (value.checks === 'forwarded' && forward !== 'dr' && forward !== 'tun') {
    conflict('checks', 'checks can only take the way of packets with dr and tun', 'with nat it is that of any connection')
  }
  const protocols = Array.isArray(protocol) ? protocol : [protocol]
  if (forward === 'fullnat' && protocols.includes('sctp')) {
    conflict('protocol', 'fullnat changes ports, which the checksum of SCTP covers', 'nat, with servers on the port that clients ask for')
  }
  if (value.onePacket === true && protocols.some((each) => each !== 'udp')) conflict('onePacket', 'only UDP can be spread packet by packet')
}
