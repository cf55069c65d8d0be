import { BODY, parseResponseHead } from '../http/index.ts'
import { breakResponse, failAttempt, outcomeOfStatus, releaseServer } from './attempt.ts'
import { complete } from './complete.ts'
import { type DownstreamConnection, PHASE } from './downstream.ts'
import type { Exchange } from './exchange.ts'
import { sendData, sendLastChunk } from './request-body.ts'
import { FRAMING, writeInformationalHead, writeResponseHead } from './response-head.ts'
import { retriesStatus, retryAfterStatus } from './retry.ts'
import { TERMINATION } from './termination.ts'
import { beginTunnel } from './tunnel.ts'
import type { UpstreamConnection } from './upstream/connection.ts'
import { RESPONSE_HEAD_LIMITS } from './worker.ts'

/** More interim (1xx) responses than this for one request are an attack or a loop. */
const MAX_INFORMATIONAL = 32
const SWITCHING_PROTOCOLS = 101
/** What is left of a body must be so long that going another way pays; where it did not, pieces must be long before it is tried again. */
const SPLICE_LEAST_BYTES = 128 * 1024
const SPLICE_LONG_BYTES = 24 * 1024

/** Takes what the server sent: heads, then the body, passed on as it comes. */
export function receiveResponse(exchange: Exchange, upstream: UpstreamConnection, start: number, end: number): void {
  let at = start
  while (at < end && !exchange.isResponseHeadRead) {
    at = readHead(exchange, upstream, at, end)
    if (at === -1) return
    if (exchange.isTunnel) {
      if (at < end) exchange.tunnelDown(at, end)
      return
    }
  }
  if (exchange.isResponseHeadRead) readBody(exchange, upstream, at, end)
}

/** The server sent FIN: the end of a body that has no other end, or a failure. */
export function serverEnded(exchange: Exchange): void {
  if (!exchange.isResponseHeadRead) {
    failAttempt(exchange, TERMINATION.SERVER_CLOSED)
    return
  }
  if (exchange.response.body !== BODY.UNTIL_CLOSE) {
    breakResponse(exchange, TERMINATION.RESPONSE_TRUNCATED)
    return
  }
  finishResponse(exchange, false)
}

/** Returns the offset behind what was consumed, or -1 when the attempt is over. */
function readHead(exchange: Exchange, upstream: UpstreamConnection, start: number, end: number): number {
  const memory = exchange.worker.engine.memory
  const limits = RESPONSE_HEAD_LIMITS
  const method = exchange.request.method
  if (upstream.head.isEmpty) {
    const consumed = parseResponseHead(memory, start, end, exchange.response, limits, method)
    if (consumed > 0) return takeHead(exchange, consumed)
    if (consumed < 0) return fail(exchange, TERMINATION.RESPONSE_INVALID)
    return upstream.head.append(start, end) === -1 ? fail(exchange, TERMINATION.OVERLOAD) : end
  }
  const taken = upstream.head.append(start, end)
  const consumed = parseResponseHead(memory, upstream.head.start, upstream.head.end, exchange.response, limits, method)
  if (consumed < 0) return fail(exchange, TERMINATION.RESPONSE_INVALID)
  if (consumed === 0) return taken
  const surplus = upstream.head.end - consumed
  const result = takeHead(exchange, consumed)
  upstream.head.release()
  return result === -1 ? -1 : taken - surplus
}

