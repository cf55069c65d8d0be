import type { Blocks } from '../../engine/index.ts'
import { SliceQueue } from '../slice-queue.ts'

/** Pieces up to this length are copied behind each other: where it is, a piece would keep a whole block however short it is. */
const COPY_BYTES = 4096

/** What a client has sent before its server is there. */
export class Stash {
  readonly #blocks: Blocks
  readonly #slices: SliceQueue
  /** The block that short pieces go to, and how far it is filled. */
  #block = -1
  #cursor = -1

  constructor(blocks: Blocks) {
    this.#blocks = blocks
    this.#slices = new SliceQueue(blocks)
  }

  get bytes(): number {
    return this.#slices.bytes
  }

  push(start: number, end: number): void {
    const length = end - start
    if (length > COPY_BYTES || !this.#hasRoom(length)) {
      this.#slices.push(start, end)
      return
    }
    const at = this.#cursor
    this.#blocks.memory.copyWithin(at, start, end)
    this.#cursor += length
    this.#slices.push(at, at + length)
  }

  /** Hands everything on, in order, and is empty. */
  drain(to: { send(start: number, end: number): void }): void {
    for (; this.#slices.count > 0; this.#slices.consume(this.#slices.end)) to.send(this.#slices.start, this.#slices.end)
    this.clear()
  }

  clear(): void {
    this.#slices.clear()
    if (this.#block !== -1) this.#blocks.release(this.#block)
    this.#block = -1
  }

  #hasRoom(length: number): boolean {
    if (this.#block !== -1 && this.#cursor + length <= this.#block + this.#blocks.blockBytes) return true
    if (this.#block !== -1) this.#blocks.release(this.#block)
    this.#block = this.#blocks.take()
    this.#cursor = this.#block
    return this.#block !== -1
  }
}
