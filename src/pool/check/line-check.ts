import { type CheckProtocol, type CheckWire, CLOSED_EARLY, fail, quote, type Verdict } from './protocol.ts'

const MAX_LINE_BYTES = 2048
/** Over all answers together: no server has a reason to send more. */
const MAX_LINES = 256

/** A protocol whose answers are lines. They may end in CRLF or LF and be cut anywhere; what is too long or too much is a failure. */
export abstract class LineCheck implements CheckProtocol {
  parting: Verdict | null = null
  readonly #bytes = Buffer.allocUnsafe(MAX_LINE_BYTES)
  #length = 0
  #lines = 0
  #isSecuring = false

  /** The connection stands, or goes on in TLS. */
  abstract opened(wire: CheckWire): Verdict | null

  /** A line without its end, as latin1. */
  protected abstract line(text: string, wire: CheckWire): Verdict | null

  received(bytes: Uint8Array, wire: CheckWire): Verdict | null {
    let at = 0
    while (at < bytes.length) {
      const end = bytes.indexOf(0x0a, at)
      const piece = bytes.subarray(at, end < 0 ? bytes.length : end)
      if (this.#length + piece.length > MAX_LINE_BYTES) return fail(`a line of more than ${MAX_LINE_BYTES} bytes`)
      this.#bytes.set(piece, this.#length)
      this.#length += piece.length
      if (end < 0) return null
      const verdict = this.#take(wire)
      if (verdict !== null) return verdict
      at = end + 1
      // What came in the clear behind the answer must not be taken for something that came over TLS.
      if (this.#isSecuring && at < bytes.length) return fail('bytes in the clear where TLS begins')
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

  #take(wire: CheckWire): Verdict | null {
    this.#isSecuring = false
    if (++this.#lines > MAX_LINES) return fail(`more than ${MAX_LINES} lines`)
    const length = this.#length > 0 && this.#bytes[this.#length - 1] === 0x0d ? this.#length - 1 : this.#length
    this.#length = 0
    return this.line(this.#bytes.toString('latin1', 0, length), wire)
  }
}

export function writeLine(wire: CheckWire, text: string): void {
  wire.write(Buffer.from(`${text}\r\n`))
}

/** What a server said that is none of its protocol: `"SSH-2.0-OpenSSH" is not SMTP`. */
export function notThe(protocol: string, text: string): Verdict {
  return fail(`${quote(text)} is not ${protocol}`)
}
