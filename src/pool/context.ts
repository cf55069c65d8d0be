import type { HashKey } from './hash-key.ts'
import type { Random } from './random.ts'

/** What keyHash() returns where the request has no such key. */
export const NO_KEY = -1

/** Implemented by whoever holds the request (exchange, stream, query): finds the bytes of a key and hashes them. */
export interface KeySource {
  /** A whole number from 0 to 2^32 - 1 by hashBytes(memory, start, end, key.seed), or NO_KEY. */
  keyHash(key: HashKey): number
}

/** For requests without any key, and for pools whose algorithm asks for none. */
export const NO_KEY_SOURCE: KeySource = { keyHash: () => NO_KEY }

/**
 * Everything a pick may depend on besides the pool. One for each worker or exchange, reused: begin() before the first pick of a
 * request; exclude() after an attempt that failed, so that a retry goes to another server.
 */
export class PickContext {
  readonly random: Random
  keySource: KeySource
  /** Milliseconds since the epoch. */
  nowMs = 0
  /** Index of the server that the request's cookie names (PersistenceCookie.read), or -1. */
  persisted = -1
  /** Index of the server that the last pick found the request's session on, or -1. */
  kept = -1
  /** How many servers are excluded. */
  excludedCount = 0
  /** Set by the pool while it has nothing but excluded servers left. */
  ignoresExclusion = false
  #excluded: Int32Array
  #hash = NO_KEY
  #hashedKey: HashKey | null = null

  constructor(random: Random, keySource: KeySource = NO_KEY_SOURCE, maxAttempts = 16) {
    this.random = random
    this.keySource = keySource
    this.#excluded = new Int32Array(maxAttempts)
  }

  /** Forgets the last request. */
  begin(nowMs: number): void {
    this.nowMs = nowMs
    this.persisted = -1
    this.kept = -1
    this.excludedCount = 0
    this.ignoresExclusion = false
    this.#hashedKey = null
  }

  /** The server at `index` has been tried. Beyond the number of attempts given to the constructor the oldest is forgotten. */
  exclude(index: number): void {
    this.#excluded[this.excludedCount % this.#excluded.length] = index
    this.excludedCount++
  }

  isExcluded(index: number): boolean {
    if (this.excludedCount === 0 || this.ignoresExclusion) return false
    const count = Math.min(this.excludedCount, this.#excluded.length)
    for (let i = 0; i < count; i++) if (this.#excluded[i] === index) return true
    return false
  }

  /** The hash of the request's key, found once for each request and key. */
  keyHash(key: HashKey): number {
    if (this.#hashedKey !== key) {
      this.#hash = this.keySource.keyHash(key)
      this.#hashedKey = key
    }
    return this.#hash
  }
}
