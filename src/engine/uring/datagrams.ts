import type { RingDatagramSocket } from './datagram.ts'
import { SegmentLimit } from './datagram-run.ts'
import type { Loop } from './loop.ts'
import { CQE_BUFFER, KIND } from './operations.ts'

/** Sockets for datagrams of one engine; their descriptors come after those of the listeners. */
export const MAX_DATAGRAM_SOCKETS = 65_536

/**
 * The sockets for datagrams of a loop, and the blocks that their sends read from. A send of a datagram is over when the kernel has been
 * entered (MSG_DONTWAIT: it copies, or it refuses), so that it needs no completion; until then its block is borrowed.
 */
export class Datagrams {
  readonly loop: Loop
  /** Of what goes together on connected sockets. */
  readonly segmentLimit = new SegmentLimit()
  readonly #sockets: (RingDatagramSocket | null)[] = []
  readonly #freeSlots: number[] = []
  readonly #firstDescriptor: number
  #open = 0
  #borrowed = new Int32Array(1024)
  #borrowedCount = 0

  /** `firstDescriptor` is the place of slot 0 in the list of descriptors. */
  constructor(loop: Loop, firstDescriptor: number) {
    this.loop = loop
    this.#firstDescriptor = firstDescriptor
  }

  get isIdle(): boolean {
    return this.#open === 0
  }

  /** A free slot, or -1 at the limit. occupy() must follow. */
  nextSlot(): number {
    if (this.#open >= MAX_DATAGRAM_SOCKETS) return -1
    const free = this.#freeSlots.pop()
    if (free !== undefined) return free
    this.#sockets.push(null)
    return this.#sockets.length - 1
  }

  occupy(socket: RingDatagramSocket, fd: number): void {
    this.#open++
    this.#sockets[socket.slot] = socket
    this.loop.ring.descriptors[this.#firstDescriptor + socket.slot] = fd + 1
  }

  /** The descriptor is about to be closed. */
  disown(slot: number): void {
    this.loop.ring.descriptors[this.#firstDescriptor + slot] = 0
  }

  release(socket: RingDatagramSocket): void {
    this.#open--
    this.#sockets[socket.slot] = null
    this.#freeSlots.push(socket.slot)
  }

  /** Holds a block until everything that is pending was submitted. */
  borrow(start: number): void {
    if (this.#borrowedCount === this.#borrowed.length) {
      const longer = new Int32Array(2 * this.#borrowedCount)
      longer.set(this.#borrowed)
      this.#borrowed = longer
    }
    this.#borrowed[this.#borrowedCount++] = start
    this.loop.blocks.hold(start)
  }

  /** Everything that was pending has been submitted. */
  giveBack(): void {
    for (let i = 0; i < this.#borrowedCount; i++) this.loop.blocks.release(this.#borrowed[i])
    this.#borrowedCount = 0
  }

  complete(kind: number, slot: number, generation: number, result: number, flags: number): void {
    const socket = this.#sockets[slot]
    if (socket === null || socket.generation !== generation) {
      this.loop.counters.staleCompletions++
      if ((flags & CQE_BUFFER) !== 0) this.loop.discard(flags)
    } else if (kind === KIND.DATAGRAM) socket.onReceived(result, flags)
    else if (kind === KIND.DATAGRAM_RUN) socket.runFailed(result)
    else socket.failed(result)
  }

  close(): void {
    for (const socket of this.#sockets) socket?.close()
  }
}
