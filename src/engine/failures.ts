import { type ErrorCode, EvenerError, formatAddress, type SocketAddress } from '../core/index.ts'
import type { CloseReason } from './connection.ts'

/** The reason for closed() that belongs to the name of an errno, such as "ECONNREFUSED". Both backends map through here. */
export function closeReason(errno: string): CloseReason {
  switch (errno) {
    case 'ECONNRESET':
    case 'EPIPE':
    case 'ECONNABORTED':
      return 'reset'
    // A Unix socket whose file is missing or whose accept queue is full refuses, as a closed TCP port does.
    case 'ECONNREFUSED':
    case 'ENOENT':
    case 'EAGAIN':
      return 'refused'
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
    case 'EHOSTDOWN':
    case 'ENETDOWN':
      return 'unreachable'
    case 'ETIMEDOUT':
      return 'timeout'
    case 'EMFILE':
    case 'ENFILE':
    case 'ENOMEM':
    case 'ENOBUFS':
      return 'overload'
    default:
      return 'failed'
  }
}

/** The error for an address that cannot be listened on: it names the address and the way out. */
export function listenError(address: SocketAddress, errno: string, cause?: unknown): EvenerError {
  const [code, why] = refusal(address, errno)
  return new EvenerError(code, `cannot listen on ${formatAddress(address)}: ${why}`, { cause })
}

function refusal(address: SocketAddress, errno: string): [ErrorCode, string] {
  const isUnix = address.family === 'unix'
  switch (errno) {
    case 'EADDRINUSE':
      if (isUnix) return ['LISTEN_ADDRESS_IN_USE', 'the file exists; stop the program that owns it, or remove the file']
      return ['LISTEN_ADDRESS_IN_USE', 'the port is taken; stop the program that holds it, or choose another port']
    // libuv says EACCES where the kernel says ENOENT.
    case 'ENOENT':
    case 'EACCES':
    case 'EPERM':
      if (isUnix)
        return ['LISTEN_FORBIDDEN', 'its folder is missing or closed to this process; create it, or allow the process to write there']
      return ['LISTEN_FORBIDDEN', 'permission denied; give the process CAP_NET_BIND_SERVICE, or choose a port above 1023']
    case 'EADDRNOTAVAIL':
      return [
        'LISTEN_ADDRESS_UNAVAILABLE',
        `no interface of this machine has it; add it to one, or listen on ${address.family === 6 ? '[::]' : '0.0.0.0'}`,
      ]
    case 'ENOTSUP':
    case 'EOPNOTSUPP':
    case 'ENOPROTOOPT':
      return ['LISTEN_FAILED', 'this system cannot share a port between workers (SO_REUSEPORT); run with one worker']
    default:
      return ['LISTEN_FAILED', errno]
  }
}
