import { BYTE, HEX, QUOTED_TEXT, TOKEN, VALUE_STOP } from '../characters.ts'
import { REJECT } from './reject.ts'

/**
 * Grammar of one chunk header, RFC 9112 §7.1, one byte a step:
 *
 *     SIZE ── ";" ─▶ NAME_START ─▶ NAME ── "=" ─▶ VALUE_START ─▶ VALUE
 *       │               ▲           │                  └─ DQUOTE ─▶ QUOTED ⇄ QUOTED_PAIR ── DQUOTE ─▶ VALUE_END
 *       └── CR          └── ";" ────┴── white space ─▶ AFTER_SIZE, AFTER_NAME, AFTER_VALUE ── ";" or "="
 */
const STATE = {
  SIZE_START: 0,
  SIZE: 1,
  AFTER_SIZE: 2,
  NAME_START: 3,
  NAME: 4,
  AFTER_NAME: 5,
  VALUE_START: 6,
  VALUE: 7,
  QUOTED: 8,
  QUOTED_PAIR: 9,
  VALUE_END: 10,
  AFTER_VALUE: 11,
  LF: 12,
  COMPLETE: 13,
} as const

/** 2^53 - 1 has 14 digits; a few leading zeros pass. */
const MAX_SIZE_DIGITS = 16
/** Extensions of one chunk, and of all chunks of a message together. Bytes. */
const MAX_EXTENSION_BYTES = 1024
const MAX_EXTENSIONS_BYTES = 16_384

/**
 * Reads chunk headers: size in `size`, extensions checked, bounded and dropped. White space is accepted where the grammar has BWS (around
 * ";" and "=" of an extension) and nowhere else.
 */
export class ChunkHeader {
  size = 0
  #state: number = STATE.SIZE_START
  #digits = 0
  #extensionBytes = 0
  #extensionsBytes = 0

  get isComplete(): boolean {
    return this.#state === STATE.COMPLETE
  }

  /** The first chunk of a message. */
  begin(): void {
    this.#extensionsBytes = 0
    this.next()
  }

  /** A further chunk. */
  next(): void {
    this.size = 0
    this.#state = STATE.SIZE_START
    this.#digits = 0
    this.#extensionBytes = 0
  }

  /** Returns the offset behind what was used (isComplete says whether that is the whole header), or -REJECT.*. */
  read(memory: Uint8Array, start: number, end: number): number {
    let at = start
    while (at < end && this.#state !== STATE.COMPLETE) {
      const reason = this.#state <= STATE.SIZE ? this.#takeSize(memory[at]) : this.#takeExtension(memory[at])
      if (reason !== 0) return -reason
      at++
    }
    return at
  }

  #takeSize(byte: number): number {
    const digit = HEX[byte]
    if (digit !== 255) {
      if (++this.#digits > MAX_SIZE_DIGITS) return REJECT.CHUNK_SIZE_TOO_LARGE
      const size = this.size * 16 + digit
      if (size > Number.MAX_SAFE_INTEGER) return REJECT.CHUNK_SIZE_TOO_LARGE
      this.size = size
      this.#state = STATE.SIZE
      return 0
    }
    if (this.#state === STATE.SIZE_START) return REJECT.CHUNK_SIZE_INVALID
    if (byte === BYTE.CR) this.#state = STATE.LF
    else if (byte === BYTE.SEMICOLON) this.#state = STATE.NAME_START
    else if (isSpace(byte)) this.#state = STATE.AFTER_SIZE
    else return byte === BYTE.LF ? REJECT.BARE_LF : REJECT.CHUNK_SIZE_INVALID
    return this.#state === STATE.LF ? 0 : this.#countExtension()
  }

  #takeExtension(byte: number): number {
    if (this.#state === STATE.LF) {
      if (byte !== BYTE.LF) return REJECT.BARE_CR
      this.#state = STATE.COMPLETE
      return 0
    }
    const next = nextState(this.#state, byte)
    if (next === -1) {
      if (this.#state === STATE.AFTER_SIZE) return REJECT.CHUNK_SIZE_INVALID
      return byte === BYTE.LF ? REJECT.BARE_LF : REJECT.CHUNK_EXTENSION_INVALID
    }
    const reason = this.#countExtension()
    if (reason === 0) this.#state = next
    return reason
  }

  #countExtension(): number {
    this.#extensionsBytes++
    const isTooLong = ++this.#extensionBytes > MAX_EXTENSION_BYTES || this.#extensionsBytes > MAX_EXTENSIONS_BYTES
    return isTooLong ? REJECT.CHUNK_EXTENSIONS_TOO_LONG : 0
  }
}

/** The state behind `byte` of an extension, or -1 where it may not stand there. */
function nextState(state: number, byte: number): number {
  switch (state) {
    case STATE.AFTER_SIZE:
    case STATE.AFTER_VALUE:
      return isSpace(byte) ? state : byte === BYTE.SEMICOLON ? STATE.NAME_START : -1
    case STATE.NAME_START:
      return isSpace(byte) ? state : TOKEN[byte] !== 0 ? STATE.NAME : -1
    case STATE.NAME:
      return TOKEN[byte] !== 0 ? state : byte === BYTE.EQUALS ? STATE.VALUE_START : afterElement(byte, STATE.AFTER_NAME)
    case STATE.AFTER_NAME:
      return isSpace(byte) ? state : byte === BYTE.EQUALS ? STATE.VALUE_START : byte === BYTE.SEMICOLON ? STATE.NAME_START : -1
    case STATE.VALUE_START:
      return isSpace(byte) ? state : byte === BYTE.QUOTE ? STATE.QUOTED : TOKEN[byte] !== 0 ? STATE.VALUE : -1
    case STATE.VALUE:
      return TOKEN[byte] !== 0 ? state : afterElement(byte, STATE.AFTER_VALUE)
    case STATE.QUOTED:
      if (QUOTED_TEXT[byte] === 1) return state
      return byte === BYTE.QUOTE ? STATE.VALUE_END : byte === BYTE.BACKSLASH ? STATE.QUOTED_PAIR : -1
    case STATE.QUOTED_PAIR:
      return VALUE_STOP[byte] === 0 ? STATE.QUOTED : -1
    default:
      return afterElement(byte, STATE.AFTER_VALUE)
  }
}

function afterElement(byte: number, spaceState: number): number {
  if (byte === BYTE.CR) return STATE.LF
  return byte === BYTE.SEMICOLON ? STATE.NAME_START : isSpace(byte) ? spaceState : -1
}

function isSpace(byte: number): boolean {
  return byte === BYTE.SPACE || byte === BYTE.HTAB
}
