import { EvenerError } from '../../core/index.ts'
import { MessageBuilder, readAttributes } from './message.ts'
import { FLAG, type NativeNetlink, NETLINK, NetlinkSocket } from './socket.ts'

const GET_LINK = 18
const NEW_LINK_ATTRIBUTE = { ADDRESS: 1, NAME: 3, MTU: 4, LINK: 5, INFO: 18, XDP: 43 } as const
const XDP_ATTACHED = 2
const XDP_ATTACHED_GENERIC = 2
const INFO_KIND = 1
const INFO_DATA = 2
const VLAN_ID = 1
const GET_ROUTE = 26
const NEW_NEIGHBOUR = 28
const ROUTE_ATTRIBUTE = { DESTINATION: 1, OUTPUT: 4, GATEWAY: 5 } as const
const NEIGHBOUR_DESTINATION = 1
const GET_NEIGHBOUR = 30
const NEIGHBOUR_STATE = { REACHABLE: 2, STALE: 4, DELAY: 8, PROBE: 0x10, NO_ARP: 0x40, PERMANENT: 0x80 } as const
const NEIGHBOUR_FLAG_USE = 1
const FAMILY = { 4: 2, 6: 10 } as const
const NEW_ADDRESS = 20
const DELETE_ADDRESS = 21
const ADDRESS_ATTRIBUTE = { ADDRESS: 1, LOCAL: 2 } as const

export interface LinkInfo {
  readonly index: number
  readonly name: string
  readonly mtu: number
  readonly address: Uint8Array
  /** Of a VLAN interface: the interface below it and its tag. */
  readonly vlan: { parent: number; id: number } | undefined
  /** Whether an XDP program is on it, and where it runs. */
  readonly xdp: 'none' | 'native' | 'generic'
}

export interface NextHop {
  readonly interfaceIndex: number
  /** The gateway, or the destination itself on a network that the machine is part of. */
  readonly address: Uint8Array
}

/** The kernel's links, routes, neighbours and addresses. */
export class RouteSocket {
  readonly #socket: NetlinkSocket

  constructor(native: NativeNetlink) {
    this.#socket = new NetlinkSocket(native, NETLINK.ROUTE)
  }

  links(): LinkInfo[] {
    const message = new MessageBuilder(GET_LINK, FLAG.REQUEST | FLAG.DUMP, new Uint8Array(16)).build()
    return this.#socket.request(message, 'listing interfaces').map(readLink)
  }

  link(name: string): LinkInfo | undefined {
    return this.links().find((link) => link.name === name)
  }

  /** Throws PACKET_INTERFACE_UNKNOWN, with the names that there are. */
  demandLink(name: string): LinkInfo {
    const links = this.links()
    const link = links.find((each) => each.name === name)
    if (link !== undefined) return link
    throw new EvenerError(
      'PACKET_INTERFACE_UNKNOWN',
      `there is no interface "${name}"; there ${links.length === 1 ? 'is' : 'are'} ${links.map((each) => each.name).join(', ')}`,
    )
  }

  /** Where packets to an address (4 or 16 bytes) leave; undefined without a route. */
  nextHop(destination: Uint8Array): NextHop | undefined {
    const fixed = new Uint8Array(12)
    fixed[0] = destination.length === 4 ? FAMILY[4] : FAMILY[6]
    fixed[1] = destination.length * 8
    const message = new MessageBuilder(GET_ROUTE, FLAG.REQUEST, fixed).bytes(ROUTE_ATTRIBUTE.DESTINATION, destination).build()
    const answers = this.#socket.tryRequest(message)
    if (typeof answers === 'number' || answers.length === 0) return undefined
    const attributes = readAttributes(answers[0], 12)
    const output = attributes.get(ROUTE_ATTRIBUTE.OUTPUT)
    if (output === undefined) return undefined
    return { interfaceIndex: readU32(output), address: attributes.get(ROUTE_ATTRIBUTE.GATEWAY) ?? destination }
  }

  /**
   * Has the kernel find out a neighbour's MAC address, or make sure of the one it knows. A permanent entry is left alone, for the
   * kernel would take it back. True if the address is known, be it an old one.
   */
  useNeighbour(hop: NextHop): boolean {
    const answers = this.#socket.tryRequest(neighbourMessage(GET_NEIGHBOUR, FLAG.REQUEST, hop, 0))
    const state = typeof answers === 'number' || answers.length === 0 ? 0 : answers[0][8] | (answers[0][9] << 8)
    const { REACHABLE, STALE, DELAY, PROBE, NO_ARP, PERMANENT } = NEIGHBOUR_STATE
    if ((state & (REACHABLE | NO_ARP | PERMANENT)) !== 0) return true
    this.#socket.tryRequest(neighbourMessage(NEW_NEIGHBOUR, FLAG.REQUEST | FLAG.ACK | FLAG.CREATE | FLAG.REPLACE, hop, NEIGHBOUR_FLAG_USE))
    return (state & (STALE | DELAY | PROBE)) !== 0
  }

