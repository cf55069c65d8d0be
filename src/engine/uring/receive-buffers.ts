import type { Blocks } from '../blocks.ts'

/** Words of a struct io_uring_buf: address low, address high, length, id (16 bits) and, in the first one, the ring's tail. */
const BUFFER_WORDS = 4
const ID_AT = 6
const TAIL_AT = 7
/** Buffers that are out at first. The fewer they are, the more often each is used again while the CPU's cache has it. */
const FIRST_COUNT = 64

/**
 * The blocks that the kernel may receive into: a ring of provided buffers, from which it takes one for each completion.
 *
 *   blocks.take() ──▶ provided ──kernel──▶ completion names the id ──▶ handler ──renew()──▶ provided again
 *
 * After the handler, the id gets its own block again if nobody holds it, else a fresh one; if there is none the id is
 * vacant until blocks come back. It begins with a few buffers and provides more each time the kernel runs out.
 */
export class ReceiveBuffers {
  /** Buffers that the kernel still has, as far as completions have told. */
  available = 0
  readonly #blocks: Blocks
  readonly #words: Int32Array
  readonly #halves: Uint16Array
  readonly #low: number
  readonly #high: number
  readonly #mask: number
  readonly #limit: number
  /** Where the block of each id begins. */
  readonly #starts: Int32Array
  readonly #vacant: Int32Array
  #vacantCount = 0
  /** Ids in use, vacant ones included. */
  #count = 0
  #tail = 0

  /** `ring` is memory registered for a power of two of buffers; `low` and `high` are the arena's address. */
  constructor(ring: ArrayBuffer, blocks: Blocks, low: number, high: number) {
    this.#blocks = blocks
    this.#words = new Int32Array(ring)
    this.#halves = new Uint16Array(ring)
    this.#low = low | 0
    this.#high = high | 0
    const entries = this.#words.length / BUFFER_WORDS
    this.#mask = entries - 1
    this.#limit = Math.min(entries, Math.max(1, blocks.count >>> 1))
    this.#starts = new Int32Array(entries)
    this.#vacant = new Int32Array(entries)
    this.#grow(Math.min(FIRST_COUNT, this.#limit))
  }

  get vacantCount(): number {
    return this.#vacantCount
  }

  /** The block of a buffer that a completion named. renew() must follow. */
  consume(id: number): number {
    this.available--
    return this.#starts[id]
  }

  /** Lets the block of the id go and provides one again. */
  renew(id: number): void {
    const start = this.#starts[id]
    if (this.#blocks.references(start) !== 1) {
      this.#blocks.release(start)
      if (!this.#provideFresh(id)) this.#vacant[this.#vacantCount++] = id
      return
    }
    this.#provide(id, start)
  }

  /** The kernel ran out: more buffers from now on, if there is memory. */
  exhausted(): void {
    // Completions of this batch that are still to come may bring buffers back; growing helps only if nothing is vacant.
    if (this.#vacantCount === 0 && this.available === 0) this.#grow(Math.min(2 * this.#count, this.#limit))
  }

  /** Fills vacant ids with blocks that have come back. */
  refill(): void {
    while (this.#vacantCount > 0 && this.#provideFresh(this.#vacant[this.#vacantCount - 1])) this.#vacantCount--
  }

  #grow(count: number): void {
    for (; this.#count < count; this.#count++) {
      if (!this.#provideFresh(this.#count)) this.#vacant[this.#vacantCount++] = this.#count
    }
  }

  #provideFresh(id: number): boolean {
    if (!this.#blocks.mayReceive) return false
    const start = this.#blocks.take()
    if (start === -1) return false
    this.#starts[id] = start
    this.#provide(id, start)
    return true
  }

  #provide(id: number, start: number): void {
    const at = (this.#tail & this.#mask) * BUFFER_WORDS
    this.#words[at] = (this.#low + start) | 0
    this.#words[at + 1] = this.#high
    this.#words[at + 2] = this.#blocks.blockBytes
    this.#halves[2 * at + ID_AT] = id
    this.#tail = (this.#tail + 1) & 0xffff
    this.#halves[TAIL_AT] = this.#tail
    this.available++
  }
}
