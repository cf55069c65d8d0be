import { mix } from '../hash.ts'
import { SERVER } from '../layout.ts'
import type { PoolTable } from '../table.ts'

/** Entries that share a key's place: a full bucket gives up the one that expires first. */
const WAYS = 8
/** Words of an entry: the key's two halves, the slot plus 1 (0: free), the second in which it expires. */
const ENTRY = { KEY_HIGH: 0, KEY_LOW: 1, SLOT: 2, EXPIRES: 3 } as const
const ENTRY_WORDS = 4
/** Of a bucket: one word that is 1 while somebody changes it, then its entries; padded to whole cache lines. */
const BUCKET_WORDS = 48
const FIRST_ENTRY = 16
/** A lock that is held longer than this belongs to a worker that died with it. */
const SPINS = 20_000

export interface SessionEntry {
  readonly slot: number
  /** Seconds since the epoch. */
  readonly expiresAt: number
}

/** Bytes of a table for at least so many sessions. */
export function sessionTableBytes(size: number): number {
  return bucketsFor(size) * BUCKET_WORDS * 4
}

/**
 * Which server a key belongs to, for all workers: a set-associative table in shared memory. Keys are 64-bit hashes, seeded, so that
 * nobody can fill one bucket on purpose. Each entry expires a fixed time after it was last used; where a bucket is full, the
 * one that would expire first goes. Looking up and storing are O(1), allocate nothing, and lock one bucket of eight entries.
 */
export class SessionTable {
  readonly #words: Int32Array
  readonly #table: PoolTable
  readonly #mask: number
  readonly #ttlSeconds: number

  constructor(shared: SharedArrayBuffer, table: PoolTable, ttlSeconds: number) {
    this.#words = new Int32Array(shared)
    this.#table = table
    this.#mask = shared.byteLength / (BUCKET_WORDS * 4) - 1
    this.#ttlSeconds = ttlSeconds
  }

  /** The slot that a key belongs to, whose time begins anew; -1 where there is none. */
  find(keyHigh: number, keyLow: number, nowSeconds: number): number {
    const bucket = this.#lock(keyHigh, keyLow)
    const entry = this.#search(bucket, keyHigh, keyLow, nowSeconds)
    let slot = -1
    if (entry !== -1) {
      slot = this.#words[entry + ENTRY.SLOT] - 1
      this.#words[entry + ENTRY.EXPIRES] = nowSeconds + this.#ttlSeconds
    }
    this.#unlock(bucket)
    return slot
  }

  /** Puts a key on a slot, in place of the one that it was on. */
  store(keyHigh: number, keyLow: number, slot: number, nowSeconds: number): void {
    const bucket = this.#lock(keyHigh, keyLow)
    let entry = this.#search(bucket, keyHigh, keyLow, nowSeconds)
    if (entry === -1) entry = this.#makeRoom(bucket)
    const before = this.#words[entry + ENTRY.SLOT] - 1
    this.#words[entry + ENTRY.KEY_HIGH] = keyHigh
    this.#words[entry + ENTRY.KEY_LOW] = keyLow
    this.#words[entry + ENTRY.SLOT] = slot + 1
    this.#words[entry + ENTRY.EXPIRES] = nowSeconds + this.#ttlSeconds
    if (before !== slot) {
      if (before !== -1) this.#count(before, -1)
      this.#count(slot, 1)
    }
    this.#unlock(bucket)
  }

  /** Takes out a key. Whether it was there. */
  remove(keyHigh: number, keyLow: number): boolean {
    const bucket = this.#lock(keyHigh, keyLow)
    const entry = this.#search(bucket, keyHigh, keyLow, 0)
    if (entry !== -1) this.#free(entry)
    this.#unlock(bucket)
    return entry !== -1
  }

  get bucketCount(): number {
    return this.#mask + 1
  }

  /** Takes out what has expired in some buckets. Returns how many went. */
  sweep(nowSeconds: number, from = 0, to = this.bucketCount): number {
    return this.#removeWhere(from, to, (_, expiresAt) => expiresAt <= nowSeconds)
  }

