/**
 * kernel: system calls, through the addon in native/, which is imported here only.
 *
 * In: plain numbers, addresses and bytes. Out: descriptors, shared memory and results; a negative number is -errno. No policy:
 * what to do about a failure is the caller's business. Importing this room loads nothing; the first use of the addon does.
 */
export { checked, errnoName } from './errno.ts'
export { type Native, type NativeMapping, type NativeRing, native, RING_SHARED } from './native.ts'
export { closePipe, hasSplice, openPipe, type PipeEnds, setNonBlocking, splice } from './pipe.ts'
export { isAtLeast, ringObstacle } from './probe.ts'
export {
  connectSocket,
  type DatagramSocketOptions,
  datagramSocket,
  emptyDatagramSocket,
  type ListenSocketOptions,
  listenSocket,
  localAddress,
  packAddress,
  peerAddress,
  readPeerIp,
  SOCKET_ADDRESS_BYTES,
  shutdownWrite,
  tryBind,
  unpackAddress,
} from './socket.ts'
export {
  createTls,
  type NativeTls,
  type NativeTlsInfo,
  TICKET_KEYS,
  TLS_BIT,
  TLS_RECORD_ADDS,
  TLS_RECORD_BYTES,
  TLS_RESULT,
} from './tls.ts'
