import { BodyReader, type HeadLimits, HeadScanner, METHOD, parseResponseHead, REJECTIONS, ResponseHead } from '../../http/index.ts'
import { type CheckProtocol, type CheckWriter, CLOSED_EARLY, fail, pass, type Verdict } from './protocol.ts'

/** A check answers for a server's health, not for its verbosity: a longer head is a failure. */
const LIMITS: HeadLimits = { maxLineBytes: 8 * 1024, maxHeadBytes: 16 * 1024, maxFields: 128 }

/** Of a body only so much is searched. */
export const MAX_BODY_BYTES = 64 * 1024

export interface HttpCheckOptions {
  readonly method: string
  /** Path and query. */
  readonly path: string
  readonly host: string
  readonly headers: readonly { readonly name: string; readonly value: string }[]
  /** Inclusive ranges. */
  readonly status: readonly { readonly from: number; readonly to: number }[]
  /** What the body must contain, or undefined. */
  readonly body: string | RegExp | undefined
}

/** HTTP/1.1 request, status and, if asked for, the body's text. Interim responses are passed over. */
export class HttpCheck implements CheckProtocol {
  readonly #options: HttpCheckOptions
  readonly #head = new ResponseHead(LIMITS.maxFields)
  readonly #scanner = new HeadScanner()
  readonly #reader = new BodyReader()
  /** The head while it grows. */
  readonly #bytes = Buffer.allocUnsafe(LIMITS.maxHeadBytes)
  #length = 0
  /** The body from its begin; null while the head is not whole. */
  #body: BodyMatch | null = null

  constructor(options: HttpCheckOptions) {
    this.#options = options
  }

  opened(write: CheckWriter): null {
    const { method, path, host, headers } = this.#options
    const own = new Set(headers.map((header) => header.name.toLowerCase()))
    const lines = [`${method} ${path} HTTP/1.1`]
    if (!own.has('host')) lines.push(`Host: ${host}`)
    if (!own.has('user-agent')) lines.push('User-Agent: evener-check')
    lines.push('Connection: close', ...headers.map(({ name, value }) => `${name}: ${value}`))
    write(Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'))
    return null
  }

  received(bytes: Uint8Array): Verdict | null {
    if (this.#body !== null) return this.#readBody(bytes)
    let at = 0
    while (at < bytes.length) {
      const length = Math.min(bytes.length - at, this.#bytes.length - this.#length)
      this.#bytes.set(bytes.subarray(at, at + length), this.#length)
      this.#length += length
      at += length
      const verdict = this.#readHead()
      if (verdict !== null) return verdict
      if (this.#body !== null) return this.#readBody(bytes.subarray(at))
    }
    return null
  }

  ended(): Verdict {
    if (this.#body === null || !this.#reader.finish()) return CLOSED_EARLY
    return this.#judge(this.#body.isFound())
  }

  /** Reads heads until one is final or the bytes are used up. */
  #readHead(): Verdict | null {
    const method = METHOD[this.#options.method as keyof typeof METHOD] ?? METHOD.OTHER
    while (this.#length > 0 && this.#scanner.find(this.#bytes, 0, this.#length, LIMITS) > 0) {
      const end = parseResponseHead(this.#bytes, 0, this.#length, this.#head, LIMITS, method)
      if (end === 0) return null
      if (end < 0) return fail(`not a valid HTTP response: ${REJECTIONS[-end].sentence}`)
      const rest = Buffer.from(this.#bytes.subarray(end, this.#length))
      if (this.#head.status >= 200) return this.#judgeHead(rest)
      this.#scanner.reset()
      this.#bytes.set(rest)
      this.#length = rest.length
    }
    return null
  }

  #judgeHead(rest: Uint8Array): Verdict | null {
    const { status, body } = this.#options
    const answered = this.#head.status
    if (!status.some((range) => answered >= range.from && answered <= range.to)) {
      return fail(`status ${answered}, expected ${describeRanges(status)}`)
    }
    if (body === undefined) return pass(`status ${answered}`)
    this.#body = new BodyMatch(body)
    this.#reader.begin(this.#head.body, this.#head.contentLength)
    return this.#readBody(rest)
  }

  #readBody(bytes: Uint8Array): Verdict | null {
    const body = this.#body as BodyMatch
    let at = 0
    while (at < bytes.length && !this.#reader.isComplete) {
      at = this.#reader.read(bytes, at, bytes.length)
      if (at < 0) return fail(`not a valid HTTP response: ${REJECTIONS[this.#reader.reject].sentence}`)
      if (body.add(bytes.subarray(this.#reader.dataStart, this.#reader.dataEnd))) return this.#judge(true)
    }
    return this.#reader.isComplete || body.isFull ? this.#judge(body.isFound()) : null
  }

  #judge(isFound: boolean): Verdict {
    const status = `status ${this.#head.status}`
    if (isFound) return pass(`${status}, the body matches`)
    const wanted = this.#options.body
    return fail(`${status}, but the body does not contain ${typeof wanted === 'string' ? JSON.stringify(wanted) : String(wanted)}`)
  }
}

/** The first MAX_BODY_BYTES of a body, searched as they come for a text, and once they are all there for a pattern. */
class BodyMatch {
  readonly #wanted: string | RegExp
  readonly #bytes = Buffer.allocUnsafe(MAX_BODY_BYTES)
  #length = 0

  constructor(wanted: string | RegExp) {
    this.#wanted = wanted
  }

  get isFull(): boolean {
    return this.#length === MAX_BODY_BYTES
  }

  /** Whether the text has been found with this piece. */
  add(piece: Uint8Array): boolean {
    const before = this.#length
    const taken = piece.subarray(0, MAX_BODY_BYTES - before)
    this.#bytes.set(taken, before)
    this.#length += taken.length
    if (typeof this.#wanted !== 'string') return false
    const from = Math.max(0, before - Buffer.byteLength(this.#wanted))
    return this.#bytes.subarray(from, this.#length).includes(this.#wanted)
  }

  isFound(): boolean {
    const bytes = this.#bytes.subarray(0, this.#length)
    return typeof this.#wanted === 'string' ? bytes.includes(this.#wanted) : this.#wanted.test(bytes.toString())
  }
}

/** "200-399" or "200, 204". */
export function describeRanges(ranges: readonly { readonly from: number; readonly to: number }[]): string {
  return ranges.map(({ from, to }) => (from === to ? String(from) : `${from}-${to}`)).join(', ')
}
