import { writeCrlf } from './head-writer.ts'

/** The last chunk with no trailers. Between "0\r\n" and the empty line trailers may stand. */
export const LAST_CHUNK = Uint8Array.from('0\r\n\r\n', (character) => character.charCodeAt(0))

/** "1f4" CRLF for a chunk of `length` bytes (1 to 2^53 - 1), lower case and without leading zeros. The data must be followed by CRLF. */
export function writeChunkHeader(memory: Uint8Array, at: number, length: number): number {
  let end = at + 1
  for (let bound = 16; bound <= length; bound *= 16) end++
  let rest = length
  for (let position = end - 1; position >= at; position--) {
    const next = Math.floor(rest / 16)
    const digit = rest - next * 16
    memory[position] = digit < 10 ? 0x30 + digit : 0x57 + digit
    rest = next
  }
  return writeCrlf(memory, end)
}
