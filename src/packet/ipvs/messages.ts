import { addressBytes } from '../../core/index.ts'
import type { MessageBuilder } from '../../kernel/netlink/index.ts'
import { type PacketServer, type PacketService, PROTOCOL_NUMBER, wirePort } from '../definition.ts'
import { ATTRIBUTE, DEST_ATTRIBUTE, FAMILY, FORWARD_METHOD, SCHEDULER, SERVICE_ATTRIBUTE, SERVICE_FLAG, TUNNEL_TYPE } from './vocabulary.ts'

/** What names a service of IPVS: an address, port and protocol, or a firewall mark. */
export type ServiceKey =
  | { readonly family: 4 | 6; readonly address: string; readonly port: number; readonly protocol: 'tcp' | 'udp' | 'sctp' }
  | { readonly family: 4 | 6; readonly mark: number }

const EVERY_BIT = 0xffffffff

/** The services of IPVS that one listener is: one for each address and protocol, or one for its mark. */
export function keysOf(service: PacketService): ServiceKey[] {
  const familyOf = (address: string): 4 | 6 => (address.includes(':') ? 6 : 4)
  if (service.mark !== 0) {
    const families = new Set(service.addresses.map(({ address }) => familyOf(address)))
    return [...families].map((family) => ({ family, mark: service.mark }))
  }
  return service.addresses.flatMap(({ address, firstPort }) =>
    service.protocols.map((protocol) => ({ family: familyOf(address), address, port: firstPort, protocol })),
  )
}

/** NEW_SERVICE and SET_SERVICE. */
export function writeService(message: MessageBuilder, key: ServiceKey, service: PacketService): void {
  const isPersistent = service.persistenceSeconds > 0
  const prefix = key.family === 4 ? service.persistencePrefix4 : service.persistencePrefix6
  writeServiceAttributes(message, key, {
    scheduler: SCHEDULER[service.algorithm] ?? '',
    flags: flagsOf(service),
    timeout: service.persistenceSeconds,
    // Without persistence it says nothing; ipvsadm sends this.
    netmask: isPersistent ? netmask(key.family, prefix) : netmask(key.family, key.family === 4 ? 32 : 128),
  })
}

/** What names the service, in all other commands. */
export function writeServiceKey(message: MessageBuilder, key: ServiceKey): void {
  writeServiceAttributes(message, key, { scheduler: '', flags: 0, timeout: 0, netmask: netmask(key.family, key.family === 4 ? 32 : 128) })
}

/** NEW_DEST and SET_DEST. */
export function writeDestination(message: MessageBuilder, service: PacketService, server: PacketServer, port: number): void {
  const isGue = service.forward === 'tun' && service.encapsulation === 'gue'
  writeDestinationAttributes(message, server.address, port, {
    method: service.forward === 'fullnat' ? 0 : FORWARD_METHOD[service.forward],
    weight: weightOf(server),
    tunnelType: isGue ? TUNNEL_TYPE.gue : TUNNEL_TYPE.ipip,
    tunnelPort: isGue ? wirePort(service.guePort) : 0,
    upper: server.upper,
    lower: server.lower,
  })
}

/** What names a destination, in DEL_DEST; the rest says nothing, and is what ipvsadm sends. */
export function writeDestinationKey(message: MessageBuilder, address: string, port: number): void {
  const values = { method: FORWARD_METHOD.dr, weight: 1, tunnelType: TUNNEL_TYPE.ipip, tunnelPort: 0, upper: 0, lower: 0 }
  writeDestinationAttributes(message, address, port, values)
}

interface DestinationValues {
  readonly method: number
  readonly weight: number
  readonly tunnelType: number
  readonly tunnelPort: number
  readonly upper: number
  readonly lower: number
}

