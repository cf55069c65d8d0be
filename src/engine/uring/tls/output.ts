import { TLS_RECORD_ADDS, TLS_RECORD_BYTES, TLS_RESULT } from '../../../kernel/index.ts'
import type { CloseReason } from '../../connection.ts'
import type { RingConnection } from '../connection.ts'
import type { Loop } from '../loop.ts'
import { SendQueue } from '../send-queue.ts'
import { MAX_SLICES, type TlsThread } from './thread.ts'

/** The way out of a TLS connection: plaintext that waits for the end of the turn, and ciphertext on its way to the socket. */
export class TlsOutput {
  /** Plaintext. */
  readonly queue: SendQueue
  readonly #thread: TlsThread
  readonly #raw: RingConnection
  readonly #blockBytes: number

  constructor(loop: Loop, raw: RingConnection) {
    this.queue = new SendQueue(loop.slices, loop.blocks, loop.bump)
    this.#thread = loop.tls
    this.#raw = raw
    this.#blockBytes = loop.blocks.blockBytes
  }

  /** Encrypts everything that is queued, block by block, and queues it on the socket. Returns why it could not. */
  flush(session: number): CloseReason | null {
    const { native, results } = this.#thread
    const { queue } = this
    while (!queue.isEmpty) {
      const records = Math.ceil(queue.bytes / TLS_RECORD_BYTES)
      const room = Math.min(queue.bytes + records * TLS_RECORD_ADDS, this.#blockBytes)
      const out = this.#raw.reserve(room)
      if (out === -1) return 'overload'
      const taken = native.send(session, queue.list(results, TLS_RESULT.slices, MAX_SLICES), out, out + room)
      if (taken <= 0) return 'failed'
      queue.taken(taken)
      if (!this.sendReserved(session)) return 'overload'
    }
    return null
  }

  /** close_notify. */
  end(session: number): void {
    const out = this.#raw.reserve(TLS_RECORD_ADDS)
    if (out === -1) return
    this.#thread.native.end(session, out, out + TLS_RECORD_ADDS)
    this.sendReserved(session)
  }

  /** Sends what the last call wrote into the room that was reserved for it, and what found no room there. False without memory. */
  sendReserved(session: number): boolean {
    const { results } = this.#thread
    const hasMore = results[TLS_RESULT.overflowBytes] > 0
    this.#raw.commit(results[TLS_RESULT.outBytes])
    return !hasMore || this.sendOverflow(session)
  }

  sendOverflow(session: number): boolean {
    const room = this.#blockBytes
    for (let moved = room; moved === room; ) {
      const out = this.#raw.reserve(room)
      if (out === -1) return false
      moved = this.#thread.native.take(session, out, out + room)
      this.#raw.commit(moved)
    }
    return true
  }
}
