import { FIELD } from './fields.ts'

/** Well-known names in canonical (lower-case) form, by FIELD number. */
export const FIELD_NAMES: readonly string[] = [
  '',
  'host',
  'connection',
  'content-length',
  'transfer-encoding',
  'expect',
  'upgrade',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'via',
  'forwarded',
  'x-forwarded-for',
  'x-forwarded-proto',
  'x-forwarded-host',
  'max-forwards',
  'cookie',
  'date',
  'accept',
  'content-type',
  'user-agent',
  'referer',
  'server',
  'set-cookie',
  'proxy-authenticate',
  'proxy-authorization',
  'http2-settings',
  'content-encoding',
  'cache-control',
  'location',
  'authorization',
  'accept-encoding',
  'x-forwarded-port',
  'retry-after',
]

/** All names one after the other; NAME_AT[id] to NAME_AT[id + 1] is one of them. */
const NAMES = Uint8Array.from(FIELD_NAMES.join(''), (character) => character.charCodeAt(0))
const NAME_AT = new Uint16Array(FIELD_NAMES.length + 1)
/** FIELD number by hash(name), 0 where there is none. The hash is perfect over FIELD_NAMES; building throws if it is not. */
const SLOTS = new Uint8Array(128)

for (let id = 0; id < FIELD_NAMES.length; id++) NAME_AT[id + 1] = NAME_AT[id] + FIELD_NAMES[id].length
for (let id = 1; id < FIELD_NAMES.length; id++) {
  const slot = hash(NAMES, NAME_AT[id], NAME_AT[id + 1])
  if (SLOTS[slot] !== 0)
    throw new Error(`field names ${FIELD_NAMES[SLOTS[slot]]} and ${FIELD_NAMES[id]} share a slot: choose other factors`)
  SLOTS[slot] = id
}

/** Over the length, the first byte and the last but one. The factors were found by search. */
function hash(memory: Uint8Array, start: number, end: number): number {
  return (end - start + (memory[start] | 0x20) * 12 + (memory[end - 2] | 0x20) * 9) & 127
}

/** FIELD number of the token memory[start, end), FIELD.OTHER where it is not a well-known name. Case does not matter. */
export function fieldId(memory: Uint8Array, start: number, end: number): number {
  if (end - start < 2) return FIELD.OTHER
  const id = SLOTS[hash(memory, start, end)]
  const name = NAME_AT[id]
  if (NAME_AT[id + 1] - name !== end - start) return FIELD.OTHER
  for (let at = start, i = name; at < end; at++, i++) if ((memory[at] | 0x20) !== NAMES[i]) return FIELD.OTHER
  return id
}

/**
 * Whether the token is no well-known name, but becomes one when its marks are taken for hyphens: "Content_Length",
 * "x.forwarded.for". CGI and its descendants (RFC 3875 §4.1.18) see both under one name. Only for tokens whose fieldId is OTHER.
 */
export function isConfusable(memory: Uint8Array, start: number, end: number): boolean {
  if (end - start < 2) return false
  const id = SLOTS[hash(memory, start, end)]
  const name = NAME_AT[id]
  if (id === 0 || NAME_AT[id + 1] - name !== end - start) return false
  for (let at = start, i = name; at < end; at++, i++) {
    const byte = memory[at] | 0x20
    if (byte !== NAMES[i] && !(isMark(byte) && NAMES[i] === 0x2d)) return false
  }
  return true
}

/** Whether memory[start, end) is `lowercase`, in any case. `lowercase` is a token without upper-case letters. */
export function equalsIgnoreCase(memory: Uint8Array, start: number, end: number, lowercase: Uint8Array): boolean {
  if (end - start !== lowercase.length) return false
  for (let i = 0; i < lowercase.length; i++) {
    const byte = memory[start + i]
    if ((byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte) !== lowercase[i]) return false
  }
  return true
}

/**
 * As equalsIgnoreCase, with any mark in place of any other: "X_User" and "x.user" are "x-user" too, as they are for CGI and its
 * descendants (RFC 3875 §4.1.18).
 */
export function equalsButForMarks(memory: Uint8Array, start: number, end: number, lowercase: Uint8Array): boolean {
  if (end - start !== lowercase.length) return false
  for (let i = 0; i < lowercase.length; i++) {
    const byte = memory[start + i]
    const folded = byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte
    if (folded !== lowercase[i] && !(isMark(folded) && isMark(lowercase[i]))) return false
  }
  return true
}

/** Of a token in lower case: neither letter nor digit. */
function isMark(byte: number): boolean {
  return !((byte >= 0x61 && byte <= 0x7a) || (byte >= 0x30 && byte <= 0x39))
}

/** Whether two tokens are the same name. */
export function equalNames(memory: Uint8Array, start: number, end: number, otherStart: number, otherEnd: number): boolean {
  if (end - start !== otherEnd - otherStart) return false
  for (let at = start, other = otherStart; at < end; at++, other++) {
    const a = memory[at]
    const b = memory[other]
    if (a !== b && ((a | 0x20) !== (b | 0x20) || (a | 0x20) < 0x61 || (a | 0x20) > 0x7a)) return false
  }
  return true
}
