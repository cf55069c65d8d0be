import type { Blocks } from '../../blocks.ts'

/** Ciphertext for whose plaintext there was no block. Its own blocks are held meanwhile. */
export class Stalled {
  /** FIN came behind it. */
  hasEnded = false
  readonly #blocks: Blocks
  #slices: (readonly [start: number, end: number])[] = []

  constructor(blocks: Blocks) {
    this.#blocks = blocks
  }

  get isEmpty(): boolean {
    return this.#slices.length === 0
  }

  push(start: number, end: number): void {
    this.#blocks.hold(start)
    this.#slices.push([start, end])
  }

  /** Everything, with its holds. */
  take(): (readonly [start: number, end: number])[] {
    const slices = this.#slices
    this.#slices = []
    return slices
  }

  clear(): void {
    for (const [start] of this.take()) this.#blocks.release(start)
  }
}
