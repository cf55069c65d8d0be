import type { HostMatchPlan } from './config.ts'

const DOT = 0x2e
/** FNV-1a over the bytes from the last to the first, so that the hash of every suffix falls out on the way. */
const HASH_START = 0x811c9dc5 | 0
const HASH_PRIME = 0x01000193

/** Numbers of a slot. */
const HASH = 1
const NAME_START = 2
const NAME_END = 3
const STRIDE = 4

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
  /** By hash: root number plus one (0 is free), hash, start and end of the name. One line of the cache for each question. */
  readonly #slots: Int32Array
  readonly #names: Uint8Array
  readonly #hasWildcards: boolean

  /** `hosts` are keys of hostKey(); the root number of each is its position. */
  constructor(hosts: readonly string[]) {
    let size = 8
    while (size < hosts.length * 2) size *= 2
    this.#mask = size - 1
    this.#slots = new Int32Array(size * STRIDE)
    this.#names = Uint8Array.from(hosts.join(''), (character) => character.charCodeAt(0))
    this.#hasWildcards = hosts.some((host) => host.startsWith('.'))
    this.found = new Int32Array(2 + hosts.reduce((most, host) => Math.max(most, host.split('.').length), 0))
    let start = 0
    for (let root = 0; root < hosts.length; root++) {
      const end = start + hosts[root].length
      const hash = hashOf(this.#names, start, end)
      let slot = hash & this.#mask
      while (this.#slots[slot * STRIDE] !== 0) slot = (slot + 1) & this.#mask
      this.#slots.set([root + 1, hash, start, end], slot * STRIDE)
      start = end
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
    const slots = this.#slots
    for (let at = (hash & this.#mask) * STRIDE; slots[at] !== 0; at = at + STRIDE === slots.length ? 0 : at + STRIDE) {
      if (slots[at + HASH] === hash && this.#equals(slots[at + NAME_START], slots[at + NAME_END], memory, start, end)) return slots[at] - 1
    }
    return -1
  }

  #equals(name: number, nameEnd: number, memory: Uint8Array, start: number, end: number): boolean {
    const names = this.#names
    if (nameEnd - name !== end - start) return false
    while (start < end) if (names[name++] !== lowerCase(memory[start++])) return false
    return true
  }
}

/** The key under which the index holds a host. Exact names never begin with a dot. */
export function hostKey(match: HostMatchPlan): string {
  const host = match.host.toLowerCase().replace(/\.$/, '')
  return match.kind === 'wildcard' ? `.${host}` : host
}

function lowerCase(byte: number): number {
  return byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte
}

function hashOf(names: Uint8Array, start: number, end: number): number {
  let hash = HASH_START
  for (let at = end - 1; at >= start; at--) hash = Math.imul(hash ^ names[at], HASH_PRIME)
  return hash
}
