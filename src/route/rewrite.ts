import { EvenerError } from '../core/index.ts'
import { type RequestHead, TARGET, writeBytes, writeRange } from '../http/index.ts'
import type { RewritePlan } from './config.ts'
import { NormalPath } from './normal-path.ts'
import { TextReader } from './text-reader.ts'

const SLASH = 0x2f
const QUESTION = 0x3f
/** A rewritten path beyond this length is not used; a regular expression could multiply what it captured. Bytes. */
export const MAX_REWRITTEN_BYTES = 16 * 1024

/**
 * Writes the target of a request with another path; the query stays as it came. What is rewritten is the normal form of the
 * path (see NormalPath), and what comes out is brought into normal form again. Where that cannot be (the result would have a dot
 * segment, as "/a../b" without "/a" has), and where the pattern does not match, the path goes on as it came.
 *
 * For each head prepare() and then write(), with nothing between them that uses this object.
 */
export class Rewrite {
  readonly #change: PathChange
  readonly #path = new NormalPath()
  readonly #result = new NormalPath()
  #isChanged = false

  constructor(change: PathChange) {
    this.#change = change
  }

  /** Makes the new path and returns how many bytes write() is going to write. */
  prepare(memory: Uint8Array, head: RequestHead): number {
    if (head.targetForm !== TARGET.ORIGIN && head.targetForm !== TARGET.ABSOLUTE) {
      this.#isChanged = false
      return head.targetEnd - head.targetStart
    }
    this.#isChanged = this.#path.read(memory, head.pathStart, head.pathEnd) && this.#change.apply(this.#path, this.#result)
    const query = head.hasQuery ? head.queryEnd - head.queryStart + 1 : 0
    if (this.#isChanged) return this.#result.end - this.#result.start + query
    return Math.max(1, head.pathEnd - head.pathStart) + query
  }

  /** Writes the target that prepare() made at `at` and returns the end. */
  write(memory: Uint8Array, at: number, head: RequestHead): number {
    if (head.targetForm !== TARGET.ORIGIN && head.targetForm !== TARGET.ABSOLUTE)
      return writeRange(memory, at, head.targetStart, head.targetEnd)
    if (this.#isChanged) {
      const { bytes, start, end } = this.#result
      at = writeBytes(memory, at, bytes.subarray(start, end))
    } else if (head.pathStart === head.pathEnd) memory[at++] = SLASH
    else at = writeRange(memory, at, head.pathStart, head.pathEnd)
    if (!head.hasQuery) return at
    memory[at] = QUESTION
    return writeRange(memory, at + 1, head.queryStart, head.queryEnd)
  }
}

/** One way to change a path: fills `result` and returns whether it did. */
interface PathChange {
  apply(path: NormalPath, result: NormalPath): boolean
}

/** Throws CONFIG_INVALID where a prefix or a replacement cannot be part of a path; a regular expression was checked by config. */
export function compileRewrite(plan: RewritePlan): Rewrite {
  if (/[?#\\\x00-\x20\x7f]/.test(plan.replacement))
    throw new EvenerError('CONFIG_INVALID', `rewrite: "${plan.replacement}" has a character that cannot stand in a path`)
  return new Rewrite(
    plan.kind === 'prefix' ? new PrefixChange(plan.prefix, plan.replacement) : new RegexChange(plan.regex, plan.replacement),
  )
}

/** "/api/" instead of "/v1/" at the beginning. */
class PrefixChange implements PathChange {
  readonly #prefix: Uint8Array
  readonly #replacement: Uint8Array
  readonly #room: Uint8Array

  constructor(prefix: string, replacement: string) {
    const path = new NormalPath()
    // "/." may begin a path and is none; the letter behind it completes the segment.
    const bytes = Buffer.from(`${prefix}x`)
    if (!path.read(bytes, 0, bytes.length)) throw new EvenerError('CONFIG_INVALID', `rewrite: no path begins with "${prefix}"`)
    this.#prefix = path.bytes.slice(path.start, path.end - 1)
    this.#replacement = new Uint8Array(Buffer.from(replacement))
    this.#room = new Uint8Array(MAX_REWRITTEN_BYTES)
  }

  apply(path: NormalPath, result: NormalPath): boolean {
    const { bytes, start, end } = path
    const prefix = this.#prefix
    if (end - start < prefix.length) return false
    for (let i = 0; i < prefix.length; i++) if (bytes[start + i] !== prefix[i]) return false
    const room = this.#room
    if (this.#replacement.length + end - start + 1 > room.length) return false
    let length = 0
    const first = this.#replacement.length > 0 ? this.#replacement[0] : start + prefix.length < end ? bytes[start + prefix.length] : 0
    if (first !== SLASH) room[length++] = SLASH
    room.set(this.#replacement, length)
    length += this.#replacement.length
    for (let at = start + prefix.length; at < end; at++) room[length++] = bytes[at]
    return result.read(room, 0, length)
  }
}

/** As String.replace does it, with $1 to $9. Makes strings: routes that use it say so. */
class RegexChange implements PathChange {
  readonly #regex: RegExp
  readonly #replacement: string
  readonly #text = new TextReader()
  readonly #room: Uint8Array

  constructor(regex: string, replacement: string) {
    this.#regex = new RegExp(regex)
    this.#replacement = replacement
    this.#room = new Uint8Array(MAX_REWRITTEN_BYTES)
  }

  apply(path: NormalPath, result: NormalPath): boolean {
    const before = this.#text.read(path.bytes, path.start, path.end)
    if (!this.#regex.test(before)) return false
    const replaced = before.replace(this.#regex, this.#replacement)
    const after = Buffer.from(replaced.startsWith('/') ? replaced : `/${replaced}`)
    if (after.length > this.#room.length) return false
    this.#room.set(after)
    return result.read(this.#room, 0, after.length)
  }
}
