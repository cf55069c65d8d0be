import type { Candidates } from '../candidates.ts'
import type { PickContext } from '../context.ts'
import { mix } from '../hash.ts'
import type { HashKey } from '../hash-key.ts'
import { NO_POSITION } from './algorithm.ts'
import { Keyed } from './keyed.ts'
import { LeastConnections } from './least-connections.ts'
import { WINDOW } from './least-cost.ts'

/** Buckets that keys fall into; keys of one bucket share their servers. All workers see the same. */
const BUCKETS = 2 ** 14
/** Of a bucket of `locality-replicated`: the time of its last change, then up to seven servers. */
const SET_WORDS = 8

/** Bytes of the memory that workers share for a pool, by the algorithm's name; 0 where it needs none. */
export function localityBytes(algorithm: string): number {
  if (algorithm === 'locality') return BUCKETS * 4
  return algorithm === 'locality-replicated' ? BUCKETS * SET_WORDS * 4 : 0
}

/** The base of both: what a bucket remembers are slots of the table, so that it stays right over a reload. */
abstract class Remembering extends Keyed {
  protected readonly leastConnections = new LeastConnections()
  protected readonly buckets: Int32Array
  readonly #capacity: number
  readonly #indexes = new Map<number, number>()

  constructor(key: HashKey, capacity: number, shared: SharedArrayBuffer) {
    super(key)
    this.#capacity = capacity
    this.buckets = new Int32Array(shared)
  }

  override rebuild(candidates: Candidates): void {
    super.rebuild(candidates)
    this.leastConnections.rebuild(candidates)
  }

  protected build(candidates: Candidates): void {
    this.#indexes.clear()
    for (const [index, slot] of candidates.slots.entries()) this.#indexes.set(slot, index)
  }

  /** Position of the server whose slot a bucket has at a word, or NO_POSITION. */
  protected positionAt(candidates: Candidates, word: number): number {
    const slot = Atomics.load(this.buckets, word) - 1
    if (slot < 0) return NO_POSITION
    const index = this.#indexes.get(slot)
    return index === undefined ? NO_POSITION : candidates.positions[index]
  }

  protected remember(candidates: Candidates, word: number, position: number): void {
    Atomics.store(this.buckets, word, candidates.slots[candidates.indexes[position]] + 1)
  }

  /** LVS's rule: more active requests than it is good for, while some other server has less than half of what it is good for. */
  protected shouldMove(candidates: Candidates, position: number): boolean {
    if (candidates.active(position) <= candidates.ownWeights[position] * this.#capacity) return false
    const compared = Math.min(candidates.count, WINDOW)
    let other = candidates.advance(candidates.count)
    for (let i = 0; i < compared; i++) {
      if (2 * candidates.active(other) < candidates.ownWeights[other] * this.#capacity) return true
      other = other + 1 === candidates.count ? 0 : other + 1
    }
    return false
  }
}

/** Locality-based least connections: a key stays on its server until that is gone or overloaded. pick() is O(1) while keys stay. */
export class Locality extends Remembering {
  protected probe(candidates: Candidates, context: PickContext, hash: number): number {
    const word = mix(hash) & (BUCKETS - 1)
    const kept = this.positionAt(candidates, word)
    if (kept !== NO_POSITION && candidates.isFree(kept, context) && !this.shouldMove(candidates, kept)) return kept
    const position = this.leastConnections.pick(candidates, context)
    // A key does not move because one attempt failed: that is for health and outliers to judge.
    if (position !== NO_POSITION && context.excludedCount === 0) this.remember(candidates, word, position)
    return position
  }
}

/**
 * The same with replication: an overloaded key is given another server beside those that it has, and when its servers have been
 * enough for `settle` seconds, it loses the most loaded one. Workers that change a bucket at the same time may
 * each add a server; nothing worse comes of it.
 */
export class LocalityReplicated extends Remembering {
  readonly #settleSeconds: number

  constructor(key: HashKey, capacity: number, settleSeconds: number, shared: SharedArrayBuffer) {
    super(key, capacity, shared)
    this.#settleSeconds = settleSeconds
  }

  protected probe(candidates: Candidates, context: PickContext, hash: number): number {
    const bucket = (mix(hash) & (BUCKETS - 1)) * SET_WORDS
    const nowSeconds = Math.floor(context.nowMs / 1000) | 0
    this.#shrink(candidates, bucket, nowSeconds)
    const kept = this.#leastOf(candidates, context, bucket)
    if (kept !== NO_POSITION && !this.shouldMove(candidates, kept)) return kept
    const position = this.leastConnections.pick(candidates, context)
    if (position !== NO_POSITION && context.excludedCount === 0) this.#add(candidates, bucket, position, nowSeconds)
    return position
  }

  /** The least loaded free server of a bucket. */
  #leastOf(candidates: Candidates, context: PickContext, bucket: number): number {
    let best = NO_POSITION
    let leastLoad = 0
    for (let word = bucket + 1; word < bucket + SET_WORDS; word++) {
      const position = this.positionAt(candidates, word)
      if (position === NO_POSITION || !candidates.isFree(position, context)) continue
      const load = candidates.active(position) / candidates.weights[position]
      if (best === NO_POSITION || load < leastLoad) {
        best = position
        leastLoad = load
      }
    }
    return best
  }

  /** The word of the most loaded server of a bucket, or of one that is gone; -1 while there are fewer than `least` of them. */
  #mostLoaded(candidates: Candidates, bucket: number, least: number): number {
    let most = -1
    let mostLoad = -1
    let size = 0
    for (let word = bucket + 1; word < bucket + SET_WORDS; word++) {
      if (Atomics.load(this.buckets, word) === 0) continue
      size++
      const position = this.positionAt(candidates, word)
      const load = position === NO_POSITION ? Number.POSITIVE_INFINITY : candidates.active(position) / candidates.weights[position]
      if (load > mostLoad) {
        most = word
        mostLoad = load
      }
    }
    return size < least ? -1 : most
  }

  #shrink(candidates: Candidates, bucket: number, nowSeconds: number): void {
    const changedAt = Atomics.load(this.buckets, bucket)
    if (changedAt === 0 || nowSeconds - changedAt < this.#settleSeconds) return
    const word = this.#mostLoaded(candidates, bucket, 2)
    if (word === -1) return
    Atomics.store(this.buckets, word, 0)
    Atomics.store(this.buckets, bucket, nowSeconds)
  }

  #add(candidates: Candidates, bucket: number, position: number, nowSeconds: number): void {
    let free = -1
    for (let word = bucket + 1; word < bucket + SET_WORDS; word++) {
      if (Atomics.load(this.buckets, word) === 0) {
        if (free === -1) free = word
      } else if (this.positionAt(candidates, word) === position) return
    }
    this.remember(candidates, free === -1 ? this.#mostLoaded(candidates, bucket, 1) : free, position)
    Atomics.store(this.buckets, bucket, nowSeconds)
  }
}
