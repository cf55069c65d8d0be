/**
 * What a byte of a path is to the normal form. Before PERCENT the bytes may stay as they are.
 *
 *   PLAIN    unreserved and sub-delims of RFC 3986 §2, ":" and "@": the same whether percent-encoded or not
 *   ENCODE   may not stand in a URI but is sent by some clients: written as "%XX"
 *   REFUSE   read in different ways by different servers, or the end of the path
 */
export const CLASS = { PLAIN: 0, SLASH: 1, DOT: 2, PERCENT: 3, ENCODE: 4, REFUSE: 5 } as const

export const BYTE_CLASS = Uint8Array.from({ length: 256 }, (_, byte) => classOf(byte))

/** "0" to "F", for writing. */
export const HEX_DIGITS = Uint8Array.from('0123456789ABCDEF', (digit) => digit.charCodeAt(0))

/** The value of a hexadecimal digit; NaN for anything else. */
export function hexValue(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30
  const lower = byte | 0x20
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : Number.NaN
}

function classOf(byte: number): number {
  const character = String.fromCharCode(byte)
  if (character === '/') return CLASS.SLASH
  if (character === '.') return CLASS.DOT
  if (character === '%') return CLASS.PERCENT
  if (/[A-Za-z0-9\-_~!$&'()*+,;=:@]/.test(character)) return CLASS.PLAIN
  // Encoded, "/", "?", "#" and "\" stay encoded: ENCODE below is about what a decoded byte is written as, too.
  return byte <= 0x20 || byte === 0x7f || '#?\\'.includes(character) ? CLASS.REFUSE : CLASS.ENCODE
}
