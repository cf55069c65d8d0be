import type { PickContext } from './context.ts'
import { mix } from './hash.ts'
import { POOL, SERVER } from './layout.ts'
import { cursorOf } from './table.ts'

/** The servers of a pool: arrays by index. */
export interface CandidateServers {
  readonly names: readonly string[]
  readonly slots: readonly number[]
  /** Whether configured weights count; else all are alike, apart from slow starts and agents. */
  readonly weighted: boolean
}

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
  readonly poolRow: number
  readonly names: readonly string[]
  readonly slots: readonly number[]
  /** Servers in the pool. */
  readonly servers: number
  readonly #weighted: boolean
  readonly #cursor: number

  count = 0
  /** Index of the server in the pool, by position. */
  readonly indexes: Int32Array
  /** Offset of the server's row in words, by position. */
  readonly rows: Int32Array
  /** What counts now, by position: whole numbers above 0 without a common divisor. Slow starts and agents are in them. */
  readonly weights: Float64Array
  /** As configured, by position. */
  readonly ownWeights: Int32Array
  readonly limits: Int32Array
  totalWeight = 0
  /** Position of a server by its index, -1 where it is no candidate. */
  readonly positions: Int32Array
  /** Share of its keys that a server takes, in thousandths (slow start, agent), by index. */
  readonly shares: Int32Array

  memberCount = 0
  /** Index of each member. */
  readonly members: Int32Array
  /** Last configured weight above 0, by place in `members`. */
  readonly memberWeights: Int32Array
  /** Changes with the members or their weights. */
  membership = 0

  constructor(words: Int32Array, poolRow: number, tier: number, servers: CandidateServers) {
    const count = servers.names.length
    this.words = words
    this.poolRow = poolRow
    this.names = servers.names
    this.slots = servers.slots
    this.servers = count
    this.#weighted = servers.weighted
    this.#cursor = cursorOf(poolRow, tier)
    this.indexes = new Int32Array(count)
    this.rows = new Int32Array(count)
    this.weights = new Float64Array(count)
    this.ownWeights = new Int32Array(count)
    this.limits = new Int32Array(count)
    this.positions = new Int32Array(count).fill(-1)
    this.shares = new Int32Array(count)
    this.members = new Int32Array(count)
    this.memberWeights = new Int32Array(count)
  }

  clear(): void {
    this.positions.fill(-1)
    this.count = 0
    this.memberCount = 0
    this.membership = 0
  }

  addMember(index: number, ownWeight: number): void {
    const baseWeight = this.#weighted ? ownWeight : 1
    this.members[this.memberCount] = index
    this.memberWeights[this.memberCount] = baseWeight
    this.memberCount++
    this.membership = mix(mix(this.membership ^ index) + baseWeight)
  }

  add(index: number, row: number): void {
    const words = this.words
    const position = this.count++
    const share = Atomics.load(words, row + SERVER.RAMP) * Atomics.load(words, row + SERVER.SHARE)
    const weight = Atomics.load(words, row + SERVER.WEIGHT)
    this.indexes[position] = index
    this.positions[index] = position
    this.rows[position] = row
    this.shares[index] = Math.ceil(share / 1000)
    this.ownWeights[position] = weight
    this.weights[position] = Math.max(1, (this.#weighted ? weight : 1) * share)
    this.limits[position] = Atomics.load(words, row + SERVER.MAX_ACTIVE)
  }

  /** To be called when all have been added. */
  finish(): void {
    let divisor = 0
    for (let position = 0; position < this.count; position++) divisor = greatestCommonDivisor(this.weights[position], divisor)
    this.totalWeight = 0
    for (let position = 0; position < this.count; position++) {
      this.weights[position] /= divisor
      this.totalWeight += this.weights[position]
    }
  }

  /** Not full, and not tried before by this request. */
  isFree(position: number, context: PickContext): boolean {
    if (context.isExcluded(this.indexes[position])) return false
    const limit = this.limits[position]
    return limit === 0 || Atomics.load(this.words, this.rows[position] + SERVER.ACTIVE) < limit
  }

  /** Active requests of a server over all workers. */
  active(position: number): number {
    return Atomics.load(this.words, this.rows[position] + SERVER.ACTIVE)
  }

  /** Active requests of the whole pool over all workers. */
  poolActive(): number {
    return Atomics.load(this.words, this.poolRow + POOL.ACTIVE)
  }

  /** A place for each call in turn, over all workers: any `length` calls in a row give each of 0 to length - 1 once. */
  advance(length: number): number {
    const ticket = Atomics.add(this.words, this.#cursor, 1)
    // Only one worker sees this ticket; a multiple of the length leaves the turn where it is and keeps the word from wrapping.
    if (ticket === CURSOR_TURN) Atomics.sub(this.words, this.#cursor, CURSOR_TURN - (CURSOR_TURN % length))
    return (ticket >>> 0) % length
  }
}

const CURSOR_TURN = 2 ** 30

function greatestCommonDivisor(a: number, b: number): number {
  let [large, small] = [a, b]
  while (small !== 0) [large, small] = [small, large % small]
  return large
}
