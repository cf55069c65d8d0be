import type { ClientAddress, SocketAddress } from '../core/index.ts'
import { checked } from './errno.ts'
import { native } from './native.ts'

const AF_UNIX = 1
const AF_INET = 2
const AF_INET6 = 10
const SOCK_STREAM = 1
const SOCK_DGRAM = 2
const SOL_SOCKET = 1
const SO_REUSEADDR = 2
const SO_RCVBUF = 8
const RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024
const SO_REUSEPORT = 15
const IPPROTO_TCP = 6
const TCP_NODELAY = 1
const IPPROTO_IPV6 = 41
const IPV6_V6ONLY = 26
const IPV6_RECVPKTINFO = 49
const IPPROTO_IP = 0
const IP_PKTINFO = 8
const IP_BIND_ADDRESS_NO_PORT = 24
const SHUT_WR = 1
const EINVAL = 22
/** Offsets of sin_addr and sin6_addr in their structures. */
const SIN_ADDRESS = 4
const SIN6_ADDRESS = 8

/** Room for any struct sockaddr. */
export const SOCKET_ADDRESS_BYTES = 128

const scratch = new Uint8Array(SOCKET_ADDRESS_BYTES)

/** Writes a struct sockaddr; returns its length or -errno. */
export function packAddress(target: Uint8Array, address: SocketAddress): number {
  if (address.family === 'unix') return native().packPath(target, address.path)
  if (!Number.isInteger(address.port) || address.port < 0 || address.port > 65535) return -EINVAL
  return native().packAddress(target, address.family, address.host, address.port)
}

/** The address that a struct sockaddr holds. A Unix socket without a name has the path "". */
export function unpackAddress(source: Uint8Array, length: number): SocketAddress {
  const unpacked = checked('sockaddr', native().unpackAddress(source, length))
  return typeof unpacked === 'string' ? { family: 'unix', path: unpacked } : unpacked
}

export interface ListenSocketOptions {
  readonly address: SocketAddress
  readonly backlog: number
  readonly reusePort: boolean
}

/** A listening stream socket whose accepted sockets inherit TCP_NODELAY. Returns its descriptor or -errno. */
export function listenSocket(options: ListenSocketOptions): number {
  const fd = streamSocket(options.address)
  if (fd < 0) return fd
  const result = bindAndListen(fd, options)
  if (result < 0) native().close(fd)
  return result < 0 ? result : fd
}

function bindAndListen(fd: number, { address, backlog, reusePort }: ListenSocketOptions): number {
  const addon = native()
  if (address.family !== 'unix') addon.setOption(fd, SOL_SOCKET, SO_REUSEADDR, 1)
  // So that 0.0.0.0 and [::] can share a port.
  if (address.family === 6) addon.setOption(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1)
  if (reusePort) {
    const shared = addon.setOption(fd, SOL_SOCKET, SO_REUSEPORT, 1)
    if (shared < 0) return shared
  }
  const length = packAddress(scratch, address)
  if (length < 0) return length
  const bound = addon.bind(fd, scratch, length)
  return bound < 0 ? bound : addon.listen(fd, backlog)
}

/**
 * Whether a stream socket could listen on an address: it is bound without SO_REUSEPORT, and so is refused where anybody listens, and it
 * never listens itself, so that no client meets it. Returns 0 or -errno.
 */
export function tryBind(address: SocketAddress): number {
  const fd = streamSocket(address)
  if (fd < 0) return fd
  const addon = native()
  // Connections of an earlier listener that the kernel still remembers (TIME_WAIT) do not count; a socket that listens does.
  addon.setOption(fd, SOL_SOCKET, SO_REUSEADDR, 1)
  if (address.family === 6) addon.setOption(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1)
  const length = packAddress(scratch, address)
  const result = length < 0 ? length : addon.bind(fd, scratch, length)
  addon.close(fd)
  return Math.min(result, 0)
}

/** A stream socket for connecting to `address`, bound to `source` if there is one. Returns its descriptor or -errno. */
export function connectSocket(address: SocketAddress, source: SocketAddress | undefined): number {
  const fd = streamSocket(address)
  if (fd < 0 || source === undefined) return fd
  const result = bindSource(fd, source)
  if (result < 0) native().close(fd)
  return result < 0 ? result : fd
}

