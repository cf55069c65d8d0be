import type { PickContext } from './context.ts'
import { mix } from './hash.ts'
import { SERVER } from './layout.ts'

/**
 * The servers of one tier that a pick may choose from: health and admin allow it and the weight is above 0. Refilled when the pool's
 * epoch changes, as arrays side by side by position, so that algorithms run over plain numbers. Whether a server is
 * full or excluded changes all the time and is asked with isFree().
 *
 * Members are all servers of the tier, those that are down or drained included: tables of consistent hashes are built on
 * them, so that a server that comes and goes moves only its own keys.
 */
export class Candidates {
  readonly words: Int32Array
  /** Offset in words of the shared cursor of this tier. */
  readonly cursor: number
  readonly servers: number
  count = 0
  /** Index of the server in the pool, by position. */
  readonly indexes: Int32Array
  /** Offset of the server's row in words, by position. */
  readonly rows: Int32Array
  /** Whole numbers above 0 without a common divisor, by position. During a slow start they are thousandths of the configured weights. */
  readonly weights: Float64Array
  readonly limits: Int32Array
  totalWeight = 0
  maxWeight = 0
  /** Position of a server by its index, -1 where it is no candidate. */
  readonly positions: Int32Array
  /** Share of its keys that a member takes, in thousandths (slow start), by index. */
  readonly ramps: Int32Array

  memberCount = 0
  readonly members: Int32Array
  /** Last weight above 0, by place in `members`. */
  readonly memberWeights: Int32Array
  /** Names by index in the pool. */
  readonly names: readonly string[]
  /** Changes with the members or their weights. */
  membership = 0
  #memberHash = 0

  constructor(words: Int32Array, cursor: number, names: readonly string[]) {
    const servers = names.length
    this.words = words
    this.cursor = cursor
    this.servers = servers
    this.names = names
    this.indexes = new Int32Array(servers)
    this.rows = new Int32Array(servers)
    this.weights = new Float64Array(servers)
    this.limits = new Int32Array(servers)
    this.positions = new Int32Array(servers).fill(-1)
    this.ramps = new Int32Array(servers)
    this.members = new Int32Array(servers)
    this.memberWeights = new Int32Array(servers)
  }

  clear(): void {
    this.positions.fill(-1)
    this.count = 0
    this.memberCount = 0
    this.#memberHash = 0
  }

  addMember(index: number, baseWeight: number): void {
    this.members[this.memberCount] = index
    this.memberWeights[this.memberCount] = baseWeight
    this.memberCount++
    this.#memberHash = mix(mix(this.#memberHash ^ index) + baseWeight)
  }

  add(index: number, row: number): void {
    const position = this.count++
    const ramp = Atomics.load(this.words, row + SERVER.RAMP)
    this.indexes[position] = index
    this.positions[index] = position
    this.rows[position] = row
    this.ramps[index] = ramp
    this.weights[position] = Math.max(1, Atomics.load(this.words, row + SERVER.WEIGHT) * ramp)
    this.limits[position] = Atomics.load(this.words, row + SERVER.MAX_ACTIVE)
  }

  finish(): void {
    this.membership = this.#memberHash
    let divisor = 0
    for (let position = 0; position < this.count; position++) divisor = greatestCommonDivisor(this.weights[position], divisor)
    this.totalWeight = 0
    this.maxWeight = 0
    for (let position = 0; position < this.count; position++) {
      const weight = this.weights[position] / divisor
      this.weights[position] = weight
      this.totalWeight += weight
      if (weight > this.maxWeight) this.maxWeight = weight
    }
  }

  /** Not full, and not tried before by this request. */
  isFree(position: number, context: PickContext): boolean {
    if (context.isExcluded(this.indexes[position])) return false
    const limit = this.limits[position]
    return limit === 0 || Atomics.load(this.words, this.rows[position] + SERVER.ACTIVE) < limit
  }

  active(position: number): number {
    return Atomics.load(this.words, this.rows[position] + SERVER.ACTIVE)
  }

  /** A position for each call in turn, over all workers: any `length` calls in a row give each of 0 to length - 1 once. */
  advance(length: number): number {
    const ticket = Atomics.add(this.words, this.cursor, 1)
    // Only one worker sees this ticket; a multiple of the length leaves the turn where it is and keeps the word from wrapping.
    if (ticket === CURSOR_TURN) Atomics.sub(this.words, this.cursor, CURSOR_TURN - (CURSOR_TURN % length))
    return (ticket >>> 0) % length
  }
}

const CURSOR_TURN = 2 ** 30

function greatestCommonDivisor(a: number, b: number): number {
  let [large, small] = [a, b]
  while (small !== 0) [large, small] = [small, large % small]
  return large
}
