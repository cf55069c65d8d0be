import type { ByteRange } from './byte-range.ts'
import { BYTE } from './characters.ts'
import { FIELD, type Fields } from './fields.ts'

/**
 * Looks for the cookie `name` (RFC 6265 §4.2.1; the case matters) in all Cookie fields and fills `range` with the value of the first one,
 * which is the one with the longest path. White space around the value is left out, quotes stay. Returns whether it was found; `range`
 * is untouched otherwise. One pass over the Cookie values, no allocation.
 */
export function findCookie(memory: Uint8Array, head: { readonly fields: Fields }, name: Uint8Array, range: ByteRange): boolean {
  const fields = head.fields
  for (let i = fields.find(FIELD.COOKIE); i !== -1; i = fields.find(FIELD.COOKIE, i + 1)) {
    if (findPair(memory, fields.valueStart(i), fields.valueEnd(i), name, range)) return true
  }
  return false
}

function findPair(memory: Uint8Array, start: number, end: number, name: Uint8Array, range: ByteRange): boolean {
  let at = start
  while (at < end) {
    at = skipSpace(memory, at, end)
    const length = commonLength(memory, at, end, name)
    const nameEnd = at + length
    const equals = skipSpace(memory, nameEnd, end)
    const isFound = length === name.length && equals < end && memory[equals] === BYTE.EQUALS
    at = nameEnd
    while (at < end && memory[at] !== BYTE.SEMICOLON) at++
    if (isFound) {
      range.start = skipSpace(memory, equals + 1, at)
      range.end = at
      while (range.end > range.start && isSpace(memory[range.end - 1])) range.end--
      return true
    }
    at++
  }
  return false
}

/** How many bytes of `name` stand at memory[start, end). */
function commonLength(memory: Uint8Array, start: number, end: number, name: Uint8Array): number {
  const limit = Math.min(name.length, end - start)
  let length = 0
  while (length < limit && memory[start + length] === name[length]) length++
  return length
}

function skipSpace(memory: Uint8Array, start: number, end: number): number {
  let at = start
  while (at < end && isSpace(memory[at])) at++
  return at
}

function isSpace(byte: number): boolean {
  return byte === BYTE.SPACE || byte === BYTE.HTAB
}
