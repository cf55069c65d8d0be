import {
  BODY,
  BodyReader,
  FIELD,
  HeadScanner,
  HOP_BY_HOP,
  LAST_CHUNK,
  METHOD,
  mustRewriteHost,
  parseRequestHead,
  parseResponseHead,
  REJECTIONS,
  RequestHead,
  ResponseHead,
  writeBytes,
  writeChunkHeader,
  writeCrlf,
  writeFields,
  writeRange,
  writeRequestLine,
  writeStatusLine,
} from '../../../src/http/index.ts'

export const LIMITS = { maxLineBytes: 8192, maxHeadBytes: 16_384, maxFields: 100 }

/** One message as the codec saw it, in words (see corpus/http-requests.txt), and as a proxy would send it on. */
export interface SeenMessage {
  readonly summary: string
  readonly isWhole: boolean
  readonly canonical: Uint8Array
  readonly method: string
}

export interface SeenStream {
  readonly messages: SeenMessage[]
  /** How the stream went on behind the last whole message: "", "(head)", "(body)" or "!reason". */
  readonly ending: string
}

const DROPPED = Uint8Array.from(HOP_BY_HOP)
const CHUNKED = Buffer.from('Transfer-Encoding: chunked\r\n')
const HOST = Buffer.from('Host: ')
/** What a proxy would take from its configuration for an HTTP/1.0 request without Host. */
const DEFAULT_HOST = Buffer.from('Host: none.test')

/**
 * Reads a stream as a connection of the proxy does: pieces of the given sizes are appended one after the other, heads are parsed
 * on arrival and then only when HeadScanner says so. The bytes around the input are `surround`, which must not matter.
 */
export abstract class StreamReader {
  readonly messages: SeenMessage[] = []
  ending = ''
  protected readonly memory: Uint8Array
  protected readonly out = Buffer.alloc(65_536)
  protected readonly body = new BodyReader()
  readonly #scanner = new HeadScanner()
  readonly #input: Uint8Array
  readonly #base: number
  #parts: Uint8Array[] = []
  #summary = ''
  #method = ''