function takeHead(exchange: Exchange, consumed: number): number {
  const status = exchange.response.status
  if (status === SWITCHING_PROTOCOLS) {
    // RFC 9110 §7.8: nobody changes the protocol in the middle of a request.
    const mayUpgrade = exchange.request.upgrade && exchange.request.minorVersion > 0 && exchange.isRequestComplete
    if (!mayUpgrade || !exchange.response.upgrade) {
      return fail(exchange, TERMINATION.RESPONSE_INVALID)
    }
    return beginTunnel(exchange) ? consumed : -1
  }
  if (status < 200) {
    if (++exchange.informationalCount > MAX_INFORMATIONAL) return fail(exchange, TERMINATION.RESPONSE_INVALID)
    if (exchange.request.minorVersion > 0) writeInformationalHead(exchange)
    return consumed
  }
  if (retriesStatus(exchange, status) && retryAfterStatus(exchange, status)) return -1
  exchange.isResponseHeadRead = true
  exchange.firstByteMs = exchange.worker.engine.now()
  exchange.status = status
  exchange.responseBody.begin(exchange.response.body, exchange.response.contentLength, !exchange.response.hasConnectionOptions)
  if (!writeResponseHead(exchange)) return fail(exchange, TERMINATION.OVERLOAD)
  exchange.isResponseStarted = true
  exchange.replay.clear()
  exchange.isReplayable = false
  return consumed
}

function readBody(exchange: Exchange, upstream: UpstreamConnection, start: number, end: number): void {
  const reader = exchange.responseBody
  const connection = (exchange.downstream as DownstreamConnection).connection
  const memory = exchange.worker.engine.memory
  let at = start
  while (at < end && !reader.isComplete) {
    at = reader.read(memory, at, end)
    if (at < 0) {
      breakResponse(exchange, TERMINATION.RESPONSE_INVALID)
      return
    }
    const length = reader.dataEnd - reader.dataStart
    if (length > 0) {
      exchange.responseBytes += length
      sendData(exchange, connection, reader.dataStart, reader.dataEnd, exchange.framing === FRAMING.CHUNKED)
    }
  }
  // Bytes behind the end of the response belong to no request: the connection cannot be trusted any more.
  if (reader.isComplete) finishResponse(exchange, at === end && upstream.exchange === exchange)
  else if (reader.remaining >= SPLICE_LEAST_BYTES && (exchange.splicedBytes === 0 || end - start >= SPLICE_LONG_BYTES))
    spliceBody(exchange, upstream)
}

/** Lets the rest of a body that nobody looks at go from socket to socket, where the engine can. */
function spliceBody(exchange: Exchange, upstream: UpstreamConnection): void {
  if (exchange.framing !== FRAMING.LENGTH || !exchange.isRequestComplete || !exchange.maySplice) return
  upstream.connection.splice((exchange.downstream as DownstreamConnection).connection, exchange.responseBody.remaining, upstream)
}

/** Bytes of the body went to the client without passing through here. */
export function responseSpliced(exchange: Exchange, count: number): void {
  exchange.responseBytes += count
  exchange.splicedBytes += count
  exchange.responseBody.skip(count)
  if (exchange.responseBody.isComplete) finishResponse(exchange, true)
}

/** The response is complete: frees the server, then ends the exchange. */
function finishResponse(exchange: Exchange, connectionIsClean: boolean): void {
  const downstream = exchange.downstream as DownstreamConnection
  if (exchange.framing === FRAMING.CHUNKED && !sendLastChunk(exchange, downstream.connection, trailersOf(exchange))) {
    downstream.connection.reset()
    return
  }
  const upstream = exchange.upstream
  releaseServer(exchange, outcomeOfStatus(exchange.status))
  if (upstream !== null) {
    exchange.upstream = null
    if (exchange.isRequestComplete) upstream.finish(connectionIsClean && exchange.response.keepAlive)
    else {
      upstream.exchange = null
      upstream.discard()
    }
  }
  // What is left of an unfinished request cannot be told from the next one once its server is gone.
  const keepAlive = exchange.keepAlive && exchange.isRequestComplete && exchange.framing !== FRAMING.UNTIL_CLOSE
  complete(exchange)
  if (downstream.phase !== PHASE.CLOSED) downstream.finished(keepAlive)
}

/** Those that the route lets through. */
function trailersOf({ route, responseBody: { trailers } }: Exchange): Uint8Array {
  const edit = route === null ? null : route.responseEdit
  return edit === null ? trailers : edit.keepTrailers(trailers)
}

function fail(exchange: Exchange, termination: number): number {
  failAttempt(exchange, termination)
  return -1
}
