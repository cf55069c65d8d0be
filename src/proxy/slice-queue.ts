import type { Blocks } from '../engine/index.ts'

const INITIAL_SLICES = 4
/** Of a queue that has never held anything. */
const NO_PAIRS = new Int32Array(0)

/**
 * Slices of the arena in order, each under a hold of its own: bytes that arrived before somebody could take them. A ring
 * of offset pairs that doubles when it is full; the owner bounds it by pausing the connection at a number of bytes.
 */
export class SliceQueue {
  readonly #blocks: Blocks
  #pairs = NO_PAIRS
  #head = 0
  #count = 0
  bytes = 0

  constructor(blocks: Blocks) {
    this.#blocks = blocks
  }

  get count(): number {
    return this.#count
  }

  get start(): number {
    return this.#pairs[this.#head]
  }

  get end(): number {
    return this.#pairs[this.#head + 1]
  }

  startAt(index: number): number {
    return this.#pairs[(this.#head + index * 2) & (this.#pairs.length - 1)]
  }

  endAt(index: number): number {
    return this.#pairs[((this.#head + index * 2) & (this.#pairs.length - 1)) + 1]
  }

  push(start: number, end: number): void {
    const last = (this.#head + (this.#count - 1) * 2) & (this.#pairs.length - 1)
    // Bytes that follow those before in their block are one slice with them.
    if (this.#count > 0 && this.#pairs[last + 1] === start && (start & (this.#blocks.blockBytes - 1)) !== 0) {
      this.#pairs[last + 1] = end
      this.bytes += end - start
      return
    }
    if (this.#count * 2 === this.#pairs.length) this.#grow()
    const at = (this.#head + this.#count * 2) & (this.#pairs.length - 1)
    this.#pairs[at] = start
    this.#pairs[at + 1] = end
    this.#count++
    this.bytes += end - start
    this.#blocks.hold(start)
  }

  /** Drops the first slice up to `offset`, and the slice itself where that is its end. */
  consume(offset: number): void {
    const start = this.#pairs[this.#head]
    this.bytes -= offset - start
    if (offset < this.end) {
      this.#pairs[this.#head] = offset
      return
    }
    this.#head = (this.#head + 2) & (this.#pairs.length - 1)
    this.#count--
    this.#blocks.release(start)
  }

  clear(): void {
    while (this.#count > 0) this.consume(this.end)
  }

  #grow(): void {
    const pairs = new Int32Array(Math.max(INITIAL_SLICES * 2, this.#pairs.length * 2))
    for (let i = 0; i < this.#count; i++) {
      pairs[i * 2] = this.startAt(i)
      pairs[i * 2 + 1] = this.endAt(i)
    }
    this.#pairs = pairs
    this.#head = 0
  }
}
