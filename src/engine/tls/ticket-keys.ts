import { randomFillSync } from 'node:crypto'
import { TICKET_KEYS } from '../../kernel/index.ts'

/**
 * Keys that seal session tickets, in memory that all workers share, so that each resumes what another began.
 *
 *   | current slot ... | key 0 | key 1 | key 2 | key 3 |      a key: 16 bytes of name, 32 for HMAC, 32 for AES
 *
 * Tickets are sealed with the current key and opened with that and the two before; the fourth slot is the next to be written.
 */
export class TicketKeys {
  readonly buffer: SharedArrayBuffer
  readonly bytes: Uint8Array
  readonly #words: Int32Array

  constructor(buffer: SharedArrayBuffer) {
    this.buffer = buffer
    this.bytes = new Uint8Array(buffer)
    this.#words = new Int32Array(buffer, 0, TICKET_KEYS.keysAt / 4)
  }

  /** Fresh memory with random keys. */
  static create(): TicketKeys {
    const keys = new TicketKeys(new SharedArrayBuffer(TICKET_KEYS.bytes))
    randomFillSync(keys.bytes, TICKET_KEYS.keysAt)
    return keys
  }

  /** A new key from now on. Tickets of the two before it are still accepted. */
  rotate(): void {
    const next = (Atomics.load(this.#words, 0) + 1) % TICKET_KEYS.slots
    randomFillSync(this.bytes, TICKET_KEYS.keysAt + next * TICKET_KEYS.keyBytes, TICKET_KEYS.keyBytes)
    Atomics.store(this.#words, 0, next)
  }

  /** The current key in the form that node:tls takes: 16 bytes of name, 16 for HMAC, 16 for AES. */
  forNode(): Buffer {
    const at = TICKET_KEYS.keysAt + Atomics.load(this.#words, 0) * TICKET_KEYS.keyBytes
    const parts = [this.bytes.slice(at, at + 32), this.bytes.slice(at + 48, at + 64)]
    return Buffer.concat(parts)
  }
}
