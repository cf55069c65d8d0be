import { addressBytes } from '../../src/core/index.ts'

/** Frames for BPF_PROG_RUN: built from a few words, read back into a few words, with every checksum verified. */
export interface FrameOptions {
  source: string
  destination: string
  protocol?: 'tcp' | 'udp'
  sourcePort?: number
  destinationPort?: number
  flags?: string
  sequence?: number
  acknowledged?: number
  payload?: number
  ttl?: number
  tos?: number
  tags?: readonly number[]
  options?: number
  identification?: number
  fragmentOffset?: number
  moreFragments?: boolean
  dontFragment?: boolean
  udpChecksum?: boolean
  extensions?: readonly number[]
}

export interface Frame {
  destinationMac: string
  sourceMac: string
  tags: number[]
  version: number
  source: string
  destination: string
  protocol: number
  ttl: number
  tos: number
  length: number
  dontFragment: boolean
  sourcePort: number
  destinationPort: number
  flags: string
  sequence: number
  acknowledged: number
  /** Bytes behind the IP header(s): the transport header and what follows, or the inner packet. */
  inner: Uint8Array
  problems: string[]
}

const PROTOCOLS = { tcp: 6, udp: 17 } as const
const TCP_FLAGS = ['F', 'S', 'R', 'P', 'A'] as const
export const CLIENT_MAC = '02:00:00:00:01:02'
export const OWN_MAC = '02:00:00:00:01:01'

export function checksum(bytes: Uint8Array, start = 0): number {
  let sum = start
  for (let at = 0; at < bytes.length; at += 2) sum += (bytes[at] << 8) | (bytes[at + 1] ?? 0)
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  return ~sum & 0xffff
}

function pseudo(source: Uint8Array, destination: Uint8Array, protocol: number, length: number): number {
  let sum = protocol + length
  for (const address of [source, destination]) for (let at = 0; at < address.length; at += 2) sum += (address[at] << 8) | address[at + 1]
  return sum
}

export function macBytes(text: string): Uint8Array {
  return Uint8Array.from(text.split(':'), (part) => Number.parseInt(part, 16))
}

export function buildTransport(options: FrameOptions): Uint8Array {
  const isTcp = (options.protocol ?? 'tcp') === 'tcp'
  const header = isTcp ? 20 : 8
  const bytes = new Uint8Array(header + (options.payload ?? 0)).fill(0x61, header)
  const view = new DataView(bytes.buffer)
  view.setUint16(0, options.sourcePort ?? 40000)
  view.setUint16(2, options.destinationPort ?? 80)
  if (isTcp) {
    view.setUint32(4, options.sequence ?? 1000)
    view.setUint32(8, options.acknowledged ?? 0)
    let flags = 0
    for (const flag of options.flags ?? 'S') flags |= 1 << TCP_FLAGS.indexOf(flag as 'S')
    view.setUint16(12, (5 << 12) | flags)
    view.setUint16(14, 65535)
  } else view.setUint16(4, bytes.length)
  if (!isTcp && options.udpChecksum === false) return bytes
  const sum = pseudo(addressBytes(options.source), addressBytes(options.destination), PROTOCOLS[options.protocol ?? 'tcp'], bytes.length)
  view.setUint16(isTcp ? 16 : 6, checksum(bytes, sum))
  return bytes
}

export function buildIp(
  options: FrameOptions,
  body = buildTransport(options),
  protocol: number = PROTOCOLS[options.protocol ?? 'tcp'],
): Uint8Array {
  const source = addressBytes(options.source)
  const destination = addressBytes(options.destination)
  if (source.length === 16) {
    const extensions = options.extensions ?? []
    const header = new Uint8Array(40 + extensions.length * 8)
    const view = new DataView(header.buffer)
    view.setUint32(0, (6 << 28) | ((options.tos ?? 0) << 20))
    view.setUint16(4, body.length + extensions.length * 8)
    header[6] = extensions[0] ?? protocol
    header[7] = options.ttl ?? 64
    header.set(source, 8)
    header.set(destination, 24)
    extensions.forEach((_, index) => {
      header[40 + index * 8] = extensions[index + 1] ?? protocol
    })
    return new Uint8Array(Buffer.concat([header, body]))
  }
  const header = new Uint8Array(20 + (options.options ?? 0)).fill(1, 20)
  const view = new DataView(header.buffer)
  header[0] = 0x40 | (header.length / 4)
  header[1] = options.tos ?? 0
  view.setUint16(2, header.length + body.length)
  view.setUint16(4, options.identification ?? 0)
  const fragment = (options.fragmentOffset ?? 0) >>> 3
  view.setUint16(6, fragment | (options.moreFragments === true ? 0x2000 : 0) | (options.dontFragment === false ? 0 : 0x4000))
  if (fragment > 0 || options.moreFragments === true) view.setUint16(6, view.getUint16(6) & 0xbfff)
  header[8] = options.ttl ?? 64
  header[9] = protocol
  header.set(source, 12)
  header.set(destination, 16)
  view.setUint16(10, checksum(header))
  return new Uint8Array(Buffer.concat([header, body]))
}