function writeDestinationAttributes(message: MessageBuilder, address: string, port: number, values: DestinationValues): void {
  message.nest(
    ATTRIBUTE.DEST,
    () => {
      message
        .u16(DEST_ATTRIBUTE.ADDR_FAMILY, address.includes(':') ? FAMILY[6] : FAMILY[4])
        .bytes(DEST_ATTRIBUTE.ADDR, wideAddress(address))
        .u16(DEST_ATTRIBUTE.PORT, wirePort(port))
        .u32(DEST_ATTRIBUTE.FWD_METHOD, values.method)
        .u32(DEST_ATTRIBUTE.WEIGHT, values.weight)
        .u8(DEST_ATTRIBUTE.TUN_TYPE, values.tunnelType)
        .u16(DEST_ATTRIBUTE.TUN_PORT, values.tunnelPort)
        .u16(DEST_ATTRIBUTE.TUN_FLAGS, 0)
        .u32(DEST_ATTRIBUTE.U_THRESH, values.upper)
        .u32(DEST_ATTRIBUTE.L_THRESH, values.lower)
    },
    true,
  )
}

/** Its own port where it has one, else the service's. */
export function portOf(key: ServiceKey, server: PacketServer): number {
  if (server.port !== 0) return server.port
  return 'mark' in key ? 0 : key.port
}

/** IPVS knows no priorities: a server that waits for its turn gets no new flows. */
function weightOf({ weight, share, tier, isDraining }: PacketServer): number {
  return isDraining || tier > 0 || weight * share <= 0 ? 0 : Math.max(1, Math.round(weight * share))
}

interface ServiceValues {
  readonly scheduler: string
  readonly flags: number
  readonly timeout: number
  readonly netmask: number
}

function writeServiceAttributes(message: MessageBuilder, key: ServiceKey, values: ServiceValues): void {
  const flags = new Uint8Array(8)
  const view = new DataView(flags.buffer)
  view.setUint32(0, values.flags, true)
  view.setUint32(4, EVERY_BIT, true)
  message.nest(
    ATTRIBUTE.SERVICE,
    () => {
      message.u16(SERVICE_ATTRIBUTE.AF, FAMILY[key.family])
      if ('mark' in key) message.u32(SERVICE_ATTRIBUTE.FWMARK, key.mark)
      else {
        message
          .u16(SERVICE_ATTRIBUTE.PROTOCOL, PROTOCOL_NUMBER[key.protocol])
          .bytes(SERVICE_ATTRIBUTE.ADDR, wideAddress(key.address))
          .u16(SERVICE_ATTRIBUTE.PORT, wirePort(key.port))
      }
      message
        .text(SERVICE_ATTRIBUTE.SCHED_NAME, values.scheduler)
        .bytes(SERVICE_ATTRIBUTE.FLAGS, flags)
        .u32(SERVICE_ATTRIBUTE.TIMEOUT, values.timeout)
        .u32(SERVICE_ATTRIBUTE.NETMASK, values.netmask)
    },
    true,
  )
}

function flagsOf(service: PacketService): number {
  const isHashed = service.algorithm === 'source-hash' || service.algorithm === 'maglev'
  let flags = service.persistenceSeconds > 0 ? SERVICE_FLAG.PERSISTENT : 0
  if (service.onePacket) flags |= SERVICE_FLAG.ONE_PACKET
  if (isHashed && service.hashFallback) flags |= SERVICE_FLAG.SCHED1
  if (isHashed && service.hashPort) flags |= SERVICE_FLAG.SCHED2
  return flags
}

/** union nf_inet_addr: an IPv4 address in the first four bytes. */
function wideAddress(text: string): Uint8Array {
  const wide = new Uint8Array(16)
  wide.set(addressBytes(text))
  return wide
}

/** IPv4: the mask itself, in network order; IPv6: the length of the prefix. */
function netmask(family: 4 | 6, prefix: number): number {
  if (family === 6) return prefix
  const bytes = Uint8Array.from({ length: 4 }, (_, index) => 0xff << (8 - Math.max(0, Math.min(8, prefix - index * 8))))
  return new DataView(bytes.buffer).getUint32(0, true)
}
