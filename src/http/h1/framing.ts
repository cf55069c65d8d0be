import { BYTE } from '../characters.ts'
import { parseDecimal } from '../decimal.ts'
import { equalsIgnoreCase } from '../field-names.ts'
import type { Fields } from '../fields.ts'
import { REJECT } from './reject.ts'

const { COMMA, HTAB, SPACE, ZERO } = BYTE

const CHUNKED = Uint8Array.from('chunked', (character) => character.charCodeAt(0))

/**
 * The value of the Content-Length at `index`, or -REJECT.*. Leading zeros are cut off the field, so that it is forwarded
 * in the one form that nobody takes for octal.
 */
export function parseContentLength(memory: Uint8Array, fields: Fields, index: number): number {
  const start = fields.valueStart(index)
  const end = fields.valueEnd(index)
  const value = parseDecimal(memory, start, end)
  if (value === -1) return -REJECT.CONTENT_LENGTH_INVALID
  let digits = start
  while (digits < end - 1 && memory[digits] === ZERO) digits++
  fields.offsets[index * 4 + 2] = digits
  return value
}

/**
 * 0 where the Transfer-Encoding memory[start, end) is "chunked" in any case and nothing else, or the reason (REJECT.*) why not: RFC 9112 §6.3
 * wants 400 where chunked is not last, §7 wants 501 for a coding that is not known.
 */
export function refuseTransferEncoding(memory: Uint8Array, start: number, end: number): number {
  if (equalsIgnoreCase(memory, start, end, CHUNKED)) return 0
  let codings = 0
  let chunked = 0
  let isLast = false
  let at = start
  for (;;) {
    while (at < end && (memory[at] === SPACE || memory[at] === HTAB)) at++
    const elementStart = at
    while (at < end && memory[at] !== COMMA) at++
    let elementEnd = at
    while (elementEnd > elementStart && (memory[elementEnd - 1] === SPACE || memory[elementEnd - 1] === HTAB)) elementEnd--
    if (elementEnd === elementStart) return REJECT.TRANSFER_ENCODING_INVALID
    isLast = equalsIgnoreCase(memory, elementStart, elementEnd, CHUNKED)
    if (isLast) chunked++
    codings++
    if (at === end) break
    at++
  }
  return isLast && chunked === 1 && codings > 1 ? REJECT.TRANSFER_CODING_UNKNOWN : REJECT.TRANSFER_ENCODING_INVALID
}
