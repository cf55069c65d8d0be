import type { HostMatchPlan } from './config.ts'

const DOT = 0x2e
/** FNV-1a over the bytes from the last to the first, so that the hash of every suffix falls out on the way. */
const HASH_START = 0x811c9dc5 | 0
const HASH_PRIME = 0x01000193

/**
 * Finds the path tries that a host leads to: that of its exact name and those of all wildcards above it, in one pass over the
 * bytes from right to left, whatever the number of hosts.
 *
 *   a.shop.test:   "test" ◀ ".test" ◀ "shop.test" ◀ ".shop.test" ◀ "a.shop.test"
 *                           *.test                  *.shop.test     exact
 */
export class HostIndex {
  /** Root numbers found by the last find(). */
  readonly found: Int32Array
  readonly #mask: number
  /** Number of an entry plus one, by hash; 0 is free. */
  readonly #slots: Int32Array
  readonly #hashes: Int32Array
  readonly #names: readonly Uint8Array[]
  readonly #hasWildcards: boolean

  /** `hosts` are keys of hostKey(); the root number of each is its position. */
  constructor(hosts: readonly string[]) {
    let size = 8
    while (size < hosts.length * 2) size *= 2
    this.#mask = size - 1
    this.#slots = new Int32Array(size)
    this.#names = hosts.map((host) => Uint8Array.from(host, (character) => character.charCodeAt(0)))
    this.#hashes = Int32Array.from(this.#names, hashOf)
    this.#hasWildcards = hosts.some((host) => host.startsWith('.'))
    this.found = new Int32Array(2 + Math.max(0, ...hosts.map((host) => host.split('.').length)))
    for (let entry = 0; entry < hosts.length; entry++) {
      let slot = this.#hashes[entry] & this.#mask
      while (this.#slots[slot] !== 0) slot = (slot + 1) & this.#mask
      this.#slots[slot] = entry + 1
    }
  }

  /** Fills `found` and returns how many there are. memory[start, end) is a host without port, in any case, with or without a final dot. */
  find(memory: Uint8Array, start: number, end: number): number {
    if (this.#names.length === 0 || start === end) return 0
    if (memory[end - 1] === DOT) end--
    let count = 0
    let hash = HASH_START
    for (let at = end - 1; at >= start; at--) {
      const byte = lowerCase(memory[at])
      hash = Math.imul(hash ^ byte, HASH_PRIME)
      // A wildcard stands for at least one byte; the key of "*.shop.test" is ".shop.test".
      if (byte !== DOT || !this.#hasWildcards || at === start) continue
      const root = this.#lookup(hash, memory, at, end)
      if (root !== -1) this.found[count++] = root
    }
    if (memory[start] === DOT) return count
    const root = this.#lookup(hash, memory, start, end)
    if (root !== -1) this.found[count++] = root
    return count
  }

  #lookup(hash: number, memory: Uint8Array, start: number, end: number): number {
    for (let slot = hash & this.#mask; this.#slots[slot] !== 0; slot = (slot + 1) & this.#mask) {
      const entry = this.#slots[slot] - 1
      if (this.#hashes[entry] === hash && equals(this.#names[entry], memory, start, end)) return entry
    }
    return -1
  }
}

/** The key under which the index holds a host. Exact names never begin with a dot. */
export function hostKey(match: HostMatchPlan): string {
  const host = match.host.toLowerCase().replace(/\.$/, '')
  return match.kind === 'wildcard' ? `.${host}` : host
}

function equals(name: Uint8Array, memory: Uint8Array, start: number, end: number): boolean {
  if (name.length !== end - start) return false
  for (let i = 0; i < name.length; i++) if (name[i] !== lowerCase(memory[start + i])) return false
  return true
}

function lowerCase(byte: number): number {
  return byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte
}

function hashOf(name: Uint8Array): number {
  let hash = HASH_START
  for (let i = name.length - 1; i >= 0; i--) hash = Math.imul(hash ^ name[i], HASH_PRIME)
  return hash
}
