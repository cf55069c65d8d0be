import { FIELD_NAMES } from '../http/index.ts'
import { parseRequestKey, type RequestKeyKind } from '../schema/index.ts'
import { crc32, hashBytes, hashText } from './hash.ts'

/**
 * What part of a request a hashing algorithm goes by. `source`: the client's address, its first `prefixLength` bits;
 * `destination`: the address that the client connected to; `uri`: path, cut after `depth` segments if that is not 0, with
 * the query if `withQuery`; the others take `name`.
 */
export interface HashKey {
  readonly kind: RequestKeyKind
  /** Lower case for a header, as written for the others, empty where the kind takes none. */
  readonly name: string
  /** `name` as it stands in a request, and the FIELD number of a well-known header (0 for others). */
  readonly nameBytes: Uint8Array
  readonly field: number
  /** Bits of an IPv4 and of an IPv6 source address that count. */
  readonly prefixLength4: number
  readonly prefixLength6: number
  readonly depth: number
  readonly withQuery: boolean
  /** `crc32` is not seeded; it is there to keep the keys of an nginx that is replaced on their servers. */
  readonly method: HashMethod
  /** Keep it secret where clients must not be able to choose their server; the same in every worker. */
  readonly seed: number
}

export const HASH_METHODS = ['murmur3', 'crc32'] as const
export type HashMethod = (typeof HASH_METHODS)[number]

/** The hash of a key's bytes, 0 to 2^32 - 1. Whoever implements KeySource calls it with what it found. */
export function hashKeyBytes(key: HashKey, memory: Uint8Array, start: number, end: number): number {
  return key.method === 'crc32' ? crc32(memory, start, end) : hashBytes(memory, start, end, key.seed)
}

/** A key from an algorithm's options; `pool` seeds it where no seed is given, so that pools differ. */
export function hashKeyFrom(options: Readonly<Record<string, string | number | boolean>>, pool: string): HashKey {
  const parsed = parseRequestKey(String(options.key ?? 'source'))
  if (parsed === undefined) throw new Error(`"${options.key}" is not a hash key`)
  const seed = options.seed === undefined || options.seed === '' ? pool : String(options.seed)
  return {
    ...parsed,
    nameBytes: new Uint8Array(Buffer.from(parsed.name)),
    field: parsed.kind === 'header' ? Math.max(0, FIELD_NAMES.indexOf(parsed.name)) : 0,
    prefixLength4: Number(options.prefixLength4 ?? 32),
    prefixLength6: Number(options.prefixLength6 ?? 64),
    depth: Number(options.depth ?? 0),
    withQuery: options.withQuery === true,
    method: options.hash === 'crc32' ? 'crc32' : 'murmur3',
    seed: hashText(seed, 0),
  }
}
