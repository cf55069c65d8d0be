import { ClientAddress, parseIp } from '../../core/index.ts'
import { type HashKey, hashKeyBytes, NO_KEY } from '../../pool/index.ts'
import type { Stream } from './stream.ts'

const bytes = new Uint8Array(16)
const local = new ClientAddress()

/** The hash of what a connection has of keys: its source, its destination. Others belong to requests, and it has none. */
export function keyHashOf(stream: Stream, key: HashKey): number {
  switch (key.kind) {
    case 'source':
      return addressKeyHash(key, stream.address)
    case 'destination': {
      const address = stream.client.local
      if (address.family === 'unix' || !parseIp(address.host, local)) return NO_KEY
      return addressKeyHash(key, local)
    }
    default:
      return NO_KEY
  }
}

/** The hash of an address as bytes in network order, of which the key's first bits count. */
export function addressKeyHash(key: HashKey, address: ClientAddress): number {
  if (address.family === 0) return NO_KEY
  const isSource = key.kind === 'source'
  if (address.family === 4) {
    putWord(0, address.word0, isSource ? key.prefixLength4 : 32)
    return hashKeyBytes(key, bytes, 0, 4)
  }
  const bits = isSource ? key.prefixLength6 : 128
  putWord(0, address.word0, bits)
  putWord(4, address.word1, bits - 32)
  putWord(8, address.word2, bits - 64)
  putWord(12, address.word3, bits - 96)
  return hashKeyBytes(key, bytes, 0, 16)
}

/** Writes the first `bits` of a word; the others are 0. */
function putWord(at: number, word: number, bits: number): void {
  const kept = bits <= 0 ? 0 : bits >= 32 ? word : word & (-1 << (32 - bits))
  bytes[at] = kept >>> 24
  bytes[at + 1] = kept >>> 16
  bytes[at + 2] = kept >>> 8
  bytes[at + 3] = kept
}