  constructor(input: Uint8Array, surround: number) {
    this.#base = 3 + (input.length % 5)
    this.memory = new Uint8Array(this.#base + input.length + 64).fill(surround)
    this.#input = input
  }

  /** Fills the head; returns as parseRequestHead does. */
  protected abstract parseHead(start: number, end: number): number
  protected abstract describe(): {
    summary: string
    head: Uint8Array
    method: string
    body: number
    contentLength: number
    keepAlive: boolean
  }
  protected abstract endOfInput(isInBody: boolean): boolean

  run(pieces: Iterable<number>): SeenStream {
    let arrived = this.#base
    let at = this.#base
    for (const size of pieces) {
      const from = arrived - this.#base
      const piece = this.#input.subarray(from, from + size)
      this.memory.set(piece, arrived)
      arrived += piece.length
      at = this.#consume(at, arrived)
      if (at === -1) return this
    }
    this.#finish(at, arrived)
    return this
  }

  #isInBody = false
  #isDone = false
  #hasParsed = false
  #keepAlive = true

  /** Returns the offset up to which the input was used, -1 when the stream is over. */
  #consume(start: number, end: number): number {
    let at = start
    for (;;) {
      if (this.#isDone) return -1
      if (this.#isInBody) {
        if (!this.body.isComplete && at === end) return at
        at = this.#readBody(at, end)
        if (at === -1) return -1
        continue
      }
      if (at === end && this.#hasParsed) return at
      if (this.#hasParsed && this.#scanner.find(this.memory, at, end, LIMITS) === 0) return at
      const headEnd = this.#readHead(at, end)
      if (headEnd === 0) return at
      if (headEnd === -1) return -1
      at = headEnd
    }
  }

  #readHead(start: number, end: number): number {
    const headEnd = this.parseHead(start, end)
    if (headEnd === 0) {
      if (!this.#hasParsed) this.#scanner.reset()
      this.#hasParsed = true
      return 0
    }
    if (headEnd < 0) return this.#refuse(-headEnd)
    this.#hasParsed = false
    const { summary, head, method, body, contentLength, keepAlive } = this.describe()
    this.#summary = summary
    this.#method = method
    this.#parts = [head]
    this.#keepAlive = keepAlive
    this.body.begin(body, contentLength)
    this.#isChunked = body === BODY.CHUNKED
    this.#isInBody = true
    this.#bodyBytes = 0
    if (this.body.isComplete) this.#endMessage()
    return headEnd
  }

  #isChunked = false
  #bodyBytes = 0

  #readBody(start: number, end: number): number {
    const at = this.body.read(this.memory, start, end)
    if (at === -1) return this.#refuse(this.body.reject)
    if (at < start || at > end) throw new Error(`the body reader used ${start} to ${at} of ${start} to ${end}`)
    if (this.body.dataEnd > this.body.dataStart) {
      if (this.body.dataStart < start || this.body.dataEnd > at) throw new Error('content outside of what was used')
      this.#bodyBytes += this.body.dataEnd - this.body.dataStart
      this.#parts.push(Buffer.from(this.memory.subarray(this.body.dataStart, this.body.dataEnd)))
    } else if (at === start && !this.body.isComplete && start < end) throw new Error('the body reader does not move')
    if (this.body.isComplete) this.#endMessage()
    return at
  }

  #endMessage(): void {
    this.#isInBody = false
    this.#isDone = !this.#keepAlive
    this.#pushMessage(true)
  }

  #pushMessage(isWhole: boolean): void {
    const [head, ...parts] = this.#parts
    const content = Buffer.concat(parts)
    const size = this.#isChunked ? `chunked:${this.#bodyBytes}` : ''
    const trailers = Buffer.from(this.body.trailers).toString('latin1').replaceAll('\r\n', ';')
    const canonical = this.#isChunked ? Buffer.concat([head, chunked(content, this.body.trailers)]) : Buffer.concat([head, content])
    const summary = this.#summary.replace('<chunked>', size) + (trailers === '' ? '' : ` trailers(${trailers})`)
    this.messages.push({ summary, isWhole, canonical, method: this.#method })
  }

  #refuse(reason: number): -1 {
    if (this.#isInBody) this.#pushMessage(false)
    this.ending = `!${REJECTIONS[reason].name}`
    return -1
  }

  #finish(at: number, end: number): void {
    if (!this.#isInBody) {
      if (this.#isDone) return
      // The verdict on an unfinished head must not depend on how it was cut.
      const headEnd = at === end ? 0 : this.parseHead(at, end)
      if (headEnd < 0) this.ending = `!${REJECTIONS[-headEnd].name}`
      else if (headEnd > 0) throw new Error('a complete head was not found')
      else if (at < end) this.ending = '(head)'
      return
    }
    const isWhole = this.endOfInput(true)
    this.#pushMessage(isWhole)
    this.ending = isWhole ? '(end)' : '(body)'
  }
}

function chunked(content: Uint8Array, trailers: Uint8Array): Uint8Array {
  const header = new Uint8Array(32)
  const parts: Uint8Array[] = []
  if (content.length > 0) parts.push(header.subarray(0, writeChunkHeader(header, 0, content.length)), content, Buffer.from('\r\n'))
  if (trailers.length === 0) parts.push(LAST_CHUNK)
  else parts.push(Buffer.from('0\r\n'), trailers, Buffer.from('\r\n'))
  return Buffer.concat(parts)
}

function bodyText(body: number, contentLength: number): string {
  if (body === BODY.CHUNKED) return '<chunked>'
  if (body === BODY.UNTIL_CLOSE) return 'until-close'
  return body === BODY.LENGTH ? `length:${contentLength}` : 'none'
}

export class RequestStream extends StreamReader {
  readonly #head = new RequestHead(LIMITS.maxFields)

  protected parseHead(start: number, end: number): number {
    return parseRequestHead(this.memory, start, end, this.#head, LIMITS)
  }

  protected endOfInput(): boolean {
    return false
  }

  protected describe() {
    const head = this.#head
    const method = this.#text(head.methodStart, head.methodEnd)
    const canonical = this.#write()
    const whole = Buffer.from(canonical).toString('latin1').split(' ')[1]
    const target = whole.length > 100 ? `${whole.slice(0, 20)}…(${whole.length})` : whole
    let summary = `${method} ${target} @${this.#text(head.authorityStart, head.authorityEnd)} ${bodyText(head.body, head.contentLength)}`
    if (!head.keepAlive) summary += ' close'
    if (head.upgrade) summary += ' upgrade'
    if (head.expectContinue) summary += ' continue'
    if (head.hasConnectionOptions) summary += ' options'
    const { body, contentLength, keepAlive } = head
    return { summary, head: canonical, method, body, contentLength, keepAlive }
  }

  /** As a proxy sends it on: HTTP/1.1, hop-by-hop fields gone, the framing its own. The copy is made where HEAD's ranges cannot lie. */
  #write(): Uint8Array {
    const head = this.#head
    const scratch = new Uint8Array(this.memory.length + 65_536)
    scratch.set(this.memory)
    const begin = this.memory.length
    let at = writeRequestLine(scratch, begin, head)
    const hasOwnHost = mustRewriteHost(head) && head.authorityEnd > head.authorityStart
    if (hasOwnHost) {
      at = writeBytes(scratch, at, HOST)
      at = writeCrlf(scratch, writeRange(scratch, at, head.authorityStart, head.authorityEnd))
    } else if (head.fields.find(FIELD.HOST) === -1) at = writeCrlf(scratch, writeBytes(scratch, at, DEFAULT_HOST))
    const dropped = Uint8Array.from(HOP_BY_HOP)
    if (hasOwnHost) dropped[FIELD.HOST] = 1
    // RFC 9110 §10.1.1: the expectation of an HTTP/1.0 client is ignored, so it must not reach an HTTP/1.1 server.
    if (!head.expectContinue) dropped[FIELD.EXPECT] = 1
    at = writeFields(scratch, at, head, dropped)
    if (head.body === BODY.CHUNKED) at = writeBytes(scratch, at, CHUNKED)
    return scratch.slice(begin, writeCrlf(scratch, at))
  }

  #text(start: number, end: number): string {
    return Buffer.from(this.memory.subarray(start, end)).toString('latin1')
  }
}

export class ResponseStream extends StreamReader {
  readonly #head = new ResponseHead(LIMITS.maxFields)
  readonly #method: number