function bindSource(fd: number, source: SocketAddress): number {
  // The port is chosen by connect(), when the whole four-tuple is known, and so is not used up by the source address alone.
  if (source.family !== 'unix' && source.port === 0) native().setOption(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
  const length = packAddress(scratch, source)
  return length < 0 ? length : native().bind(fd, scratch, length)
}

function streamSocket(address: SocketAddress): number {
  const domain = address.family === 'unix' ? AF_UNIX : address.family === 6 ? AF_INET6 : AF_INET
  const fd = native().socket(domain, SOCK_STREAM, 0)
  if (fd >= 0 && address.family !== 'unix') native().setOption(fd, IPPROTO_TCP, TCP_NODELAY, 1)
  return fd
}

export interface DatagramSocketOptions {
  readonly address: SocketAddress
  readonly reusePort: boolean
  /** Each datagram tells which own address it was sent to. */
  readonly packetInfo: boolean
}

/** A socket for datagrams, bound to an address. Returns its descriptor or -errno. */
export function datagramSocket({ address, reusePort, packetInfo }: DatagramSocketOptions): number {
  const fd = emptyDatagramSocket(address)
  if (fd < 0) return fd
  const addon = native()
  if (address.family === 6) addon.setOption(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1)
  // The kernel cuts it to net.core.rmem_max: a burst waits here while the loop is elsewhere.
  addon.setOption(fd, SOL_SOCKET, SO_RCVBUF, RECEIVE_BUFFER_BYTES)
  if (packetInfo && address.family === 6) addon.setOption(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1)
  else if (packetInfo) addon.setOption(fd, IPPROTO_IP, IP_PKTINFO, 1)
  const result = bindDatagrams(fd, address, reusePort)
  if (result < 0) addon.close(fd)
  return result < 0 ? result : fd
}

/** For a port of its choice the kernel takes one that others share, too, if the socket shares its port already: it must not until it has one. */
function bindDatagrams(fd: number, address: SocketAddress, reusePort: boolean): number {
  const addon = native()
  const isChosen = address.family !== 'unix' && address.port === 0
  const share = (): number => (reusePort ? addon.setOption(fd, SOL_SOCKET, SO_REUSEPORT, 1) : 0)
  const shared = isChosen ? 0 : share()
  const length = shared < 0 ? shared : packAddress(scratch, address)
  const result = length < 0 ? length : addon.bind(fd, scratch, length)
  return result < 0 || !isChosen ? result : share()
}

/** A socket for datagrams of that family of addresses. Returns its descriptor or -errno. */
export function emptyDatagramSocket({ family }: SocketAddress): number {
  return family === 'unix' ? -EINVAL : native().socket(family === 6 ? AF_INET6 : AF_INET, SOCK_DGRAM, 0)
}

/** The address that a socket is bound to, or undefined when the descriptor has none (any more). */
export function localAddress(fd: number): SocketAddress | undefined {
  const length = native().localAddress(fd, scratch)
  return length < 0 ? undefined : unpackAddress(scratch, length)
}

/** The address of the other side, or undefined when it cannot be asked for: the peer has reset the connection. */
export function peerAddress(fd: number): SocketAddress | undefined {
  const length = native().peerAddress(fd, scratch)
  return length < 0 ? undefined : unpackAddress(scratch, length)
}

/** The IP address of the other side as numbers, without making an object; false where there is none (any more). */
export function readPeerIp(fd: number, out: ClientAddress): boolean {
  out.clear()
  if (native().peerAddress(fd, scratch) < 0) return false
  const family = scratch[0] | (scratch[1] << 8)
  if (family === AF_INET) out.setIPv4(wordAt(SIN_ADDRESS))
  else if (family === AF_INET6)
    out.setIPv6(wordAt(SIN6_ADDRESS), wordAt(SIN6_ADDRESS + 4), wordAt(SIN6_ADDRESS + 8), wordAt(SIN6_ADDRESS + 12))
  return out.family !== 0
}

function wordAt(at: number): number {
  return (scratch[at] << 24) | (scratch[at + 1] << 16) | (scratch[at + 2] << 8) | scratch[at + 3]
}

/** Sends FIN; returns 0 or -errno. */
export function shutdownWrite(fd: number): number {
  return native().shutdown(fd, SHUT_WR)
}
