import { BYTE } from '../characters.ts'
import { REJECT } from './reject.ts'

const { DOT, NINE, ZERO } = BYTE

const HTTP = Uint8Array.from('HTTP/', (character) => character.charCodeAt(0))

/** Bytes of "HTTP/1.1". */
export const VERSION_LENGTH = 8

/**
 * Checks HTTP-version (RFC 9112 §2.3; the case matters) at `at` and returns the offset behind it, 0 where more bytes are needed,
 * or -REJECT.*. Only the form is checked; see majorVersion and minorVersion.
 */
export function parseVersion(memory: Uint8Array, at: number, end: number): number {
  if (end - at >= VERSION_LENGTH && isHttp1(memory, at)) return at + VERSION_LENGTH
  for (let i = 0; i < VERSION_LENGTH; i++) {
    if (at + i === end) return 0
    const byte = memory[at + i]
    const isExpected = i < 5 ? byte === HTTP[i] : i === 6 ? byte === DOT : byte >= ZERO && byte <= NINE
    if (!isExpected) return -REJECT.VERSION_INVALID
  }
  return at + VERSION_LENGTH
}

export function majorVersion(memory: Uint8Array, versionStart: number): number {
  return memory[versionStart + 5] - ZERO
}

/** RFC 9110 §2.5: a higher minor version than 1 is read as 1, the highest that is known here. */
export function minorVersion(memory: Uint8Array, versionStart: number): number {
  return memory[versionStart + 7] === ZERO ? 0 : 1
}

/** "HTTP/1.1" and "HTTP/1.0" without the loop. */
function isHttp1(memory: Uint8Array, at: number): boolean {
  const name = (memory[at] << 24) | (memory[at + 1] << 16) | (memory[at + 2] << 8) | memory[at + 3]
  const number = (memory[at + 4] << 24) | (memory[at + 5] << 16) | (memory[at + 6] << 8) | (memory[at + 7] & 0xfe)
  return name === 0x48545450 && number === 0x2f312e30
}
