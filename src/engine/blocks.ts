/**
 * The arena's blocks, reference-counted. A block starts with one reference when it is taken; hold() adds one, release() drops
 * one, and at zero the block is free again. Any offset inside a block names it.
 *
 *   memory:  | block 0 | block 1 | block 2 | ...            offset >> shift = block
 *
 * Blocks that were never used cost no resident memory, because the arena is mapped without being touched, and the
 * most recently freed block is taken first, so that it is still in the CPU's cache.
 */
export class Blocks {
  readonly memory: Uint8Array
  readonly blockBytes: number
  readonly count: number
  readonly #shift: number
  readonly #reserve: number
  readonly #references: Uint32Array
  readonly #free: Uint32Array
  #freeCount: number

  /** `memory.length` must be a multiple of `blockBytes`, a power of two. */
  constructor(memory: Uint8Array, blockBytes: number) {
    this.memory = memory
    this.blockBytes = blockBytes
    this.#shift = Math.log2(blockBytes)
    if (!Number.isInteger(this.#shift)) throw new RangeError(`blockBytes must be a power of two, not ${blockBytes}`)
    this.count = memory.length >>> this.#shift
    this.#reserve = Math.min(64, Math.max(1, this.count >>> 4))
    this.#references = new Uint32Array(this.count)
    this.#free = new Uint32Array(this.count)
    for (let i = 0; i < this.count; i++) this.#free[i] = this.count - 1 - i
    this.#freeCount = this.count
  }

  /** Whether less than half of the blocks are free. */
  get isScarce(): boolean {
    return this.#freeCount < this.count >>> 1
  }

  /**
   * Whether there are more blocks than receiving has to leave to what comes behind it, so that what is held can be sent and come back:
   * the last ones are for sending, those before them for the plaintext of what has been received.
   */
  get mayReceive(): boolean {
    return this.#freeCount > 2 * this.#reserve
  }

  get mayDecrypt(): boolean {
    return this.#freeCount > this.#reserve
  }

  get free(): number {
    return this.#freeCount
  }

  /** The offset of a fresh block with one reference, or -1 when the arena is used up. */
  take(): number {
    if (this.#freeCount === 0) return -1
    const block = this.#free[--this.#freeCount]
    this.#references[block] = 1
    return block << this.#shift
  }

  hold(offset: number): void {
    this.#references[offset >>> this.#shift]++
  }

  release(offset: number): void {
    const block = offset >>> this.#shift
    const held = this.#references[block]
    if (held === 0) throw new Error(`block ${block} released more often than it was held`)
    this.#references[block] = held - 1
    if (held === 1) this.#free[this.#freeCount++] = block
  }

  references(offset: number): number {
    return this.#references[offset >>> this.#shift]
  }
}
