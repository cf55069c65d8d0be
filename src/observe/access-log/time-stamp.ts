import { writeThreeDigits } from './number.ts'

const DOT = 0x2e
const CAPITAL_Z = 0x5a
/** "2026-11-21T04:33:34.123Z" and "21/Nov/2026:04:33:34 +0000" are shorter. */
export const TIME_BYTES = 32

/** Writes times as bytes; the part down to the second is made once a second. Always UTC, so that no clock change folds the log. */
export class TimeStamp {
  readonly #isCommon: boolean
  #second = Number.NaN
  #text = new Uint8Array(TIME_BYTES)
  #length = 0

  /** `isCommon`: as the common log format has it; otherwise ISO 8601 with milliseconds. */
  constructor(isCommon: boolean) {
    this.#isCommon = isCommon
  }

  write(out: Uint8Array, at: number, timeMs: number): number {
    const second = Math.floor(timeMs / 1000)
    if (second !== this.#second) this.#format(second)
    for (let i = 0; i < this.#length; i++) out[at++] = this.#text[i]
    if (this.#isCommon) return at
    out[at] = DOT
    at = writeThreeDigits(out, at + 1, Math.floor(timeMs) - second * 1000)
    out[at] = CAPITAL_Z
    return at + 1
  }

  #format(second: number): void {
    this.#second = second
    const date = new Date(second * 1000)
    const text = this.#isCommon ? commonTime(date) : date.toISOString().slice(0, 19)
    this.#length = text.length
    for (let i = 0; i < text.length; i++) this.#text[i] = text.charCodeAt(i)
  }
}

function commonTime(date: Date): string {
  const [, day, month, year, time] = date.toUTCString().split(' ')
  return `${day}/${month}/${year}:${time} +0000`
}
