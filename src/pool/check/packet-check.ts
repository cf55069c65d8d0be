import { type CheckProtocol, type CheckWire, CLOSED_EARLY, fail, type Verdict } from './protocol.ts'

const MAX_PACKET_BYTES = 64 * 1024
/** Over all answers together. */
const MAX_PACKETS = 512

/** How long a packet is: what length() may say beside a number of bytes. */
export const PACKET = { INCOMPLETE: 0, INVALID: -1 } as const

/**
 * A protocol whose answers are packets that begin with their length. They may be cut anywhere; what is too long or too much is a
 * failure. Once the verdict is known the protocol takes its leave, and whatever the server does then changes nothing.
 */
export abstract class PacketCheck implements CheckProtocol {
  parting: Verdict | null = null
  readonly #name: string
  readonly #bytes = Buffer.allocUnsafe(MAX_PACKET_BYTES)
  #length = 0
  #packets = 0
  #isSecuring = false

  /** `name` is that of the protocol, for words: "PostgreSQL". */
  constructor(name: string) {
    this.#name = name
  }

  /** The connection stands, or goes on in TLS. */
  abstract opened(wire: CheckWire): Verdict | null

  /** Bytes of the packet that these begin with, or PACKET.*. */
  protected abstract measure(bytes: Buffer): number

  protected abstract packet(bytes: Buffer, wire: CheckWire): Verdict | null

  received(bytes: Uint8Array, wire: CheckWire): Verdict | null {
    let at = 0
    while (at < bytes.length && this.parting === null) {
      // What came in the clear behind the answer must not be taken for something that came over TLS.
      if (this.#isSecuring) return fail('bytes in the clear where TLS begins')
      const piece = bytes.subarray(at, at + this.#bytes.length - this.#length)
      this.#bytes.set(piece, this.#length)
      this.#length += piece.length
      at += piece.length
      const verdict = this.#read(wire)
      if (verdict !== null) return verdict
      if (this.#length === this.#bytes.length) return fail(`a packet of more than ${MAX_PACKET_BYTES} bytes`)
    }
    return null
  }

  ended(): Verdict {
    return CLOSED_EARLY
  }

  /** Goes on in TLS: opened() follows. */
  protected secure(wire: CheckWire): null {
    this.#isSecuring = true
    wire.secure()
    return null
  }

  /** To be called by opened() that follows secure(). */
  protected secured(): void {
    this.#isSecuring = false
  }

  /** Says goodbye in an orderly way, so that the server has nothing to log; the verdict is certain. */
  protected leave(verdict: Verdict, wire: CheckWire, goodbye: Uint8Array): null {
    this.parting = verdict
    wire.write(goodbye)
    wire.end()
    return null
  }

  #read(wire: CheckWire): Verdict | null {
    let start = 0
    while (start < this.#length && this.parting === null && !this.#isSecuring) {
      const whole = this.#bytes.subarray(start, this.#length)
      const length = this.measure(whole)
      if (length === PACKET.INVALID) return fail(`the answer is not ${this.#name}`)
      if (length > MAX_PACKET_BYTES) return fail(`a packet of more than ${MAX_PACKET_BYTES} bytes`)
      if (length === PACKET.INCOMPLETE || length > whole.length) break
      if (++this.#packets > MAX_PACKETS) return fail(`more than ${MAX_PACKETS} packets`)
      const verdict = this.packet(whole.subarray(0, length), wire)
      if (verdict !== null) return verdict
      start += length
    }
    if (this.#isSecuring && start < this.#length) return fail('bytes in the clear where TLS begins')
    this.#bytes.copyWithin(0, start, this.#length)
    this.#length -= start
    return null
  }
}
