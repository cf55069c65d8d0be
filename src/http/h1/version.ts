import { BYTE } from '../characters.ts'
import { REJECT } from './reject.ts'

const HTTP = Uint8Array.from('HTTP/', (character) => character.charCodeAt(0))

/** Bytes of "HTTP/1.1". */
export const VERSION_LENGTH = 8

/**
 * Checks HTTP-version (RFC 9112 §2.3; the case matters) at `at` and returns the offset behind it, 0 where more bytes are needed,
 * or -REJECT.*. Only the form is checked; see majorVersion and minorVersion.
 */
export function parseVersion(memory: Uint8Array, at: number, end: number): number {
  for (let i = 0; i < VERSION_LENGTH; i++) {
    if (at + i === end) return 0
    const byte = memory[at + i]
    const isExpected = i < 5 ? byte === HTTP[i] : i === 6 ? byte === BYTE.DOT : byte >= BYTE.ZERO && byte <= BYTE.NINE
    if (!isExpected) return -REJECT.VERSION_INVALID
  }
  return at + VERSION_LENGTH
}

export function majorVersion(memory: Uint8Array, versionStart: number): number {
  return memory[versionStart + 5] - BYTE.ZERO
}

/** RFC 9110 §2.5: a higher minor version than 1 is read as 1, the highest that is known here. */
export function minorVersion(memory: Uint8Array, versionStart: number): number {
  return memory[versionStart + 7] === BYTE.ZERO ? 0 : 1
}
