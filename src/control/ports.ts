import { createSocket } from 'node:dgram'
import { rmSync, statSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { EvenerError, formatAddress, type SocketAddress } from '../core/index.ts'
import { errnoName, tryBind } from '../kernel/index.ts'

/**
 * Throws when somebody else listens on the address. Workers share their ports (SO_REUSEPORT), and so would a second Evener of
 * the same user, silently taking half of the connections; a socket without that option finds out.
 */
export async function demandFree(address: SocketAddress, isUdp = false): Promise<void> {
  if (address.family === 'unix') return demandFreePath(address.path)
  if (address.port === 0) return
  if (isUdp) return demandFreeForDatagrams(address)
  const bound = bindOnly(address)
  if (bound === undefined) return listenOnce(address)
  if (bound < 0) throw listenError(address, systemError(bound))
}

/** 0, -errno, or undefined where the addon is not at hand. */
function bindOnly(address: SocketAddress): number | undefined {
  try {
    return tryBind(address)
  } catch (error) {
    if (error instanceof EvenerError && error.code === 'NATIVE_UNAVAILABLE') return undefined
    throw error
  }
}

function systemError(result: number): NodeJS.ErrnoException {
  const code = errnoName(result)
  return Object.assign(new Error(code), { code })
}

/** Node can bind only by listening: for an instant a client may be accepted, and reset. */
async function listenOnce(address: Exclude<SocketAddress, { family: 'unix' }>): Promise<void> {
  const server = createServer()
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen({ host: address.host, port: address.port, ipv6Only: address.family === 6, exclusive: true }, resolve)
    })
  } catch (error) {
    throw listenError(address, error as NodeJS.ErrnoException)
  } finally {
    server.close()
  }
}

async function demandFreeForDatagrams(address: Exclude<SocketAddress, { family: 'unix' }>): Promise<void> {
  const isIPv6 = address.family === 6
  const socket = createSocket({ type: isIPv6 ? 'udp6' : 'udp4', ipv6Only: isIPv6 })
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject)
      socket.bind({ address: address.host, port: address.port, exclusive: true }, resolve)
    })
  } catch (error) {
    throw listenError(address, error as NodeJS.ErrnoException)
  } finally {
    socket.close()
  }
}

/** A socket file that nobody answers behind was left by a process that died: it is removed. */
async function demandFreePath(path: string): Promise<void> {
  if (path.startsWith('@')) return
  const isSocket = statSync(path, { throwIfNoEntry: false })?.isSocket()
  if (isSocket === undefined) return
  if (!isSocket) throw new EvenerError('LISTEN_FAILED', `unix:${path} exists and is not a socket; choose another path or remove it`)
  const isAnswered = await new Promise<boolean>((resolve) => {
    const probe = connect({ path })
    probe.once('connect', () => {
      probe.destroy()
      resolve(true)
    })
    probe.once('error', () => resolve(false))
  })
  if (isAnswered) throw new EvenerError('LISTEN_ADDRESS_IN_USE', `unix:${path}: another process listens on this socket`)
  rmSync(path, { force: true })
}

/** The error of a failed bind, in words that say what to do. */
export function listenError(address: SocketAddress, error: NodeJS.ErrnoException): EvenerError {
  const where = formatAddress(address)
  switch (error.code) {
    case 'EADDRINUSE':
      return new EvenerError(
        'LISTEN_ADDRESS_IN_USE',
        `${where} is in use: another process listens there. End it (ss -ltnp shows which one it is) or choose another port.`,
        { cause: error },
      )
    case 'EACCES':
      return new EvenerError(
        'LISTEN_FORBIDDEN',
        `${where} may not be bound by this user: ports below 1024 need root or CAP_NET_BIND_SERVICE.`,
        { cause: error },
      )
    case 'EADDRNOTAVAIL':
      return new EvenerError('LISTEN_ADDRESS_UNAVAILABLE', `${where} is no address of this machine (ip addr shows them).`, { cause: error })
    default:
      return new EvenerError('LISTEN_FAILED', `${where} cannot be listened on: ${error.message}`, { cause: error })
  }
}