  constructor(input: Uint8Array, surround: number, requestMethod: keyof typeof METHOD) {
    super(input, surround)
    this.#method = METHOD[requestMethod]
  }

  protected parseHead(start: number, end: number): number {
    return parseResponseHead(this.memory, start, end, this.#head, LIMITS, this.#method)
  }

  protected endOfInput(): boolean {
    return this.body.finish()
  }

  protected describe() {
    const head = this.#head
    const reason = Buffer.from(this.memory.subarray(head.reasonStart, head.reasonEnd)).toString('latin1')
    let summary = `${head.status} "${reason}" ${bodyText(head.body, head.contentLength)}`
    const isNoted = head.body === BODY.NONE && head.contentLength > 0
    if (isNoted) summary += ` (length ${head.contentLength})`
    if (!head.keepAlive) summary += ' close'
    if (head.upgrade) summary += ' upgrade'
    if (head.hasConnectionOptions) summary += ' options'
    const { body, contentLength, keepAlive } = head
    return { summary, head: this.#write(), method: '', body, contentLength, keepAlive }
  }

  #write(): Uint8Array {
    const head = this.#head
    const scratch = new Uint8Array(this.memory.length + 65_536)
    scratch.set(this.memory)
    const begin = this.memory.length
    let at = writeFields(scratch, writeStatusLine(scratch, begin, head), head, DROPPED)
    if (head.body === BODY.CHUNKED) at = writeBytes(scratch, at, CHUNKED)
    return scratch.slice(begin, writeCrlf(scratch, at))
  }
}
