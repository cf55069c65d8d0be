import { BYTE } from './characters.ts'

const { ZERO } = BYTE

/** More digits than any number up to 2^53 - 1 needs, so that leading zeros are bounded. */
const MAX_DIGITS = 19

/** The value of 1*DIGIT in memory[start, end), up to 2^53 - 1 and of at most 19 digits; -1 for anything else. */
export function parseDecimal(memory: Uint8Array, start: number, end: number): number {
  if (start >= end || end - start > MAX_DIGITS) return -1
  let value = 0
  for (let at = start; at < end; at++) {
    const digit = memory[at] - ZERO
    if (digit < 0 || digit > 9) return -1
    value = value * 10 + digit
  }
  return value > Number.MAX_SAFE_INTEGER ? -1 : value
}

/** Writes a non-negative integer up to 2^53 - 1 in decimal at `at` and returns the end. */
export function writeDecimal(memory: Uint8Array, at: number, value: number): number {
  let end = at + 1
  for (let bound = 10; bound <= value; bound *= 10) end++
  let rest = value
  for (let position = end - 1; position >= at; position--) {
    const next = Math.floor(rest / 10)
    memory[position] = ZERO + (rest - next * 10)
    rest = next
  }
  return end
}
