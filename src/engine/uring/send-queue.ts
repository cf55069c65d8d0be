import type { Blocks } from '../blocks.ts'
import type { BumpBlock } from '../bump-block.ts'
import { GatherBlock, SLOW_PIECES } from '../gather-block.ts'
import { MAX_IOVECS, type Ring } from './ring.ts'
import type { Slices } from './slices.ts'

/** Up to this length a copy behind what is queued is cheaper than one more slice in the system call. */
const COPY_BYTES = 2048
/** While the peer is slower than we are, so that what waits for it does not hold whole blocks for short slices. */
const SLOW_COPY_BYTES = 8192

/** What a send is submitted to: the ring. */
export type SendRing = Pick<Ring, 'send' | 'nextAside' | 'setIovec' | 'sendMessage'>

/**
 * What a connection has to send, in order: slices of the arena, each inside one block that the queue holds. The slice at the
 * head may be in flight; since the operation knows its own length, the last slice may grow even then.
 *
 *   head ──▶ start, end ──▶ start, end ──▶ ... ◀── tail
 */
export class SendQueue {
  /** Bytes that the kernel has not taken, and bytes that it has taken. */
  bytes = 0
  sentBytes = 0
  /** Length of the send in flight, or 0. */
  inFlight = 0
  readonly #slices: Slices
  readonly #blocks: Blocks
  readonly #bump: BumpBlock
  #head = -1
  #tail = -1
  #pieces = 0
  /** Made when the queue first has many pieces waiting. */
  #gather: GatherBlock | null = null
  /** The kernel took less than it was given: it is to wait for room before it tries the next send. */
  #isSlow = false

  get isEmpty(): boolean {
    return this.#head === -1
  }

  constructor(slices: Slices, blocks: Blocks, bump: BumpBlock) {
    this.#slices = slices
    this.#blocks = blocks
    this.#bump = bump
  }

  /** Queues bytes of a room: short ones behind others are copied, all else is held where it is. False when there is no memory. */
  append(start: number, end: number): boolean {
    const length = end - start
    if (this.#head === -1 || length > (this.#isSlow ? SLOW_COPY_BYTES : COPY_BYTES)) return this.push(start, end)
    if (this.#pieces >= SLOW_PIECES) return this.#gathered(start, end)
    const at = this.#bump.room(length)
    if (at === -1) return this.push(start, end)
    this.#blocks.memory.copyWithin(at, start, end)
    this.#bump.advance(length)
    return this.push(at, at + length)
  }

  /** Queues the first `length` bytes of what the bump block offered last, which a room has written. */
  commit(length: number): boolean {
    const start = this.#bump.cursor
    this.#bump.advance(length)
    const isToGather = this.#pieces >= SLOW_PIECES && length <= SLOW_COPY_BYTES
    return isToGather ? this.#gathered(start, start + length) : this.push(start, start + length)
  }

  /** Queues bytes where they are, as part of the last slice if they continue it. */
  push(start: number, end: number): boolean {
    const tail = this.#tail
    if (tail !== -1) {
      const records = this.#slices.records
      // At the start of a block the bytes before are another block's, with holds of its own.
      if (records[tail + 1] === start && (start & (this.#blocks.blockBytes - 1)) !== 0) {
        records[tail + 1] = end
        this.bytes += end - start
        return true
      }
    }
    const at = this.#slices.allocate(start, end)
    if (at === -1) return false
    this.#blocks.hold(start)
    this.#pieces++
    if (tail === -1) this.#head = at
    else this.#slices.records[tail + 2] = at
    this.#tail = at
    this.bytes += end - start
    return true
  }

  /** Submits one send of what is queued, at most MAX_IOVECS slices. `low` is the arena's address. */
  submit(ring: SendRing, fd: number, low: number, slot: number, generation: number): void {
    const records = this.#slices.records
    let at = this.#head
    const length = records[at + 1] - records[at]
    if (records[at + 2] === -1) {
      this.inFlight = length
      ring.send(fd, (low + records[at]) | 0, length, this.#isSlow, slot, generation)
      return
    }
    const aside = ring.nextAside()
    let total = 0
    let count = 0
    for (; at !== -1 && count < MAX_IOVECS; at = records[at + 2]) {
      const run = records[at + 1] - records[at]
      ring.setIovec(aside, count++, (low + records[at]) | 0, run)
      total += run
    }
    this.inFlight = total
    ring.sendMessage(fd, aside, count, this.#isSlow, slot, generation)
  }

  /** Writes up to `max` slices, start and end of each, into `target` from `at` on, and returns how many. */
  list(target: Int32Array, at: number, max: number): number {
    const records = this.#slices.records
    let count = 0
    for (let slice = this.#head; slice !== -1 && count < max; slice = records[slice + 2], count++) {
      target[at + 2 * count] = records[slice]
      target[at + 2 * count + 1] = records[slice + 1]
    }
    return count
  }

  /** The send in flight is over; the kernel has taken `count` bytes of it. */
  taken(count: number): void {
    this.#isSlow = count < this.inFlight
    this.inFlight = 0
    this.sentBytes += count
    this.bytes -= count
    const records = this.#slices.records
    while (count > 0) {
      const at = this.#head
      const length = records[at + 1] - records[at]
      if (count < length) {
        records[at] += count
        return
      }
      count -= length
      this.#drop(at)
    }
  }

  /** Lets everything go. Nothing may be in flight. */
  clear(): void {
    while (this.#head !== -1) this.#drop(this.#head)
    this.bytes = 0
  }

  #drop(at: number): void {
    const records = this.#slices.records
    this.#blocks.release(records[at])
    this.#head = records[at + 2]
    this.#pieces--
    this.#slices.free(at)
    if (this.#head !== -1) return
    this.#tail = -1
    this.#gather?.release()
  }

  #gathered(start: number, end: number): boolean {
    this.#gather ??= new GatherBlock(this.#blocks)
    const at = this.#gather.copy(start, end)
    return at === -1 ? this.push(start, end) : this.push(at, at + end - start)
  }
}