  /** Takes out all entries, or those of a slot. Returns how many went. For the control thread: O(size). */
  clear(slot = -1): number {
    return this.#removeWhere(0, this.bucketCount, (owner) => slot === -1 || owner === slot)
  }

  /** Up to `limit` entries for `status`. For the control thread: allocates. */
  entries(nowSeconds: number, limit: number): SessionEntry[] {
    const found: SessionEntry[] = []
    for (let index = 0; index <= this.#mask && found.length < limit; index++) {
      for (let way = 0; way < WAYS && found.length < limit; way++) {
        const entry = index * BUCKET_WORDS + FIRST_ENTRY + way * ENTRY_WORDS
        const slot = Atomics.load(this.#words, entry + ENTRY.SLOT) - 1
        const expiresAt = Atomics.load(this.#words, entry + ENTRY.EXPIRES)
        if (slot !== -1 && expiresAt > nowSeconds) found.push({ slot, expiresAt })
      }
    }
    return found
  }

  #removeWhere(from: number, to: number, isToGo: (slot: number, expiresAt: number) => boolean): number {
    let removed = 0
    for (let index = from; index < to; index++) {
      const bucket = index * BUCKET_WORDS
      this.#lockAt(bucket)
      for (let way = 0; way < WAYS; way++) {
        const entry = bucket + FIRST_ENTRY + way * ENTRY_WORDS
        const slot = this.#words[entry + ENTRY.SLOT] - 1
        if (slot === -1 || !isToGo(slot, this.#words[entry + ENTRY.EXPIRES])) continue
        this.#free(entry)
        removed++
      }
      this.#unlock(bucket)
    }
    return removed
  }

  /** Where the key is and has not expired, or -1. */
  #search(bucket: number, keyHigh: number, keyLow: number, nowSeconds: number): number {
    const words = this.#words
    for (let way = 0; way < WAYS; way++) {
      const entry = bucket + FIRST_ENTRY + way * ENTRY_WORDS
      if (words[entry + ENTRY.SLOT] === 0 || words[entry + ENTRY.KEY_LOW] !== keyLow || words[entry + ENTRY.KEY_HIGH] !== keyHigh) continue
      if (words[entry + ENTRY.EXPIRES] > nowSeconds) return entry
      this.#free(entry)
      return -1
    }
    return -1
  }

  /** A free entry, or the one that expires first, freed. */
  #makeRoom(bucket: number): number {
    let first = -1
    for (let way = 0; way < WAYS; way++) {
      const entry = bucket + FIRST_ENTRY + way * ENTRY_WORDS
      if (this.#words[entry + ENTRY.SLOT] === 0) return entry
      if (first === -1 || this.#words[entry + ENTRY.EXPIRES] < this.#words[first + ENTRY.EXPIRES]) first = entry
    }
    this.#free(first)
    return first
  }

  #free(entry: number): void {
    const slot = Atomics.exchange(this.#words, entry + ENTRY.SLOT, 0) - 1
    if (slot !== -1) this.#count(slot, -1)
  }

  /** What `least-sessions` goes by. */
  #count(slot: number, by: number): void {
    Atomics.add(this.#table.words, this.#table.serverRow(slot) + SERVER.SESSIONS, by)
  }

  #lock(keyHigh: number, keyLow: number): number {
    const bucket = (mix(keyHigh ^ Math.imul(keyLow, 0x9e3779b1)) & this.#mask) * BUCKET_WORDS
    this.#lockAt(bucket)
    return bucket
  }

  #lockAt(bucket: number): void {
    for (let spin = 0; spin < SPINS; spin++) if (Atomics.compareExchange(this.#words, bucket, 0, 1) === 0) return
    // Holding it takes some nanoseconds: whoever has it is gone, or was suspended by the kernel. If it comes back, two change the
    // bucket at once; at worst an entry is lost and a count off by one.
    Atomics.store(this.#words, bucket, 1)
  }

  #unlock(bucket: number): void {
    Atomics.store(this.#words, bucket, 0)
  }
}

/** A power of two, with twice the places: keys do not fill buckets evenly, and so less than 1 % of them meet a full one. */
function bucketsFor(size: number): number {
  return 2 ** Math.max(0, Math.ceil(Math.log2((size * 2) / WAYS)))
}
