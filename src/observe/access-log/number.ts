const ZERO = 0x30
const DOT = 0x2e
/** The most bytes that a number takes: 2^53 has sixteen digits, a dot and three more may follow. */
export const NUMBER_BYTES = 20

/** Writes a whole number from 0 to 2^53 in decimal digits and returns the end. */
export function writeNumber(out: Uint8Array, at: number, value: number): number {
  let digits = 1
  for (let bound = 10; bound <= value; bound *= 10) digits++
  const end = at + digits
  let rest = value
  for (let position = end - 1; position >= at; position--) {
    const next = rest < 0x40000000 ? (rest / 10) | 0 : Math.floor(rest / 10)
    // In this order: ZERO + rest may be beyond 2^53.
    out[position] = ZERO + (rest - next * 10)
    rest = next
  }
  return end
}

/** Writes milliseconds with three decimals: "0.412". */
export function writeMilliseconds(out: Uint8Array, at: number, milliseconds: number): number {
  const microseconds = Math.max(0, Math.round(milliseconds * 1000))
  const whole = Math.floor(microseconds / 1000)
  at = writeNumber(out, at, whole)
  out[at] = DOT
  return writeThreeDigits(out, at + 1, microseconds - whole * 1000)
}

export function writeThreeDigits(out: Uint8Array, at: number, value: number): number {
  out[at] = ZERO + ((value / 100) | 0)
  out[at + 1] = ZERO + (((value / 10) | 0) % 10)
  out[at + 2] = ZERO + (value % 10)
  return at + 3
}
