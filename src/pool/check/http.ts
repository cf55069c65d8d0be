import { BodyReader, type HeadLimits, HeadScanner, METHOD, parseResponseHead, REJECTIONS, ResponseHead } from '../../http/index.ts'
import { AnswerMatch, describePattern, matches } from './answer-match.ts'
import type { HttpProbePlan, TextPatternPlan } from './plan.ts'
import { type CheckProtocol, type CheckWire, CLOSED_EARLY, fail, pass, quote, type Verdict } from './protocol.ts'

/** A check answers for a server's health, not for its verbosity: a longer head is a failure. */
const LIMITS: HeadLimits = { maxLineBytes: 8 * 1024, maxHeadBytes: 16 * 1024, maxFields: 128 }

/** Takes a body as it comes and judges it. */
export interface BodyJudge {
  /** No further byte will be looked at. */
  readonly isFull: boolean
  /** Whether the verdict is certain with this piece. */
  add(piece: Uint8Array): boolean
  judge(status: number): Verdict
}

export type HttpCheckOptions = Omit<HttpProbePlan, 'kind' | 'host' | 'tls'> & { readonly host: string }

/** HTTP/1.1 request, status and, if asked for, the body's text. Interim responses are passed over. */
export class HttpCheck implements CheckProtocol {
  readonly #options: HttpCheckOptions
  /** null where the body does not matter. */
  readonly #judge: BodyJudge | null
  readonly #head = new ResponseHead(LIMITS.maxFields)
  readonly #scanner = new HeadScanner()
  readonly #reader = new BodyReader()
  /** The head while it grows. */
  readonly #bytes = Buffer.allocUnsafe(LIMITS.maxHeadBytes)
  #length = 0
  /** The body from its begin; null while the head is not whole. */
  #body: BodyJudge | null = null

  /** Whoever wants more of the body than a pattern judges it himself. */
  constructor(options: HttpCheckOptions, judge: BodyJudge | null = null) {
    this.#options = options
    this.#judge = judge ?? (options.body === undefined ? null : new PatternBody(options.body))
  }

  opened(wire: CheckWire): null {
    const { method, path, host, headers, requestBody } = this.#options
    const own = new Set(headers.map((header) => header.name.toLowerCase()))
    const lines = [`${method} ${path} HTTP/1.1`]
    if (!own.has('host')) lines.push(`Host: ${host}`)
    if (!own.has('user-agent')) lines.push('User-Agent: evener-check')
    lines.push('Connection: close', ...headers.map(({ name, value }) => `${name}: ${value}`))
    const body = Buffer.from(requestBody ?? '')
    if (body.length > 0 || method === 'POST' || method === 'PUT') lines.push(`Content-Length: ${body.length}`)
    wire.write(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), body]))
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
    return this.#body.judge(this.#head.status)
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
    const { status } = this.#options
    const answered = this.#head.status
    if (!status.some((range) => answered >= range.from && answered <= range.to)) {
      return fail(`status ${answered}, expected ${describeRanges(status)}`)
    }
    const missing = this.#missingField()
    if (missing !== null) return missing
    if (this.#judge === null) return pass(`status ${answered}`)
    this.#body = this.#judge
    this.#reader.begin(this.#head.body, this.#head.contentLength)
    return this.#readBody(rest)
  }

  /** The failure that a field is missing or says something else, or null. */
  #missingField(): Verdict | null {
    for (const { name, pattern } of this.#options.responseHeaders) {
      const values = this.#valuesOf(name.toLowerCase())
      if (values.some((value) => matches(pattern, value))) continue
      const wanted = `expected ${describePattern(pattern)}`
      if (values.length === 0) return fail(`status ${this.#head.status}, but no field ${name}, ${wanted}`)
      return fail(`status ${this.#head.status}, but ${name} is ${quote(values.join(', '))}, ${wanted}`)
    }
    return null
  }

  #valuesOf(name: string): string[] {
    const { offsets, count } = this.#head.fields
    const text = (from: number, to: number): string => this.#bytes.toString('latin1', from, to)
    return Array.from({ length: count }, (_, field) => offsets.subarray(field * 4, field * 4 + 4))
      .filter(([nameStart, nameEnd]) => text(nameStart, nameEnd).toLowerCase() === name)
      .map(([, , valueStart, valueEnd]) => text(valueStart, valueEnd))
  }

  #readBody(bytes: Uint8Array): Verdict | null {
    const body = this.#body as BodyJudge
    let at = 0
    while (at < bytes.length && !this.#reader.isComplete) {
      at = this.#reader.read(bytes, at, bytes.length)
      if (at < 0) return fail(`not a valid HTTP response: ${REJECTIONS[this.#reader.reject].sentence}`)
      if (body.add(bytes.subarray(this.#reader.dataStart, this.#reader.dataEnd))) return body.judge(this.#head.status)
    }
    return this.#reader.isComplete || body.isFull ? body.judge(this.#head.status) : null
  }
}

/** Looks for a pattern in the begin of a body. */
class PatternBody implements BodyJudge {
  readonly #pattern: TextPatternPlan
  readonly #match: AnswerMatch
  #isFound = false

  constructor(pattern: TextPatternPlan) {
    this.#pattern = pattern
    this.#match = new AnswerMatch(pattern)
  }

  get isFull(): boolean {
    return this.#match.isFull
  }

  add(piece: Uint8Array): boolean {
    this.#isFound ||= this.#match.add(piece)
    return this.#isFound
  }

  judge(status: number): Verdict {
    if (this.#isFound || this.#match.isFound()) return pass(`status ${status}, the body matches`)
    return fail(`status ${status}, but the body does not contain ${describePattern(this.#pattern)}`)
  }
}

/** "200-399" or "200, 204". */
export function describeRanges(ranges: readonly { readonly from: number; readonly to: number }[]): string {
  return ranges.map(({ from, to }) => (from === to ? String(from) : `${from}-${to}`)).join(', ')
}
