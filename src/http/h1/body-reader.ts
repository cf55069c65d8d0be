import { BODY } from '../message.ts'
import { ChunkHeader } from './chunk-header.ts'
import { REJECT } from './reject.ts'
import { TrailerSection } from './trailer-section.ts'

const STATE = { HEADER: 0, DATA: 1, DATA_CR: 2, DATA_LF: 3, LAST: 4, LAST_LF: 5, TRAILERS: 6, FAILED: 7 } as const

const CR = 0x0d
const LF = 0x0a

/**
 * Finds the end of a message's body (RFC 9112 §6.3) and the runs of content in it, from pieces of any size. One for each
 * direction of a connection, reused for every message. The framing bytes of chunked are checked and dropped:
 *
 *     at = start
 *     while (at < end && !reader.isComplete) {
 *       at = reader.read(memory, at, end)
 *       if (at === -1) refuse(REJECTIONS[reader.reject])
 *       use memory[reader.dataStart, reader.dataEnd)
 *     }
 *
 * What is left behind `at` once isComplete is set belongs to the next message. isComplete may be set by begin() already.
 */
export class BodyReader {
  dataStart = 0
  dataEnd = 0
  isComplete = true
  /** REJECT.* once read() returned -1. */
  reject = 0
  #body: number = BODY.NONE
  #state: number = STATE.HEADER
  /** Bytes still to come of the body (LENGTH) or of the chunk (CHUNKED). */
  #remaining = 0
  readonly #header = new ChunkHeader()
  #trailerSection: TrailerSection | null = null
  #keepsTrailers = true

  /**
   * Starts a message; `body` and `contentLength` as a head says them. Without `keepsTrailers` trailers are checked and dropped: a proxy
   * says so where a Connection option may name one of them (hasConnectionOptions; RFC 9110 §7.6.1).
   */
  begin(body: number, contentLength: number, keepsTrailers = true): void {
    this.dataStart = 0
    this.dataEnd = 0
    this.reject = 0
    this.#body = body
    this.#state = STATE.HEADER
    this.#remaining = contentLength
    this.#trailerSection = null
    this.#keepsTrailers = keepsTrailers
    this.isComplete = body === BODY.NONE || (body === BODY.LENGTH && contentLength === 0)
    if (body === BODY.CHUNKED) this.#header.begin()
  }

  /**
   * Takes one step and returns the offset up to which the input was used, or -1 for a framing error, on which the connection is
   * of no more use. A step has at most one run of content.
   */
  read(memory: Uint8Array, start: number, end: number): number {
    this.dataStart = start
    this.dataEnd = start
    if (this.isComplete) return start
    if (this.#body === BODY.CHUNKED) return this.#readChunked(memory, start, end)
    this.dataEnd = end
    if (this.#body === BODY.UNTIL_CLOSE) return end
    if (end - start >= this.#remaining) {
      this.dataEnd = start + this.#remaining
      this.isComplete = true
    }
    this.#remaining -= this.dataEnd - start
    return this.dataEnd
  }

  /** `count` bytes of content of BODY.LENGTH, at most the remaining ones, went another way. */
  skip(count: number): void {
    this.#remaining -= count
    this.isComplete = this.#remaining === 0
  }

  /** The peer will send no more. Returns whether the message is whole, which completes one that is delimited by the close. */
  finish(): boolean {
    if (this.#body === BODY.UNTIL_CLOSE) this.isComplete = true
    return this.isComplete
  }

  /** Bytes of content still to come of BODY.LENGTH. */
  get remaining(): number {
    return this.#body === BODY.LENGTH ? this.#remaining : 0
  }

  /** The trailer fields that may be forwarded, as canonical lines without the last empty one; empty until isComplete. */
  get trailers(): Uint8Array {
    return this.#trailerSection === null || !this.#keepsTrailers ? NO_TRAILERS : this.#trailerSection.lines
  }

  /** Framing up to the first content, that content, and the framing behind it as far as it is there. */
  #readChunked(memory: Uint8Array, start: number, end: number): number {
    let at = start
    while (at < end) {
      if (this.#state === STATE.DATA) {
        if (this.dataEnd !== this.dataStart) return at
        this.dataStart = at
        at = this.#takeData(at, end)
        this.dataEnd = at
        continue
      }
      const next = this.#readFraming(memory, at, end)
      if (next < 0) {
        this.#state = STATE.FAILED
        this.reject = -next
        // The content in front of the error is handed out first; the next step says -1.
        return this.dataEnd !== this.dataStart ? at : -1
      }
      at = next
      if (this.isComplete) return at
    }
    return at
  }

  #takeData(at: number, end: number): number {
    const length = Math.min(end - at, this.#remaining)
    this.#remaining -= length
    if (this.#remaining === 0) this.#state = STATE.DATA_CR
    return at + length
  }

  #readFraming(memory: Uint8Array, at: number, end: number): number {
    switch (this.#state) {
      case STATE.DATA_CR:
        if (memory[at] !== CR) return -REJECT.CHUNK_END_MISSING
        this.#state = STATE.DATA_LF
        return at + 1
      case STATE.DATA_LF:
        if (memory[at] !== LF) return -REJECT.CHUNK_END_MISSING
        this.#state = STATE.HEADER
        this.#header.next()
        return at + 1
      case STATE.HEADER:
        return this.#readHeader(memory, at, end)
      case STATE.LAST:
        this.#state = memory[at] === CR ? STATE.LAST_LF : STATE.TRAILERS
        return memory[at] === CR ? at + 1 : at
      case STATE.LAST_LF:
        if (memory[at] !== LF) return -REJECT.BARE_CR
        this.isComplete = true
        return at + 1
      case STATE.TRAILERS:
        return this.#readTrailers(memory, at, end)
      default:
        return -this.reject
    }
  }

  #readHeader(memory: Uint8Array, start: number, end: number): number {
    const at = this.#header.read(memory, start, end)
    if (at < 0 || !this.#header.isComplete) return at
    this.#remaining = this.#header.size
    this.#state = this.#remaining === 0 ? STATE.LAST : STATE.DATA
    return at
  }

  #readTrailers(memory: Uint8Array, start: number, end: number): number {
    this.#trailerSection ??= new TrailerSection()
    const at = this.#trailerSection.read(memory, start, end)
    if (at >= 0) this.isComplete = this.#trailerSection.isComplete
    return at
  }
}

const NO_TRAILERS = new Uint8Array(0)
