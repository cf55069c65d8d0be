import type { Connection } from '../engine/index.ts'
import { BODY, writeChunkHeader } from '../http/index.ts'
import type { DownstreamConnection } from './downstream.ts'
import type { Exchange } from './exchange.ts'
import { CRLF, LAST_CHUNK_LINE } from './literal.ts'
import type { ListenerSite, RouteState } from './site.ts'
import { TERMINATION } from './termination.ts'
import type { ProxyWorker } from './worker.ts'

/** "ffffffff\r\n" at most, because a slice never leaves its block. */
const CHUNK_HEADER_BYTES = 12
const CR = 13
const LF = 10

/** Decodes what arrived and passes it to the server of the running attempt. Returns how far it got. */
export function readRequestBody(exchange: Exchange, start: number, end: number): number {
  const upstream = exchange.upstream
  if (upstream === null || !exchange.isHeadSent) return start
  const downstream = exchange.downstream as DownstreamConnection
  if (upstream.connection.isCongested) return start
  const reader = exchange.requestBody
  const memory = exchange.worker.engine.memory
  let at = start
  while (at < end && !reader.isComplete) {
    at = reader.read(memory, at, end)
    if (at < 0) {
      exchange.failRequest(TERMINATION.REQUEST_BODY_INVALID)
      return end
    }
    if (reader.dataEnd > reader.dataStart && !passOn(exchange, upstream.connection, reader.dataStart, reader.dataEnd)) return end
  }
  if (reader.isComplete) finishRequestBody(exchange, upstream.connection)
  else {
    downstream.armBody()
    if (upstream.connection.isCongested) {
      downstream.pauseForUpstream()
      upstream.armBody()
    }
  }
  return at
}

/** Sends again, to another server, what the one before it had already been sent. */
export function replayRequestBody(exchange: Exchange, connection: Connection): void {
  const isChunked = exchange.request.body === BODY.CHUNKED
  for (let i = 0; i < exchange.replay.count; i++)
    sendData(exchange, connection, exchange.replay.startAt(i), exchange.replay.endAt(i), isChunked)
  if (exchange.isRequestComplete && isChunked && !sendLastChunk(exchange, connection, trailersOf(exchange))) connection.reset()
}

function passOn(exchange: Exchange, connection: Connection, start: number, end: number): boolean {
  exchange.requestBytes += end - start
  if (exchange.requestBytes > (exchange.site as ListenerSite).limits.maxBodyBytes) {
    exchange.failRequest(TERMINATION.REQUEST_BODY_TOO_LARGE)
    return false
  }
  if (exchange.copy !== null) exchange.copy.send(start, end)
  if (exchange.isReplayable) {
    if (exchange.requestBytes <= (exchange.route as RouteState).retry.bufferBytes) exchange.replay.push(start, end)
    else {
      exchange.isReplayable = false
      exchange.replay.clear()
    }
  }
  sendData(exchange, connection, start, end, exchange.request.body === BODY.CHUNKED)
  return true
}

function finishRequestBody(exchange: Exchange, connection: Connection): void {
  if (exchange.request.body === BODY.CHUNKED && !sendLastChunk(exchange, connection, trailersOf(exchange))) connection.reset()
  if (exchange.copy !== null) exchange.copy.finishBody()
  exchange.requestCompleted()
  exchange.upstream?.armResponse()
}

/** Those that the route lets through. */
function trailersOf({ route, requestBody: { trailers } }: Exchange): Uint8Array {
  const { requestEdit } = route as RouteState
  return requestEdit === null ? trailers : requestEdit.keepTrailers(trailers)
}

/** Whoever sends a message with a body. */
interface Sender {
  readonly worker: ProxyWorker
}

/** One run of body bytes, in a chunk of its own where the message is chunked. */
export function sendData({ worker }: Sender, connection: Connection, start: number, end: number, isChunked: boolean): void {
  if (!isChunked) {
    connection.send(start, end)
    return
  }
  const memory = worker.engine.memory
  const header = connection.reserve(CHUNK_HEADER_BYTES)
  if (header === -1) {
    connection.reset()
    return
  }
  connection.commit(writeChunkHeader(memory, header, end - start) - header)
  connection.send(start, end)
  const tail = connection.reserve(2)
  if (tail === -1) {
    connection.reset()
    return
  }
  memory[tail] = CR
  memory[tail + 1] = LF
  connection.commit(2)
}

/** Ends a chunked message with the trailer fields that came with it; false when there is no memory for that. */
export function sendLastChunk({ worker }: Sender, connection: Connection, trailers: Uint8Array): boolean {
  const start = connection.reserve(LAST_CHUNK_LINE.length + trailers.length + CRLF.length)
  if (start === -1) return false
  const writer = worker.headWriter
  writer.begin(start)
  writer.literal(LAST_CHUNK_LINE)
  writer.literal(trailers)
  writer.literal(CRLF)
  connection.commit(writer.at - start)
  return true
}
