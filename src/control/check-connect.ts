import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { CheckConnect, CheckSocketEvents, CheckTarget } from '../pool/index.ts'

const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ECONNRESET: 'connection reset',
  EHOSTUNREACH: 'no route to host',
  ENETUNREACH: 'network unreachable',
  ENOENT: 'no such socket',
  EACCES: 'permission denied',
  EPIPE: 'connection closed',
}

/** Connections for active checks, over node:net and node:tls: a few a second, in the control thread. */
export const checkConnect: CheckConnect = (target, events) => {
  const socket = target.transport === 'tls' ? openTls(target) : openTcp(target)
  attach(socket, target, events)
  return {
    write: (bytes) => void socket.write(bytes),
    close: () => {
      socket.removeAllListeners()
      socket.on('error', () => {})
      // A check leaves no TIME_WAIT behind: there may be thousands a minute.
      socket.resetAndDestroy()
    },
  }
}

function openTcp({ address }: CheckTarget): Socket {
  return connectTcp(address.family === 'unix' ? { path: address.path } : { host: address.host, port: address.port, noDelay: true })
}

function openTls({ address, serverName, verify, alpn }: CheckTarget): Socket {
  return connectTls({
    ...(address.family === 'unix' ? { path: address.path } : { host: address.host, port: address.port }),
    servername: serverName === '' ? undefined : serverName,
    rejectUnauthorized: verify,
    ALPNProtocols: [...alpn],
  })
}

function attach(socket: Socket, target: CheckTarget, events: CheckSocketEvents): void {
  socket.once(target.transport === 'tls' ? 'secureConnect' : 'connect', () => events.opened())
  socket.on('data', (bytes: Buffer) => events.received(bytes))
  socket.once('end', () => events.ended())
  socket.once('error', (error: NodeJS.ErrnoException) => events.failed(REASONS[error.code ?? ''] ?? error.message))
}
