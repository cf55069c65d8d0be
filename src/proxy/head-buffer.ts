import type { Blocks } from '../engine/index.ts'
import { type HeadLimits, HeadScanner } from '../http/index.ts'

/**
 * One block in which a head is put together that arrived in several pieces. It is taken when the first piece turns out to
 * be incomplete and given back with the message, so that an idle connection holds none.
 */
export class HeadBuffer {
  readonly #blocks: Blocks
  start = -1
  end = -1
  readonly #scanner = new HeadScanner()

  constructor(blocks: Blocks) {
    this.#blocks = blocks
  }

  get isEmpty(): boolean {
    return this.start === -1
  }

  /** Appends as much of memory[start, end) as fits; returns the offset behind the last byte taken, or -1 when the arena is used up. */
  append(start: number, end: number): number {
    if (this.start === -1) {
      this.start = this.#blocks.take()
      if (this.start === -1) return -1
      this.end = this.start
      this.#scanner.reset()
    }
    const room = this.start + this.#blocks.blockBytes - this.end
    const taken = Math.min(room, end - start)
    this.#blocks.memory.copyWithin(this.end, start, start + taken)
    this.end += taken
    return start + taken
  }

  /** Whether parsing what is here may give a result now; it looks at each byte once, so that a dribbling peer costs little. */
  isWorthParsing(limits: HeadLimits): boolean {
    return this.#scanner.find(this.#blocks.memory, this.start, this.end, limits) !== 0
  }

  release(): void {
    if (this.start === -1) return
    this.#blocks.release(this.start)
    this.start = -1
    this.end = -1
  }
}
