import { BYTE, VALUE_STOP } from '../characters.ts'
import type { HeadLimits } from '../message.ts'

/**
 * Says when a head that arrives in pieces is worth parsing again: when a line was completed, a byte came that no head may have, or
 * a limit was reached. It looks at each byte once, so a client that sends a byte at a time costs one pass and at most one
 * parse a line (maxFields bounds those). Positions are relative to `start`, so the head may be moved between calls.
 */
export class HeadScanner {
  #scanned = 0
  #isAfterCr = false
  #isFirstLine = true

  reset(): void {
    this.#scanned = 0
    this.#isAfterCr = false
    this.#isFirstLine = true
  }

  /** `end` where memory[start, end) is to be parsed (which may still give 0), 0 where that would be in vain. */
  find(memory: Uint8Array, start: number, end: number, limits: HeadLimits): number {
    let isWorthwhile = false
    let isAfterCr = this.#isAfterCr
    for (let at = start + this.#scanned; at < end; at++) {
      const byte = memory[at]
      if (byte === BYTE.LF) this.#isFirstLine = false
      if (isAfterCr || (VALUE_STOP[byte] === 1 && byte !== BYTE.CR)) isWorthwhile = true
      isAfterCr = byte === BYTE.CR
    }
    this.#isAfterCr = isAfterCr
    this.#scanned = end - start
    const lineLimit = limits.maxLineBytes + 2
    const limit = this.#isFirstLine && lineLimit < limits.maxHeadBytes ? lineLimit : limits.maxHeadBytes
    return isWorthwhile || end - start >= limit ? end : 0
  }
}
