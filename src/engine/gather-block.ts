import type { Blocks } from './blocks.ts'

/** With so many pieces waiting the peer is slow, and short pieces that come are gathered. */
export const SLOW_PIECES = 8

/**
 * A block of one send queue's own, into which short pieces are copied behind each other while its peer is slow. A piece keeps
 * its whole block, however short it is: a peer that does not read could else keep a block for every few bytes meant for it. Made
 * when a queue first needs it, and empty again when the queue is.
 */
export class GatherBlock {
  readonly #blocks: Blocks
  #base = -1
  #cursor = -1

  constructor(blocks: Blocks) {
    this.#blocks = blocks
  }

  /** Copies memory[start, end), at most one block, and returns where to; -1 when the arena is used up. The caller takes its own hold. */
  copy(start: number, end: number): number {
    const length = end - start
    if (this.#base === -1 || this.#cursor + length > this.#base + this.#blocks.blockBytes) {
      const fresh = this.#blocks.take()
      if (fresh === -1) return -1
      this.release()
      this.#base = fresh
      this.#cursor = fresh
    }
    const at = this.#cursor
    this.#blocks.memory.copyWithin(at, start, end)
    this.#cursor = at + length
    return at
  }

  release(): void {
    if (this.#base !== -1) this.#blocks.release(this.#base)
    this.#base = -1
  }
}
