/**
 * Byte classes of the HTTP grammar, one table lookup a byte. Tables, not comparisons: half the time of chained
 * comparisons on a browser's request head (bench/http-codec.ts).
 */
export const BYTE = {
  HTAB: 0x09,
  LF: 0x0a,
  CR: 0x0d,
  SPACE: 0x20,
  QUOTE: 0x22,
  HASH: 0x23,
  PERCENT: 0x25,
  ASTERISK: 0x2a,
  COMMA: 0x2c,
  DOT: 0x2e,
  SLASH: 0x2f,
  ZERO: 0x30,
  NINE: 0x39,
  COLON: 0x3a,
  SEMICOLON: 0x3b,
  EQUALS: 0x3d,
  QUESTION: 0x3f,
  BRACKET_OPEN: 0x5b,
  BACKSLASH: 0x5c,
  BRACKET_CLOSE: 0x5d,
} as const

/** 1 for a tchar (RFC 9110 §5.6.2) that is a letter, a digit or "-", 2 for any other tchar, 0 for the rest. */
export const TOKEN = table((byte) => (isAlphanumeric(byte) || isOneOf(byte, '-') ? 1 : isOneOf(byte, "!#$%&'*+.^_`|~") ? 2 : 0))

/** 1 for a byte that may not stand in a field value, RFC 9110 §5.5: controls except HTAB, and DEL. obs-text (0x80 to 0xff) may. */
export const VALUE_STOP = table((byte) => ((byte < 0x20 && byte !== BYTE.HTAB) || byte === 0x7f ? 1 : 0))

/** 1 for qdtext, RFC 9110 §5.6.4. */
export const QUOTED_TEXT = table((byte) => (VALUE_STOP[byte] === 0 && byte !== BYTE.QUOTE && byte !== BYTE.BACKSLASH ? 1 : 0))

/** What a byte of a request target is to the scanner; PLAIN bytes are skipped. */
export const TARGET_BYTE = { PLAIN: 0, QUESTION: 1, PERCENT: 2, STOP: 3 } as const

/**
 * Path of a request target. Beside what RFC 3986 allows, `"<>[]^{}|` and the backquote pass, because clients send them
 * and they delimit nothing. The backslash does not: some servers take it for "/".
 */
export const PATH = new Uint8Array(256)
/** Query of a request target: as PATH, and "?", "%" and the backslash are plain. */
export const QUERY = new Uint8Array(256)
for (let byte = 0; byte < 256; byte++) {
  const isPlain = byte > 0x20 && byte < 0x7f && byte !== BYTE.HASH
  QUERY[byte] = isPlain ? TARGET_BYTE.PLAIN : TARGET_BYTE.STOP
  PATH[byte] = QUERY[byte]
}
PATH[BYTE.QUESTION] = TARGET_BYTE.QUESTION
PATH[BYTE.PERCENT] = TARGET_BYTE.PERCENT
PATH[BYTE.BACKSLASH] = TARGET_BYTE.STOP

/**
 * 1 for a byte of a reg-name or IPv4 address: unreserved and sub-delims of RFC 3986 §3.2.2, except the comma (a list of
 * hosts to a parser that joins repeated fields). Percent-encoding is left out too: not every server decodes it.
 */
export const HOST = table((byte) => (isAlphanumeric(byte) || isOneOf(byte, "-._~!$&'()*+;=") ? 1 : 0))

/** The value of a hexadecimal digit, 255 for any other byte. */
export const HEX = new Uint8Array(256).fill(255)
for (let value = 0; value < 16; value++) {
  const digit = value.toString(16)
  HEX[digit.charCodeAt(0)] = value
  HEX[digit.toUpperCase().charCodeAt(0)] = value
}

function table(classOf: (byte: number) => number): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, byte) => classOf(byte))
}

function isAlphanumeric(byte: number): boolean {
  const letter = byte | 0x20
  return (byte >= BYTE.ZERO && byte <= BYTE.NINE) || (byte < 0x80 && letter >= 0x61 && letter <= 0x7a)
}

function isOneOf(byte: number, characters: string): boolean {
  return byte < 0x80 && characters.includes(String.fromCharCode(byte))
}
