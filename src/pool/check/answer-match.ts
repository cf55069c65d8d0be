import type { TextPatternPlan } from './plan.ts'

/** Of an answer only so much is searched for a text. */
export const MAX_TEXT_BYTES = 64 * 1024
/** A regular expression may take time that grows with the square of what it sees: 8 KiB are a tenth of a second at worst. */
export const MAX_REGEX_BYTES = 8 * 1024

/** The begin of an answer, searched as it comes for a text, and when it is all there for a regular expression. */
export class AnswerMatch {
  readonly #text: Buffer | null
  readonly #regex: RegExp | null
  readonly #bytes: Buffer
  #length = 0

  constructor(wanted: TextPatternPlan) {
    this.#text = wanted.kind === 'text' ? Buffer.from(wanted.value) : null
    this.#regex = wanted.kind === 'regex' ? new RegExp(wanted.value) : null
    this.#bytes = Buffer.allocUnsafe(this.#regex === null ? MAX_TEXT_BYTES : MAX_REGEX_BYTES)
  }

  /** No further byte will be looked at. */
  get isFull(): boolean {
    return this.#length === this.#bytes.length
  }

  /** Whether the text has been found with this piece; a regular expression waits for isFound(). */
  add(piece: Uint8Array): boolean {
    const before = this.#length
    const taken = piece.subarray(0, this.#bytes.length - before)
    this.#bytes.set(taken, before)
    this.#length += taken.length
    if (this.#text === null) return false
    return this.#bytes.subarray(Math.max(0, before - this.#text.length), this.#length).includes(this.#text)
  }

  /** Whether it is in what has come so far. */
  isFound(): boolean {
    const bytes = this.#bytes.subarray(0, this.#length)
    return this.#text === null ? (this.#regex as RegExp).test(bytes.toString()) : bytes.includes(this.#text)
  }
}

/** `"ready"` or `/^2/`, for the words of a verdict. */
export function describePattern({ kind, value }: TextPatternPlan): string {
  return kind === 'text' ? JSON.stringify(value) : String(new RegExp(value))
}

export function matches({ kind, value }: TextPatternPlan, text: string): boolean {
  return kind === 'text' ? text.includes(value) : new RegExp(value).test(text.slice(0, MAX_REGEX_BYTES))
}
