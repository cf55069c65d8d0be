import { EvenerError, formatAddress, type SocketAddress } from '../core/index.ts'
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
  const where = formatAddress(address)
  switch (errno) {
    case 'EADDRINUSE':
      return address.family === 'unix'
        ? new EvenerError(
            'LISTEN_ADDRESS_IN_USE',
            `cannot listen on ${where}: the file exists; stop the program that owns it, or remove the file`,
            { cause },
          )
        : new EvenerError(
            'LISTEN_ADDRESS_IN_USE',
            `cannot listen on ${where}: the port is taken; stop the program that holds it, or choose another port`,
            { cause },
          )
    case 'EACCES':
    case 'EPERM':
      return new EvenerError('LISTEN_FORBIDDEN', `cannot listen on ${where}: permission denied; ${wayIn(address)}`, { cause })
    case 'EADDRNOTAVAIL':
      return new EvenerError(
        'LISTEN_ADDRESS_UNAVAILABLE',
        `cannot listen on ${where}: no interface of this machine has the address; add it, or listen on ${address.family === 6 ? '[::]' : '0.0.0.0'}`,
        { cause },
      )
    case 'ENOTSUP':
    case 'EOPNOTSUPP':
    case 'ENOPROTOOPT':
      return new EvenerError(
        'LISTEN_FAILED',
        `cannot listen on ${where}: this system cannot share a port between workers (SO_REUSEPORT); run with one worker`,
        { cause },
      )
    default:
      return new EvenerError('LISTEN_FAILED', `cannot listen on ${where}: ${errno}`, { cause })
  }
}

function wayIn(address: SocketAddress): string {
  if (address.family === 'unix') return 'allow the process to write to the directory'
  return 'give the process CAP_NET_BIND_SERVICE, or choose a port above 1023'
}
