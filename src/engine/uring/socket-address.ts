import type { ClientAddress } from '../../core/index.ts'
import type { Endpoint } from '../datagram.ts'

const AF_INET = 2
const AF_INET6 = 10
/** Room for a struct sockaddr_in6, the longer one. */
export const IP_SOCKADDR_BYTES = 28
const SOCKADDR_IN_BYTES = 16
/** struct cmsghdr, and with a struct in6_pktinfo behind it, aligned. */
const CMSG_BYTES = 16
export const PACKET_INFO_BYTES = 40
const IPPROTO_IP = 0
const IPPROTO_IPV6 = 41
const IP_PKTINFO = 8
const IPV6_PKTINFO = 50

/** Reads a struct sockaddr_in or sockaddr_in6. */
export function readSocketAddress(memory: Uint8Array, at: number, out: Endpoint): void {
  out.port = (memory[at + 2] << 8) | memory[at + 3]
  if (memory[at] === AF_INET) {
    out.address.setIPv4(word(memory, at + 4))
    out.scope = 0
  } else {
    readIPv6(memory, at + 8, out.address)
    out.scope = memory[at + 24] | (memory[at + 25] << 8) | (memory[at + 26] << 16) | (memory[at + 27] << 24)
  }
}

/** Writes one and returns its length. */
export function writeSocketAddress(memory: Uint8Array, at: number, { address, port, scope }: Endpoint): number {
  const isIPv4 = address.family === 4
  memory[at] = isIPv4 ? AF_INET : AF_INET6
  memory[at + 1] = 0
  memory[at + 2] = port >>> 8
  memory[at + 3] = port
  if (isIPv4) {
    writeWord(memory, at + 4, address.word0)
    return SOCKADDR_IN_BYTES
  }
  // No flow label.
  writeWord(memory, at + 4, 0)
  writeIPv6(memory, at + 8, address)
  writeLittle(memory, at + 24, scope)
  return IP_SOCKADDR_BYTES
}

/** Reads which own address a datagram was sent to out of its control data (ip(7), ipv6(7)). */
export function readPacketInfo(memory: Uint8Array, start: number, end: number, out: Endpoint): void {
  out.local.clear()
  out.localInterface = 0
  if (end - start < CMSG_BYTES + 12) return
  const level = memory[start + 8]
  const type = memory[start + 12]
  const at = start + CMSG_BYTES
  if (level === IPPROTO_IP && type === IP_PKTINFO) out.local.setIPv4(word(memory, at + 8))
  else if (level === IPPROTO_IPV6 && type === IPV6_PKTINFO && end - at >= 20) {
    readIPv6(memory, at, out.local)
    out.localInterface = memory[at + 16] | (memory[at + 17] << 8) | (memory[at + 18] << 16) | (memory[at + 19] << 24)
  }
}

/** Writes the control data that makes a datagram come from `local`; returns its length. */
export function writePacketInfo(memory: Uint8Array, at: number, { local, localInterface }: Endpoint): number {
  const isIPv4 = local.family === 4
  memory.fill(0, at, at + PACKET_INFO_BYTES)
  memory[at] = CMSG_BYTES + (isIPv4 ? 12 : 20)
  memory[at + 8] = isIPv4 ? IPPROTO_IP : IPPROTO_IPV6
  memory[at + 12] = isIPv4 ? IP_PKTINFO : IPV6_PKTINFO
  if (isIPv4) {
    // ipi_spec_dst; the interface is left to routing.
    writeWord(memory, at + CMSG_BYTES + 4, local.word0)
    return 32
  }
  writeIPv6(memory, at + CMSG_BYTES, local)
  writeLittle(memory, at + CMSG_BYTES + 16, localInterface)
  return PACKET_INFO_BYTES
}

function readIPv6(memory: Uint8Array, at: number, out: ClientAddress): void {
  out.setIPv6(word(memory, at), word(memory, at + 4), word(memory, at + 8), word(memory, at + 12))
}

function writeIPv6(memory: Uint8Array, at: number, address: ClientAddress): void {
  writeWord(memory, at, address.word0)
  writeWord(memory, at + 4, address.word1)
  writeWord(memory, at + 8, address.word2)
  writeWord(memory, at + 12, address.word3)
}

function word(memory: Uint8Array, at: number): number {
  return (memory[at] << 24) | (memory[at + 1] << 16) | (memory[at + 2] << 8) | memory[at + 3]
}

function writeWord(memory: Uint8Array, at: number, value: number): void {
  memory[at] = value >>> 24
  memory[at + 1] = value >>> 16
  memory[at + 2] = value >>> 8
  memory[at + 3] = value
}

function writeLittle(memory: Uint8Array, at: number, value: number): void {
  memory[at] = value
  memory[at + 1] = value >>> 8
  memory[at + 2] = value >>> 16
  memory[at + 3] = value >>> 24
}
