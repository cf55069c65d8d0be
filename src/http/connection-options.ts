import { BYTE, TOKEN } from './characters.ts'
import { equalNames, equalsIgnoreCase, fieldId } from './field-names.ts'
import { FIELD, type Fields } from './fields.ts'

const { COMMA, HTAB, SPACE } = BYTE

/** What parseConnectionOptions found, as bits. */
export const OPTION = {
  CLOSE: 1,
  KEEP_ALIVE: 2,
  UPGRADE: 4,
  /** An option that names a field which is not hop-by-hop by itself. */
  OTHER: 8,
  /** An option that names a field of PROTECTED. */
  PROTECTED: 16,
  /** An element that is no token. */
  MALFORMED: 32,
} as const

const CLOSE = Uint8Array.from('close', (character) => character.charCodeAt(0))

/** Fields that belong to one connection, RFC 9110 §7.6.1; a proxy never forwards them as they came. By FIELD number. */
export const HOP_BY_HOP = flags(
  FIELD.CONNECTION,
  FIELD.KEEP_ALIVE,
  FIELD.PROXY_CONNECTION,
  FIELD.TE,
  FIELD.TRANSFER_ENCODING,
  FIELD.UPGRADE,
  FIELD.HTTP2_SETTINGS,
)

/**
 * Fields that a Connection option never removes, because they frame, route or date the message or say who sent it
 * (RFC 9110 §7.6.1: not for "a field that is intended for all recipients of the content"). By FIELD number.
 */
export const PROTECTED = flags(
  FIELD.HOST,
  FIELD.CONTENT_LENGTH,
  FIELD.EXPECT,
  FIELD.VIA,
  FIELD.FORWARDED,
  FIELD.X_FORWARDED_FOR,
  FIELD.X_FORWARDED_PROTO,
  FIELD.X_FORWARDED_HOST,
  FIELD.X_FORWARDED_PORT,
  FIELD.MAX_FORWARDS,
  FIELD.DATE,
  FIELD.CONTENT_TYPE,
  FIELD.CONTENT_ENCODING,
  FIELD.SET_COOKIE,
)

/** 256 flags by FIELD number, for writeFields and the tables above. */
export function flags(...ids: readonly number[]): Uint8Array {
  const table = new Uint8Array(256)
  for (const id of ids) table[id] = 1
  return table
}

/** OPTION.* bits of one Connection value. Empty elements and any white space around commas are accepted (RFC 9110 §5.6.1). */
export function parseConnectionOptions(memory: Uint8Array, start: number, end: number): number {
  // What nearly every client sends.
  if (end - start === 10 && fieldId(memory, start, end) === FIELD.KEEP_ALIVE) return OPTION.KEEP_ALIVE
  let found = 0
  let at = start
  while (at < end) {
    const tokenStart = skipSeparators(memory, at, end)
    let tokenEnd = tokenStart
    while (tokenEnd < end && TOKEN[memory[tokenEnd]] !== 0) tokenEnd++
    if (tokenEnd > tokenStart) found |= classify(memory, tokenStart, tokenEnd)
    at = tokenEnd
    while (at < end && memory[at] !== COMMA) {
      if (memory[at] !== SPACE && memory[at] !== HTAB) found |= OPTION.MALFORMED
      at++
    }
  }
  return found
}

/**
 * Whether a Connection field of the message lists memory[nameStart, nameEnd), so that a proxy must not forward that field
 * (RFC 9110 §7.6.1). Never true for the names in PROTECTED. Cost: one pass over the Connection values.
 */
export function isConnectionOption(memory: Uint8Array, head: { readonly fields: Fields }, nameStart: number, nameEnd: number): boolean {
  const fields = head.fields
  if (PROTECTED[fieldId(memory, nameStart, nameEnd)] === 1) return false
  for (let i = fields.find(FIELD.CONNECTION); i !== -1; i = fields.find(FIELD.CONNECTION, i + 1)) {
    const end = fields.valueEnd(i)
    let at = fields.valueStart(i)
    while (at < end) {
      const tokenStart = skipSeparators(memory, at, end)
      at = tokenStart
      while (at < end && memory[at] !== COMMA) at++
      let tokenEnd = at
      while (tokenEnd > tokenStart && (memory[tokenEnd - 1] === SPACE || memory[tokenEnd - 1] === HTAB)) tokenEnd--
      if (equalNames(memory, tokenStart, tokenEnd, nameStart, nameEnd)) return true
    }
  }
  return false
}

function skipSeparators(memory: Uint8Array, start: number, end: number): number {
  let at = start
  while (at < end && (memory[at] === COMMA || memory[at] === SPACE || memory[at] === HTAB)) at++
  return at
}

function classify(memory: Uint8Array, start: number, end: number): number {
  const id = fieldId(memory, start, end)
  if (id === FIELD.KEEP_ALIVE) return OPTION.KEEP_ALIVE
  if (id === FIELD.UPGRADE) return OPTION.UPGRADE
  if (id === FIELD.OTHER && equalsIgnoreCase(memory, start, end, CLOSE)) return OPTION.CLOSE
  if (HOP_BY_HOP[id] === 1) return 0
  return PROTECTED[id] === 1 ? OPTION.PROTECTED : OPTION.OTHER
}
