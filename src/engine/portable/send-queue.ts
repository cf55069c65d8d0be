import type { Blocks } from '../blocks.ts'
import type { FillBlock } from './fill-block.ts'

/** Up to this length copying is cheaper than a further piece in the system call, and it lets the sender's block go. */
const COPY_BYTES = 1024
/** Bounds of one write, so that the progress of a slow peer shows in queuedBytes. */
const WRITE_BYTES = 256 * 1024
const WRITE_PIECES = 64

/**
 * What a connection has to send: pieces of the arena, each within one block and under one hold. The first `inFlight` of them
 * are Node's until it says that the kernel has taken them; the last may still grow.
 *
 *   | in flight ... | waiting ... | last, growing |
 */
export class SendQueue {
  readonly #blocks: Blocks
  readonly #fill: FillBlock
  readonly #blockMask: number
  readonly #starts: number[] = []
  readonly #ends: number[] = []
  #count = 0
  /** Pieces and bytes of the write that is under way. */
  inFlight = 0
  inFlightBytes = 0
  /** All bytes, those in flight included. */
  bytes = 0

  constructor(blocks: Blocks, fill: FillBlock) {
    this.#blocks = blocks
    this.#fill = fill
    this.#blockMask = blocks.blockBytes - 1
  }

  get isEmpty(): boolean {
    return this.#count === 0
  }

  start(piece: number): number {
    return this.#starts[piece]
  }

  end(piece: number): number {
    return this.#ends[piece]
  }

  /** Queues bytes that a room owns: short ones are copied. */
  append(start: number, end: number): void {
    const length = end - start
    if (length <= COPY_BYTES && !this.#continues(start)) {
      const at = this.#fill.room(length)
      if (at !== -1) {
        this.#blocks.memory.copyWithin(at, start, end)
        this.#fill.advance(length)
        this.push(at, at + length)
        return
      }
    }
    this.push(start, end)
  }

  /** Queues bytes where they are. */
  push(start: number, end: number): void {
    this.bytes += end - start
    if (this.#continues(start)) {
      this.#ends[this.#count - 1] = end
      return
    }
    this.#blocks.hold(start)
    this.#starts[this.#count] = start
    this.#ends[this.#count] = end
    this.#count++
  }

  /** Puts the next pieces in flight and returns how many they are. */
  take(): number {
    let pieces = 0
    let bytes = 0
    while (pieces < this.#count && pieces < WRITE_PIECES && (pieces === 0 || bytes < WRITE_BYTES)) {
      bytes += this.#ends[pieces] - this.#starts[pieces]
      pieces++
    }
    this.inFlight = pieces
    this.inFlightBytes = bytes
    return pieces
  }

  /** The pieces in flight have been taken by the kernel. */
  taken(): void {
    const gone = this.inFlight
    for (let i = 0; i < gone; i++) this.#blocks.release(this.#starts[i])
    for (let i = gone; i < this.#count; i++) {
      this.#starts[i - gone] = this.#starts[i]
      this.#ends[i - gone] = this.#ends[i]
    }
    this.#count -= gone
    this.bytes -= this.inFlightBytes
    this.inFlight = 0
    this.inFlightBytes = 0
  }

  /** Forgets everything; only when Node no longer reads from what was in flight. */
  clear(): void {
    for (let i = 0; i < this.#count; i++) this.#blocks.release(this.#starts[i])
    this.#count = 0
    this.#starts.length = 0
    this.#ends.length = 0
    this.inFlight = 0
    this.inFlightBytes = 0
    this.bytes = 0
  }

  /** Whether bytes at `start` directly follow the last piece, in its block, while that may still grow. */
  #continues(start: number): boolean {
    return this.#count > this.inFlight && this.#ends[this.#count - 1] === start && (start & this.#blockMask) !== 0
  }
}
