import { ClientAddress, parseIp } from '../../core/index.ts'
import { type HashKey, NO_KEY } from '../../pool/index.ts'
import { hashAddress, hashName } from '../request-key.ts'
import type { Stream } from './stream.ts'

const local = new ClientAddress()

/** The hash of what a connection has of keys: its source, its destination, the name that its TLS asks for. Others belong to requests, and it has none. */
export function keyHashOf(stream: Stream, key: HashKey): number {
  switch (key.kind) {
    case 'source':
      return hashAddress(key, stream.address)
    case 'destination': {
      if (stream.proxied !== null) return hashAddress(key, stream.proxied.destination)
      const address = stream.client.local
      return address.family === 'unix' || !parseIp(address.host, local) ? NO_KEY : hashAddress(key, local)
    }
    case 'sni':
      return hashName(key, stream.serverName)
    default:
      return NO_KEY
  }
}
