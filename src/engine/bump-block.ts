import type { Blocks } from './blocks.ts'

/**
 * The block that is being filled with what rooms write and with short slices they send; the portable engine lays what it
 * receives into it as well. All connections share it, so that many small pieces which stay (a head that is not complete, an
 * answer to a slow client) share one block.
 *
 *   | piece | piece |  room ...  |          each piece has a hold of its owner's; the block has one of ours
 *                   ^ cursor
 */
export class BumpBlock {
  readonly #blocks: Blocks
  #base = -1
  #cursor = -1
  #limit = -1

  constructor(blocks: Blocks) {
    this.#blocks = blocks
  }

  /** The offset of `length` free contiguous bytes (at most one block), or -1 when the arena is used up. */
  room(length: number): number {
    // Nobody holds a piece any more: begin again at the start, which the CPU's cache still has.
    if (this.#base !== -1 && this.#blocks.references(this.#base) === 1) this.#cursor = this.#base
    return this.#base !== -1 && this.#cursor + length <= this.#limit ? this.#cursor : this.#fresh(length)
  }

  /** Whether room() would find `length` bytes without a fresh block. */
  fits(length: number): boolean {
    if (this.#base === -1) return false
    return (this.#blocks.references(this.#base) === 1 ? this.#base : this.#cursor) + length <= this.#limit
  }

  /** Where the next piece goes: what room() returned last. */
  get cursor(): number {
    return this.#cursor
  }

  /** Takes the first `length` bytes of what room() offered. */
  advance(length: number): void {
    this.#cursor += length
  }

  /** Gives the block back if nobody holds a piece of it, so that an idle engine keeps none. */
  settle(): void {
    if (this.#base === -1 || this.#blocks.references(this.#base) !== 1) return
    this.#blocks.release(this.#base)
    this.#base = -1
  }

  #fresh(length: number): number {
    if (length > this.#blocks.blockBytes) return -1
    // The old block first: nothing else may be left.
    if (this.#base !== -1) this.#blocks.release(this.#base)
    this.#base = this.#blocks.take()
    if (this.#base === -1) return -1
    this.#cursor = this.#base
    this.#limit = this.#base + this.#blocks.blockBytes
    return this.#base
  }
}
