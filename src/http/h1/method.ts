import { equalsIgnoreCase } from '../field-names.ts'
import { METHOD } from '../message.ts'
import { REJECT } from './reject.ts'

const GET = 0x474554
const WELL_KNOWN = (Object.keys(METHOD) as (keyof typeof METHOD)[])
  .filter((name) => METHOD[name] !== METHOD.OTHER)
  .sort((a, b) => METHOD[a] - METHOD[b])
  .map((name) => Uint8Array.from(name.toLowerCase(), (character) => character.charCodeAt(0)))

/**
 * METHOD.* of the token memory[start, end). A well-known method in another case ("Get", "head") is refused: it is a method of
 * its own to RFC 9110 §9.1, but the same one to many servers, and HEAD decides how the response is read.
 */
export function parseMethod(memory: Uint8Array, start: number, end: number): number {
  if (end - start === 3 && ((memory[start] << 16) | (memory[start + 1] << 8) | memory[start + 2]) === GET) return METHOD.GET
  for (let i = 0; i < WELL_KNOWN.length; i++) {
    if (!equalsIgnoreCase(memory, start, end, WELL_KNOWN[i])) continue
    for (let at = start; at < end; at++) if (memory[at] >= 0x61) return -REJECT.METHOD_CASE
    return i + 1
  }
  return METHOD.OTHER
}
