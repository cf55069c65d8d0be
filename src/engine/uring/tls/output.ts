import { TLS_RECORD_ADDS, TLS_RECORD_BYTES, TLS_RESULT } from '../../../kernel/index.ts'
import { Timer, type TimerTarget } from '../../timers.ts'
import type { RingConnection } from '../connection.ts'
import type { Loop, Turned } from '../loop.ts'
import { SendQueue } from '../send-queue.ts'
import { MAX_SLICES, type TlsThread } from './thread.ts'

/** How often a connection that found no block for its ciphertext looks again. */
const STARVED_MS = 16

/** What came of a flush: everything is on its way, or has to wait for a block, or cannot be encrypted. */
export const FLUSHED = { ALL: 0, STARVED: 1, FAILED: 2 } as const

/** The way out of a TLS connection: plaintext that waits for the end of the turn, and ciphertext on its way to the socket. */
export class TlsOutput implements TimerTarget {
  /** Plaintext. */
  readonly queue: SendQueue
  readonly #loop: Loop
  readonly #thread: TlsThread
  readonly #raw: RingConnection
  readonly #owner: Turned
  readonly #blockBytes: number
  /** Made when a block is first waited for. */
  #timer: Timer | null = null
  /** Ciphertext for which there was no block waits in the session. */
  #hasOverflow = false

  /** `owner` flushes. */
  constructor(loop: Loop, raw: RingConnection, owner: Turned) {
    this.queue = new SendQueue(loop.slices, loop.blocks, loop.bump)
    this.#loop = loop
    this.#thread = loop.tls
    this.#raw = raw
    this.#owner = owner
    this.#blockBytes = loop.blocks.blockBytes
  }

  /** Encrypts everything that is queued, block by block, and queues it on the socket. Where there is no block the owner flushes again, soon. */
  flush(session: number): number {
    const { native, results } = this.#thread
    const { queue } = this
    if (this.#hasOverflow && !this.sendOverflow(session)) return FLUSHED.STARVED
    while (!queue.isEmpty) {
      const records = Math.ceil(queue.bytes / TLS_RECORD_BYTES)
      const room = Math.min(queue.bytes + records * TLS_RECORD_ADDS, this.#blockBytes)
      const out = this.#raw.reserve(room)
      if (out === -1) return this.#starve()
      const taken = native.send(session, queue.list(results, TLS_RESULT.slices, MAX_SLICES), out, out + room)
      if (taken <= 0) return FLUSHED.FAILED
      queue.taken(taken)
      if (!this.sendReserved(session)) return FLUSHED.STARVED
    }
    return FLUSHED.ALL
  }

  /** close_notify. */
  end(session: number): number {
    const out = this.#raw.reserve(TLS_RECORD_ADDS)
    if (out === -1) return this.#starve()
    this.#thread.native.end(session, out, out + TLS_RECORD_ADDS)
    return this.sendReserved(session) ? FLUSHED.ALL : FLUSHED.STARVED
  }

  /** Sends what the last call wrote into the room that was reserved for it, and what found no room there. False where that has to wait. */
  sendReserved(session: number): boolean {
    const { results } = this.#thread
    const hasMore = results[TLS_RESULT.overflowBytes] > 0
    this.#raw.commit(results[TLS_RESULT.outBytes])
    return !hasMore || this.sendOverflow(session)
  }

  sendOverflow(session: number): boolean {
    const room = this.#blockBytes
    this.#hasOverflow = true
    for (let moved = room; moved === room; ) {
      const out = this.#raw.reserve(room)
      if (out === -1) {
        this.#starve()
        return false
      }
      moved = this.#thread.native.take(session, out, out + room)
      this.#raw.commit(moved)
    }
    this.#hasOverflow = false
    return true
  }

  clear(): void {
    if (this.#timer !== null) this.#loop.timers.disarm(this.#timer)
    this.queue.clear()
  }

  /** There may be blocks again. */
  expired(): void {
    this.#owner.flush()
  }

  #starve(): number {
    this.#timer ??= new Timer(this)
    this.#loop.timers.arm(this.#timer, STARVED_MS)
    return FLUSHED.STARVED
  }
}
