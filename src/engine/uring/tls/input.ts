import { TLS_BIT, TLS_RESULT } from '../../../kernel/index.ts'
import { Timer, type TimerTarget } from '../../timers.ts'
import type { Loop } from '../loop.ts'
import type { TlsConnection } from './connection.ts'
import { Stalled } from './stalled.ts'

/** A record that began in an earlier piece, or found no room, may bring this much more plaintext than there is ciphertext. */
const PENDING_BYTES = 16 * 1024
/** How often a connection that found no block for its plaintext looks again. */
const STALLED_MS = 16

/** The way into a TLS connection: ciphertext becomes plaintext in the bump block, or waits until there is a block. */
export class TlsInput implements TimerTarget {
  readonly #loop: Loop
  readonly #connection: TlsConnection
  readonly #stalled: Stalled
  #timer: Timer | null = null
  /** OpenSSL keeps a part of a record, or of its plaintext. */
  #hasPending = false

  constructor(loop: Loop, connection: TlsConnection) {
    this.#loop = loop
    this.#connection = connection
    this.#stalled = new Stalled(loop.blocks)
  }

  /** Ciphertext waits for a block, and what comes has to wait behind it. */
  get isStalled(): boolean {
    return !this.#stalled.isEmpty
  }

  keep(start: number, end: number): void {
    this.#stalled.push(start, end)
  }

  /** FIN has come behind what waits. */
  keepEnd(): void {
    this.#stalled.hasEnded = true
  }

  /** Hands on the plaintext of what has come, as much as one block has room for. Returns how far it got, or -1 where there is nothing to go on with. */
  receive(at: number, end: number): number {
    const { bump, blocks, tls } = this.#loop
    const { native, results } = tls
    const connection = this.#connection
    const wanted = Math.min(end - at + (this.#hasPending ? PENDING_BYTES : 0), blocks.blockBytes)
    // A block of plaintext that is to be sent takes one of ciphertext to come back.
    const plain = blocks.mayDecrypt ? bump.room(wanted) : -1
    if (plain === -1) return this.#stall(at, end)
    const bits = native.receive(connection.session, at, end, plain, plain + wanted, 0, 0)
    const count = results[TLS_RESULT.plainBytes]
    const next = end - results[TLS_RESULT.inLeft]
    this.#hasPending = (bits & (TLS_BIT.partial | TLS_BIT.more)) !== 0
    if (count > 0) {
      bump.advance(count)
      blocks.hold(plain)
    }
    if (results[TLS_RESULT.overflowBytes] > 0) connection.output.sendOverflow(connection.session)
    if (count > 0) {
      connection.tellReceived(plain, plain + count)
      blocks.release(plain)
    }
    if (!connection.isListening) return -1
    if ((bits & TLS_BIT.failed) !== 0) connection.fail('failed')
    else if ((bits & TLS_BIT.ended) !== 0) connection.peerHasEnded()
    return (bits & TLS_BIT.more) === 0 ? -1 : next
  }

  clear(): void {
    if (this.#timer !== null) this.#loop.timers.disarm(this.#timer)
    this.#stalled.clear()
  }

  /** There may be blocks again. */
  expired(): void {
    const waiting = this.#stalled.take()
    for (const [start, end] of waiting) {
      if (!this.#connection.isListening) break
      if (this.#stalled.isEmpty) this.#connection.feed(start, end)
      else this.#stalled.push(start, end)
    }
    this.#stalled.release(waiting)
    if (this.#stalled.isEmpty) this.#connection.relieved(this.#stalled.hasEnded)
  }

  /** There is no block for plaintext: keeps the ciphertext and looks again soon. */
  #stall(start: number, end: number): number {
    this.#loop.counters.receiveStarvations++
    this.#stalled.push(start, end)
    this.#connection.raw.pause()
    this.#timer ??= new Timer(this)
    this.#loop.timers.arm(this.#timer, STALLED_MS)
    return -1
  }
}
