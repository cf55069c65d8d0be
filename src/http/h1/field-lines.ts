import { BYTE, TOKEN } from '../characters.ts'
import { fieldId, isConfusable } from '../field-names.ts'
import { FIELD, type Fields } from '../fields.ts'
import { REJECT } from './reject.ts'
import { endOfValue } from './value-end.ts'

const { COLON, CR, HTAB, LF, SPACE } = BYTE

/**
 * Reads field lines up to and with the empty line that ends them (RFC 9112 §5) into `fields`, at most `maxFields` of them
 * and never more than its capacity. Returns the offset behind the empty line, 0 where more bytes are needed, or -REJECT.*.
 * A prefix of the input gives 0 or the same refusal as the whole: nothing is decided on bytes that may still come.
 * `allowsSpaceBeforeColon` is for responses, from which a proxy has to remove it; in requests it is a refusal (RFC 9112 §5.1).
 */
export function parseFieldLines(
  memory: Uint8Array,
  start: number,
  end: number,
  fields: Fields,
  maxFields: number,
  allowsSpaceBeforeColon: boolean,
): number {
  const token = TOKEN
  const offsets = fields.offsets
  const limit = Math.min(maxFields, fields.capacity)
  let count = 0
  let marks = 0
  let at = start
  for (;;) {
    const nameStart = at
    for (let kind = 0; at < end && (kind = token[memory[at]]) !== 0; at++) marks |= kind
    if (at === end) return 0
    const nameEnd = at
    if (memory[at] !== COLON && allowsSpaceBeforeColon && at > nameStart) {
      at = skipSpace(memory, at, end)
      if (at === end) return 0
    }
    if (memory[at] !== COLON || at === nameStart) {
      if (at !== nameStart || memory[at] !== CR) return refuseName(memory, nameStart, nameEnd, end, count)
      const after = endOfLine(memory, at, end)
      fields.count = count
      fields.hasMarkedName = (marks & 2) !== 0
      return after
    }
    at = skipSpace(memory, at + 1, end)
    const valueStart = at
    at = endOfValue(memory, at, end)
    if (at === end) return 0
    const after = endOfLine(memory, at, end)
    if (after <= 0) return after
    if (count === limit) return -REJECT.TOO_MANY_FIELDS
    let valueEnd = at
    while (valueEnd > valueStart && (memory[valueEnd - 1] === SPACE || memory[valueEnd - 1] === HTAB)) valueEnd--
    const slot = count << 2
    offsets[slot] = nameStart
    offsets[slot + 1] = nameEnd
    offsets[slot + 2] = valueStart
    offsets[slot + 3] = valueEnd
    fields.ids[count++] = fieldId(memory, nameStart, nameEnd)
    at = after
  }
}

/** The offset behind CRLF at `at`, 0 where its LF has not come yet, or the refusal of the byte that stands there instead. */
export function endOfLine(memory: Uint8Array, at: number, end: number): number {
  if (memory[at] === CR) {
    if (at + 1 === end) return 0
    return memory[at + 1] === LF ? at + 2 : -REJECT.BARE_CR
  }
  return memory[at] === LF ? -REJECT.BARE_LF : -REJECT.FIELD_VALUE_INVALID
}

/** Whether some name only looks like a well-known one; see isConfusable. Not part of parsing, because responses may have such names. */
export function hasConfusableName(memory: Uint8Array, fields: Fields): boolean {
  if (!fields.hasMarkedName) return false
  for (let i = 0; i < fields.count; i++) {
    if (fields.ids[i] === FIELD.OTHER && isConfusable(memory, fields.offsets[i << 2], fields.offsets[(i << 2) + 1])) return true
  }
  return false
}

function refuseName(memory: Uint8Array, nameStart: number, at: number, end: number, count: number): number {
  const byte = memory[at]
  if (byte === CR || byte === LF) {
    const after = endOfLine(memory, at, end)
    return after > 0 ? -REJECT.FIELD_COLON_MISSING : after
  }
  if (byte === COLON) return -REJECT.FIELD_NAME_EMPTY
  if (byte !== SPACE && byte !== HTAB) return -REJECT.FIELD_NAME_INVALID
  if (at === nameStart) return count === 0 ? -REJECT.LEADING_SPACE : -REJECT.OBS_FOLD
  const next = skipSpace(memory, at, end)
  if (next === end) return 0
  return memory[next] === COLON ? -REJECT.FIELD_SPACE_BEFORE_COLON : -REJECT.FIELD_NAME_INVALID
}

function skipSpace(memory: Uint8Array, start: number, end: number): number {
  let at = start
  while (at < end && (memory[at] === SPACE || memory[at] === HTAB)) at++
  return at
}
