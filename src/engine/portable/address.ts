import type { AddressInfo, Socket } from 'node:net'
import type { SocketAddress } from '../../core/index.ts'

/** node:net's spelling of a path: an abstract name begins with NUL instead of "@". */
export function socketPath(path: string): string {
  return path.startsWith('@') ? `\0${path.slice(1)}` : path
}

/** The address a server is bound to: `asked` with the port that the kernel chose. */
export function boundAddress(asked: SocketAddress, bound: AddressInfo | string | null): SocketAddress {
  if (asked.family === 'unix' || bound === null || typeof bound === 'string') return asked
  return { family: asked.family, host: bound.address, port: bound.port }
}

/** The peer of an accepted socket, or undefined when it has gone already. A Unix peer has no name: its path is empty. */
export function peerAddress(socket: Socket, family: SocketAddress['family']): SocketAddress | undefined {
  if (family === 'unix') return { family, path: '' }
  const host = socket.remoteAddress
  const port = socket.remotePort
  return host === undefined || port === undefined ? undefined : { family, host, port }
}

export function ownAddress(socket: Socket, family: SocketAddress['family']): SocketAddress | undefined {
  if (family === 'unix') return undefined
  const host = socket.localAddress
  const port = socket.localPort
  return host === undefined || port === undefined ? undefined : { family, host, port }
}

export function anyAddress(family: SocketAddress['family']): SocketAddress {
  if (family === 'unix') return { family, path: '' }
  return { family, host: family === 6 ? '::' : '0.0.0.0', port: 0 }
}
