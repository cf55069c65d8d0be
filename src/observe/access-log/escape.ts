const HEX = Uint8Array.from('0123456789abcdef', (digit) => digit.charCodeAt(0))
const QUOTE = 0x22
const BACKSLASH = 0x5c
const DOT = 0x2e
/** Written where a value is cut; callers leave room for it. */
export const CUT_BYTES = 3

/** 1 for bytes that stand for themselves: printable ASCII without quote and backslash. */
const PLAIN = Uint8Array.from({ length: 256 }, (_, byte) => (byte >= 0x20 && byte < 0x7f && byte !== QUOTE && byte !== BACKSLASH ? 1 : 0))

/**
 * Writes source[start, stop) at `at` for a line of plain text: control characters, quotes, backslashes and everything
 * above ASCII as "\xXX", so that nobody can forge a line or a quoted field, or send a terminal commands. At most up to `end`; behind
 * that, the value is cut and "..." follows (CUT_BYTES of room). Returns where the value ends.
 */
export function writeText(out: Uint8Array, at: number, end: number, source: Uint8Array, start: number, stop: number): number {
  const plain = PLAIN
  for (let i = start; i < stop; i++) {
    const run = Math.min(stop, i + end - at)
    while (i < run && plain[source[i]] === 1) out[at++] = source[i++]
    if (i === stop) return at
    if (at + 4 > end) return writeCut(out, at)
    const byte = source[i]
    out[at] = BACKSLASH
    out[at + 1] = 0x78
    out[at + 2] = HEX[byte >>> 4]
    out[at + 3] = HEX[byte & 15]
    at += 4
  }
  return at
}

/**
 * The same inside a JSON string: valid UTF-8 stays, except control characters U+0080 to U+009F; what is not UTF-8 becomes U+FFFD for each
 * byte; escapes are JSON's.
 */
export function writeJson(out: Uint8Array, at: number, end: number, source: Uint8Array, start: number, stop: number): number {
  const plain = PLAIN
  for (let i = start; i < stop; i++) {
    const run = Math.min(stop, i + end - at)
    while (i < run && plain[source[i]] === 1) out[at++] = source[i++]
    if (i === stop) return at
    if (at + 6 > end) return writeCut(out, at)
    const byte = source[i]
    const length = byte < 0x80 ? 0 : utf8Length(source, i, stop)
    if (length > 0) {
      for (let k = 0; k < length; k++) out[at++] = source[i + k]
      i += length - 1
    } else at = writeJsonEscape(out, at, byte)
  }
  return at
}

function writeJsonEscape(out: Uint8Array, at: number, byte: number): number {
  out[at++] = BACKSLASH
  if (byte === QUOTE || byte === BACKSLASH) {
    out[at++] = byte
    return at
  }
  out[at++] = 0x75
  const isAscii = byte < 0x80
  out[at++] = isAscii ? 0x30 : 0x66
  out[at++] = isAscii ? 0x30 : 0x66
  out[at++] = isAscii ? HEX[byte >>> 4] : 0x66
  out[at++] = isAscii ? HEX[byte & 15] : 0x64
  return at
}

function writeCut(out: Uint8Array, at: number): number {
  for (let i = 0; i < CUT_BYTES; i++) out[at++] = DOT
  return at
}

/** Length of the UTF-8 character at `at` (RFC 3629 §4: no surrogates, nothing longer than need be), 0 where there is none or it is a control character. */
function utf8Length(source: Uint8Array, at: number, stop: number): number {
  const first = source[at]
  const length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2
  if (first < 0xc2 || first > 0xf4 || at + length > stop) return 0
  for (let i = 1; i < length; i++) if ((source[at + i] & 0xc0) !== 0x80) return 0
  const second = source[at + 1]
  if (first === 0xc2 && second < 0xa0) return 0
  if ((first === 0xe0 && second < 0xa0) || (first === 0xed && second >= 0xa0)) return 0
  if ((first === 0xf0 && second < 0x90) || (first === 0xf4 && second >= 0x90)) return 0
  return length
}