export function buildFrame(options: FrameOptions, ip = buildIp(options)): Uint8Array {
  const tags = options.tags ?? []
  const ethernet = new Uint8Array(14 + tags.length * 4)
  const view = new DataView(ethernet.buffer)
  ethernet.set(macBytes(OWN_MAC), 0)
  ethernet.set(macBytes(CLIENT_MAC), 6)
  tags.forEach((tag, index) => {
    view.setUint16(12 + index * 4, index === 0 && tags.length === 2 ? 0x88a8 : 0x8100)
    view.setUint16(14 + index * 4, tag)
  })
  view.setUint16(12 + tags.length * 4, ip[0] >>> 4 === 6 ? 0x86dd : 0x0800)
  return new Uint8Array(Buffer.concat([ethernet, ip]))
}

/** An ICMP error from `router` that quotes `quoted` (an IP packet), of which `bytes` come along. */
export function buildIcmpError(router: string, to: string, quoted: Uint8Array, bytes: number, mtu = 1400): Uint8Array {
  const isIpv6 = router.includes(':')
  const body = Buffer.concat([new Uint8Array(8), quoted.subarray(0, bytes)])
  body[0] = isIpv6 ? 2 : 3
  body[1] = isIpv6 ? 0 : 4
  body.writeUInt32BE(mtu, 4)
  const sum = isIpv6 ? pseudo(addressBytes(router), addressBytes(to), 58, body.length) : 0
  body.writeUInt16BE(checksum(body, sum), 2)
  return buildFrame({ source: router, destination: to }, buildIp({ source: router, destination: to }, body, isIpv6 ? 58 : 1))
}

export function readFrame(bytes: Uint8Array): Frame {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const mac = (at: number) => [...bytes.subarray(at, at + 6)].map((byte) => byte.toString(16).padStart(2, '0')).join(':')
  const tags: number[] = []
  let at = 12
  while (view.getUint16(at) === 0x8100 || view.getUint16(at) === 0x88a8) {
    tags.push(view.getUint16(at + 2))
    at += 4
  }
  return { destinationMac: mac(0), sourceMac: mac(6), tags, ...readIp(bytes.subarray(at + 2)) }
}

type Packet = Omit<Frame, 'destinationMac' | 'sourceMac' | 'tags'>

export function readIp(bytes: Uint8Array): Packet {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const version = bytes[0] >>> 4
  const problems: string[] = []
  const header = version === 6 ? 40 : (bytes[0] & 15) * 4
  const length = version === 6 ? view.getUint16(4) + 40 : view.getUint16(2)
  if (length !== bytes.length) problems.push(`IP length ${length}, ${bytes.length} bytes`)
  if (version === 4 && checksum(bytes.subarray(0, header)) !== 0) problems.push('IP checksum')
  const source = bytes.subarray(version === 6 ? 8 : 12, version === 6 ? 24 : 16)
  const destination = bytes.subarray(version === 6 ? 24 : 16, version === 6 ? 40 : 20)
  const protocol = version === 6 ? bytes[6] : bytes[9]
  const inner = bytes.slice(header, length)
  const isFragment = version === 4 && (view.getUint16(6) & 0x3fff) !== 0
  const packet: Packet = {
    version,
    source: textOf(source),
    destination: textOf(destination),
    protocol,
    ttl: version === 6 ? bytes[7] : bytes[8],
    tos: version === 6 ? (view.getUint16(0) >>> 4) & 0xff : bytes[1],
    length,
    dontFragment: version === 4 && (view.getUint16(6) & 0x4000) !== 0,
    sourcePort: 0,
    destinationPort: 0,
    flags: '',
    sequence: 0,
    acknowledged: 0,
    inner,
    problems,
  }
  if (!isFragment) readTransport(packet, source, destination)
  return packet
}

function readTransport(packet: Packet, source: Uint8Array, destination: Uint8Array): void {
  const { inner, protocol, problems } = packet
  const view = new DataView(inner.buffer, inner.byteOffset, inner.length)
  const sum = pseudo(source, destination, protocol, inner.length)
  if (protocol === 6 || protocol === 17) {
    packet.sourcePort = view.getUint16(0)
    packet.destinationPort = view.getUint16(2)
    const hasNone = protocol === 17 && view.getUint16(6) === 0
    if (!hasNone && checksum(inner, sum) !== 0) problems.push('transport checksum')
  }
  if (protocol === 6) {
    packet.sequence = view.getUint32(4)
    packet.acknowledged = view.getUint32(8)
    packet.flags = TCP_FLAGS.filter((_, bit) => (inner[13] & (1 << bit)) !== 0).join('')
  }
  if (protocol === 1 && checksum(inner) !== 0) problems.push('ICMP checksum')
  if (protocol === 58 && checksum(inner, sum) !== 0) problems.push('ICMPv6 checksum')
}

function textOf(address: Uint8Array): string {
  if (address.length === 4) return address.join('.')
  const groups: string[] = []
  for (let at = 0; at < 16; at += 2) groups.push(((address[at] << 8) | address[at + 1]).toString(16))
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1)
}
