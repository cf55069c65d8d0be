import { FIELD, METHOD } from '../http/index.ts'
import { complete } from './complete.ts'
import { type DownstreamConnection, PHASE } from './downstream.ts'
import type { Exchange } from './exchange.ts'
import { CRLF, literal } from './literal.ts'
import { endsConnections, writeConnection } from './response-head.ts'
import { statusLine } from './status.ts'
import { TERMINATIONS } from './termination.ts'

const CONTENT_LENGTH = literal('Content-Length: ')
const CONTENT_TYPE = literal('Content-Type: ')
const ALLOW = literal('Allow: GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH\r\n')
const NOTHING = new Uint8Array(0)
const HEAD_ROOM = 1024
const JSON_TYPE = literal('application/json')
const HTML_TYPE = literal('text/html')

/** What the proxy answers by itself: an error, a redirect, a fixed response. Made when the Plan is built. */
export interface LocalAnswer {
  readonly status: number
  /** Field lines with their CRLFs: Location, Content-Type, what the configuration adds. */
  readonly fieldLines: Uint8Array
  readonly body: Uint8Array
}

/** An error page as HTML, or as JSON for clients that ask for that and not for HTML. */
export function answerError(exchange: Exchange, termination: number, status: number, sentence?: string): void {
  exchange.termination = termination
  const downstream = exchange.downstream as DownstreamConnection
  if (downstream.phase === PHASE.CLOSED) {
    complete(exchange)
    return
  }
  const wantsJson = exchange.headBlock !== -1 && prefersJson(exchange)
  answer(exchange, downstream.listener.current.errorPages.page(status, wantsJson, sentence ?? TERMINATIONS[termination].sentence))
}

/** RFC 9110 §9.3.7: what a request to OPTIONS that may go no further is told. */
export function answerOptions(exchange: Exchange): void {
  answer(exchange, { status: 200, fieldLines: ALLOW, body: NOTHING })
}

/** Sends a local answer whole and ends the exchange. A request whose body has not been read ends its connection too. */
export function answer(exchange: Exchange, local: LocalAnswer): void {
  const downstream = exchange.downstream as DownstreamConnection
  if (!exchange.isRequestComplete || endsConnections(exchange)) exchange.keepAlive = false
  exchange.status = local.status
  const isWritten =
    writeHead(exchange, downstream, local) && (exchange.request.method === METHOD.HEAD || writeBody(exchange, downstream, local.body))
  const keepAlive = exchange.keepAlive
  complete(exchange)
  if (isWritten) downstream.finished(keepAlive)
  else downstream.connection.reset()
}

function writeHead(exchange: Exchange, downstream: DownstreamConnection, local: LocalAnswer): boolean {
  const connection = downstream.connection
  const start = connection.reserve(HEAD_ROOM + local.fieldLines.length)
  if (start === -1) return false
  const writer = exchange.worker.headWriter
  writer.begin(start)
  writer.literal(statusLine(local.status))
  writer.literal(exchange.worker.dateLine())
  writer.literal(local.fieldLines)
  if (local.status >= 200 && local.status !== 204 && local.status !== 304) {
    writer.literal(CONTENT_LENGTH)
    writer.decimal(local.body.length)
    writer.literal(CRLF)
  }
  writeConnection(exchange, writer)
  writer.literal(CRLF)
  connection.commit(writer.at - start)
  return true
}

function writeBody(exchange: Exchange, downstream: DownstreamConnection, body: Uint8Array): boolean {
  const memory = exchange.worker.engine.memory
  const most = exchange.worker.engine.blocks.blockBytes
  for (let from = 0; from < body.length; from += most) {
    const length = Math.min(most, body.length - from)
    const at = downstream.connection.reserve(length)
    if (at === -1) return false
    memory.set(from === 0 && length === body.length ? body : body.subarray(from, from + length), at)
    downstream.connection.commit(length)
  }
  exchange.responseBytes += body.length
  return true
}

function prefersJson(exchange: Exchange): boolean {
  const fields = exchange.request.fields
  const memory = exchange.worker.engine.memory
  for (let i = fields.find(FIELD.ACCEPT); i !== -1; i = fields.find(FIELD.ACCEPT, i + 1)) {
    const json = indexOf(memory, fields.valueStart(i), fields.valueEnd(i), JSON_TYPE)
    const html = indexOf(memory, fields.valueStart(i), fields.valueEnd(i), HTML_TYPE)
    if (json !== -1 && (html === -1 || json < html)) return true
  }
  return false
}

function indexOf(memory: Uint8Array, start: number, end: number, text: Uint8Array): number {
  for (let at = start; at + text.length <= end; at++) {
    let i = 0
    while (i < text.length && memory[at + i] === text[i]) i++
    if (i === text.length) return at
  }
  return -1
}

/** "Content-Type: …" as a field line. */
export function contentTypeLine(type: string): Uint8Array {
  return new Uint8Array(Buffer.concat([CONTENT_TYPE, Buffer.from(type, 'latin1'), CRLF]))
}
