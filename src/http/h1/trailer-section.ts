import { BYTE } from '../characters.ts'
import { flags } from '../connection-options.ts'
import { FIELD, Fields } from '../fields.ts'
import { hasConfusableName, parseFieldLines } from './field-lines.ts'
import { REJECT } from './reject.ts'

/** Trailers larger than this, or with more fields, are refused. */
const MAX_TRAILER_BYTES = 4096
const MAX_TRAILER_FIELDS = 32

/** RFC 9110 §6.5.1: would change how the message is framed or routed; refused, because a server might merge them. */
const FORBIDDEN = flags(FIELD.HOST, FIELD.CONTENT_LENGTH, FIELD.TRANSFER_ENCODING)

/**
 * The trailer section of one chunked message (RFC 9112 §7.1.2). Its bytes are copied, since it may arrive in pieces, and
 * checked as a head's fields are. Of the well-known fields none is forwarded: they steer the message or its connection, and a
 * trailer comes too late for that. Made only for messages that have trailers.
 */
export class TrailerSection {
  isComplete = false
  /** The fields that may be forwarded, canonical, without the empty line. */
  lines: Uint8Array = NOTHING
  #bytes: Uint8Array = NOTHING
  #length = 0
  #lineLength = 0
  #isAfterCr = false

  /** Returns the offset behind what was used, or -REJECT.*. */
  read(memory: Uint8Array, start: number, end: number): number {
    for (let at = start; at < end; at++) {
      const byte = memory[at]
      if (this.#isAfterCr && byte !== BYTE.LF) return -REJECT.BARE_CR
      if (!this.#isAfterCr && byte === BYTE.LF) return -REJECT.BARE_LF
      if (byte === BYTE.LF && this.#lineLength === 0) {
        const reason = this.#finish()
        if (reason !== 0) return -reason
        this.isComplete = true
        return at + 1
      }
      if (byte === BYTE.LF) this.#appendLineEnd()
      else if (byte !== BYTE.CR) {
        if (this.#length > MAX_TRAILER_BYTES - 4) return -REJECT.TRAILERS_TOO_LARGE
        this.#append(byte)
      }
      this.#isAfterCr = byte === BYTE.CR
    }
    return end
  }

  #append(byte: number): void {
    if (this.#length === 0) this.#bytes = new Uint8Array(MAX_TRAILER_BYTES)
    this.#bytes[this.#length++] = byte
    this.#lineLength++
  }

  #appendLineEnd(): void {
    this.#bytes[this.#length++] = BYTE.CR
    this.#bytes[this.#length++] = BYTE.LF
    this.#lineLength = 0
  }

  #finish(): number {
    this.#appendLineEnd()
    const bytes = this.#bytes
    const fields = new Fields(MAX_TRAILER_FIELDS)
    const end = parseFieldLines(bytes, 0, this.#length, fields, MAX_TRAILER_FIELDS, false)
    if (end <= 0) return end === 0 ? REJECT.FIELD_COLON_MISSING : -end
    if (hasConfusableName(bytes, fields)) return REJECT.FIELD_NAME_CONFUSABLE
    const kept = new Uint8Array(this.#length + fields.count)
    let at = 0
    for (let i = 0; i < fields.count; i++) {
      if (FORBIDDEN[fields.ids[i]] === 1) return REJECT.TRAILER_FORBIDDEN
      if (fields.ids[i] !== FIELD.OTHER) continue
      const [nameStart, nameEnd, valueStart, valueEnd] = fields.offsets.subarray(i * 4, i * 4 + 4)
      kept.set(bytes.subarray(nameStart, nameEnd), at)
      at += nameEnd - nameStart
      kept[at++] = BYTE.COLON
      kept[at++] = BYTE.SPACE
      kept.set(bytes.subarray(valueStart, valueEnd), at)
      at += valueEnd - valueStart
      kept[at++] = BYTE.CR
      kept[at++] = BYTE.LF
    }
    this.lines = kept.subarray(0, at)
    return 0
  }
}

const NOTHING = new Uint8Array(0)
