import { formatAddress, type SocketAddress } from '../core/index.ts'

/**
 * What a listener's socket is found by when the next Plan comes: its address. Port 0 asks for any port: each such bind has a socket
 * of its own, which is also found by the port that it got, because that is what the Plan says from then on.
 */
export function socketKey(listener: string, position: number, address: SocketAddress): string {
  const text = formatAddress(address)
  return address.family !== 'unix' && address.port === 0 ? `${text} ${listener} ${position}` : text
}

/** The socket of that key, or the one that is bound to that address. */
export function keptSocket<T>(sockets: ReadonlyMap<string, T>, key: string, addressOf: (socket: T) => SocketAddress): T | undefined {
  const known = sockets.get(key)
  if (known !== undefined) return known
  for (const socket of sockets.values()) if (formatAddress(addressOf(socket)) === key) return socket
  return undefined
}
