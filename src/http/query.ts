import type { ByteRange } from './byte-range.ts'
import { BYTE, HEX } from './characters.ts'
import type { RequestHead } from './message.ts'

const AMPERSAND = 0x26
const PLUS = 0x2b

/**
 * Looks for the parameter `name` in the query of the target, read as application/x-www-form-urlencoded, and fills `range` with the first
 * one's value as it stands there, still encoded (see equalsDecoded). A parameter without "=" has an empty value. Returns whether it was
 * found; `range` is untouched otherwise. Names are compared decoded, so "%69d=1" is the parameter "id". One pass, no allocation.
 */
export function findQueryParameter(memory: Uint8Array, head: RequestHead, name: Uint8Array, range: ByteRange): boolean {
  const end = head.queryEnd
  let at = head.queryStart
  while (at < end) {
    const nameStart = at
    while (at < end && memory[at] !== BYTE.EQUALS && memory[at] !== AMPERSAND) at++
    const nameEnd = at
    while (at < end && memory[at] !== AMPERSAND) at++
    if (at > nameStart && equalsDecoded(memory, nameStart, nameEnd, name)) {
      range.start = nameEnd < at ? nameEnd + 1 : nameEnd
      range.end = at
      return true
    }
    at++
  }
  return false
}

/** Whether memory[start, end), "+" read as a space and "%" with two hexadecimal digits as a byte, is `bytes`. Other "%" stand for themselves. */
export function equalsDecoded(memory: Uint8Array, start: number, end: number, bytes: Uint8Array): boolean {
  let at = start
  for (let i = 0; i < bytes.length; i++) {
    if (at >= end) return false
    let byte = memory[at]
    if (byte === PLUS) byte = BYTE.SPACE
    else if (byte === BYTE.PERCENT && at + 2 < end && HEX[memory[at + 1]] !== 255 && HEX[memory[at + 2]] !== 255) {
      byte = HEX[memory[at + 1]] * 16 + HEX[memory[at + 2]]
      at += 2
    }
    if (byte !== bytes[i]) return false
    at++
  }
  return at === end
}
