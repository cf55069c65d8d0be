import type { Blocks } from '../blocks.ts'

/**
 * The block that is being filled with what rooms write and with short slices they send. All connections share it, so that a
 * short answer to a slow client does not keep a block of its own.
 *
 *   | piece | piece |  room ...  |          each piece has a hold of its queue's; the block has one of ours
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
    return this.#cursor + length <= this.#limit ? this.#cursor : this.#fresh(length)
  }

  /** Where the next piece goes: what room() returned last. */
  get cursor(): number {
    return this.#cursor
  }

  /** Takes the first `length` bytes of what room() offered. */
  advance(length: number): void {
    this.#cursor += length
  }

  #fresh(length: number): number {
    if (length > this.#blocks.blockBytes) return -1
    const base = this.#blocks.take()
    if (base === -1) return -1
    if (this.#base !== -1) this.#blocks.release(this.#base)
    this.#base = base
    this.#cursor = base
    this.#limit = base + this.#blocks.blockBytes
    return base
  }
}