  /** Adds an address to an interface; false if it was there. */
  addAddress(interfaceIndex: number, address: Uint8Array): boolean {
    const flags = FLAG.REQUEST | FLAG.ACK | FLAG.CREATE | FLAG.EXCLUSIVE
    const result = this.#socket.tryRequest(addressMessage(NEW_ADDRESS, flags, interfaceIndex, address))
    if (result === -17) return false
    if (typeof result === 'number') this.#socket.request(addressMessage(NEW_ADDRESS, flags, interfaceIndex, address), 'adding an address')
    return true
  }

  /** False if it was not there any more. */
  tryRemoveAddress(interfaceIndex: number, address: Uint8Array): boolean {
    const message = addressMessage(DELETE_ADDRESS, FLAG.REQUEST | FLAG.ACK, interfaceIndex, address)
    return typeof this.#socket.tryRequest(message) !== 'number'
  }

  close(): void {
    this.#socket.close()
  }
}

function neighbourMessage(type: number, flags: number, hop: NextHop, neighbourFlags: number): Uint8Array {
  const fixed = new Uint8Array(12)
  fixed[0] = hop.address.length === 4 ? FAMILY[4] : FAMILY[6]
  new DataView(fixed.buffer).setInt32(4, hop.interfaceIndex, true)
  fixed[10] = neighbourFlags
  return new MessageBuilder(type, flags, fixed).bytes(NEIGHBOUR_DESTINATION, hop.address).build()
}

function addressMessage(type: number, flags: number, interfaceIndex: number, address: Uint8Array): Uint8Array {
  const fixed = new Uint8Array(8)
  fixed[0] = address.length === 4 ? FAMILY[4] : FAMILY[6]
  fixed[1] = address.length * 8
  new DataView(fixed.buffer).setUint32(4, interfaceIndex, true)
  const message = new MessageBuilder(type, flags, fixed).bytes(ADDRESS_ATTRIBUTE.LOCAL, address)
  return message.bytes(ADDRESS_ATTRIBUTE.ADDRESS, address).build()
}

function readLink(payload: Uint8Array): LinkInfo {
  const attributes = readAttributes(payload, 16)
  const name = attributes.get(NEW_LINK_ATTRIBUTE.NAME)
  const parent = attributes.get(NEW_LINK_ATTRIBUTE.LINK)
  const information = attributes.get(NEW_LINK_ATTRIBUTE.INFO)
  const details = information === undefined ? new Map<number, Uint8Array>() : readAttributes(information, 0)
  const kind = details.get(INFO_KIND)
  const data = details.get(INFO_DATA)
  const tag = kind !== undefined && data !== undefined && textOf(kind) === 'vlan' ? readAttributes(data, 0).get(VLAN_ID) : undefined
  return {
    index: new DataView(payload.buffer, payload.byteOffset).getInt32(4, true),
    name: name === undefined ? '' : textOf(name),
    mtu: readU32(attributes.get(NEW_LINK_ATTRIBUTE.MTU) ?? new Uint8Array(4)),
    address: attributes.get(NEW_LINK_ATTRIBUTE.ADDRESS) ?? new Uint8Array(0),
    xdp: readXdp(attributes.get(NEW_LINK_ATTRIBUTE.XDP)),
    vlan: tag === undefined || parent === undefined ? undefined : { parent: readU32(parent), id: tag[0] | (tag[1] << 8) },
  }
}

function readXdp(nested: Uint8Array | undefined): 'none' | 'native' | 'generic' {
  const attached = nested === undefined ? 0 : (readAttributes(nested, 0).get(XDP_ATTACHED)?.[0] ?? 0)
  return attached === 0 ? 'none' : attached === XDP_ATTACHED_GENERIC ? 'generic' : 'native'
}

function readU32(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true)
}

function textOf(bytes: Uint8Array): string {
  const end = bytes.indexOf(0)
  return Buffer.from(bytes.buffer, bytes.byteOffset, end === -1 ? bytes.length : end).toString('utf8')
}
