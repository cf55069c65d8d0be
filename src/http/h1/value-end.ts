import { VALUE_STOP } from '../characters.ts'

/**
 * A view of the memory that was scanned last, kept because making one costs more than a scan. Each worker has one arena, so it is
 * made once; the small buffers of trailers push it out now and then.
 */
let viewed: Uint8Array = new Uint8Array(0)
let view: DataView<ArrayBufferLike> = new DataView(viewed.buffer)

/**
 * The offset of the first byte in memory[start, end) that may not stand in a field value (VALUE_STOP; CR above all), or `end`. Four
 * bytes at a time: a browser's head is parsed in 16 % less time than byte by byte; bench/http-codec.ts.
 */
export function endOfValue(memory: Uint8Array, start: number, end: number): number {
  const stop = VALUE_STOP
  const words = memory === viewed ? view : viewOf(memory)
  const last = end - 4
  let at = start
  while (at <= last) {
    const word = words.getInt32(at, true)
    // The high bit of each byte below 0x20 (borrow) and of 0x7f (carry), but not of those from 0x80. Tabs and, by the carry or borrow of
    // a neighbour, a few innocent bytes are flagged as well; the table decides.
    const flags = ((word - 0x20202020) | (word + 0x01010101)) & ~word & 0x80808080
    if (flags === 0) at += 4
    else {
      at += (31 - Math.clz32(flags & -flags)) >> 3
      if (stop[memory[at]] === 1) return at
      at++
    }
  }
  while (at < end && stop[memory[at]] === 0) at++
  return at
}

function viewOf(memory: Uint8Array): DataView<ArrayBufferLike> {
  viewed = memory
  view = new DataView(memory.buffer, memory.byteOffset, memory.byteLength)
  return view
}
