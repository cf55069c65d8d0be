import type { Blocks } from '../../blocks.ts'

type Slice = readonly [start: number, end: number]

/** Ciphertext for whose plaintext there was no block. Its own blocks are held meanwhile. */
export class Stalled {
  /** FIN came behind it. */
  hasEnded = false
  readonly #blocks: Blocks
  #slices: Slice[] = []

  constructor(blocks: Blocks) {
    this.#blocks = blocks
  }

  get isEmpty(): boolean {
    return this.#slices.length === 0
  }

  /** An empty slice says that OpenSSL keeps plaintext; it lies in no block. */
  push(start: number, end: number): void {
    if (start < end) this.#blocks.hold(start)
    this.#slices.push([start, end])
  }

  /** Everything, with its holds; release() must follow. */
  take(): readonly Slice[] {
    const slices = this.#slices
    this.#slices = []
    return slices
  }

  release(slices: readonly Slice[]): void {
    for (const [start, end] of slices) if (start < end) this.#blocks.release(start)
  }

  clear(): void {
    this.release(this.take())
  }
}
