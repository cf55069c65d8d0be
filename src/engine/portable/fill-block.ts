import type { Blocks } from '../blocks.ts'

/**
 * The block that is being filled. Received bytes and bytes written by rooms are laid one behind the other into the same block, so that
 * many small pieces which stay (a head that is not complete, an answer to a slow client) share one block.
 *
 *   | piece | piece |  room ...  |          each piece has a hold of its owner's; the block has one of ours
 *                   ^ cursor
 */
export class FillBlock {
  readonly #blocks: Blocks
  /** Where the next byte goes, or -1 when there is no block. */
  #cursor = -1
  #limit = -1
  #base = -1

  constructor(blocks: Blocks) {
    this.#blocks = blocks
  }

  /** The offset of `length` free contiguous bytes (at most one block), or -1 when the arena is used up. */
  room(length: number): number {
    if (this.#cursor !== -1 && this.#cursor + length <= this.#limit) return this.#cursor
    return length > this.#blocks.blockBytes ? -1 : this.#fresh()
  }

  /** Takes what room() offered. */
  advance(length: number): void {
    this.#cursor += length
  }

  /** Gives the block back if no piece of it is held. Called when an event is over, so that an idle engine keeps no block. */
  settle(): void {
    if (this.#cursor !== -1 && this.#blocks.references(this.#base) === 1) this.#drop()
  }

  #fresh(): number {
    if (this.#cursor !== -1) this.#drop()
    const base = this.#blocks.take()
    if (base === -1) return -1
    this.#base = base
    this.#cursor = base
    this.#limit = base + this.#blocks.blockBytes
    return base
  }

  #drop(): void {
    this.#blocks.release(this.#base)
    this.#cursor = -1
  }
}
