import { OUTCOME, type Outcome } from '../pool/index.ts'
import { answerError } from './answer.ts'
import { complete } from './complete.ts'
import { type DownstreamConnection, PHASE } from './downstream.ts'
import { DONE, type Exchange } from './exchange.ts'
import { Hedge } from './hedge.ts'
import { replayRequestBody } from './request-body.ts'
import { writeRequestHead } from './request-head.ts'
import { FRAMING } from './response-head.ts'
import { mayRetry, retry } from './retry.ts'
import type { RouteState } from './site.ts'
import { TERMINATION, TERMINATIONS } from './termination.ts'
import type { UpstreamConnection } from './upstream/connection.ts'
import type { PoolState } from './upstream/pool-state.ts'
import type { UpstreamServer } from './upstream/server.ts'
import { unpark } from './wait.ts'

/** Sends the request to the picked server over an idle connection, or over a new one once it is open. */
export function attempt(exchange: Exchange): number {
  const server = exchange.server as UpstreamServer
  exchange.attempts++
  exchange.attemptMs = exchange.worker.engine.now()
  exchange.isHeadSent = false
  exchange.isResponseHeadRead = false
  const idle = exchange.needsFreshConnection ? null : server.takeIdle()
  exchange.needsFreshConnection = false
  const { hedgeMs, timeouts } = exchange.route as RouteState
  if (hedgeMs > 0 && exchange.attempts === 1) armHedge(exchange, hedgeMs)
  const upstream = idle ?? server.connect(timeouts.connectMs, exchange.downstream as DownstreamConnection)
  if (upstream === null) exchange.worker.connectionWaits.wait(exchange)
  else useConnection(exchange, upstream)
  return DONE
}

/** The attempt has its connection: an idle one, or one that is being made. */
export function useConnection(exchange: Exchange, upstream: UpstreamConnection): void {
  exchange.isReused = upstream.isOpen
  exchange.upstream = upstream
  upstream.exchange = exchange
  if (upstream.isOpen) sendRequest(exchange)
}

function armHedge(exchange: Exchange, delayMs: number): void {
  exchange.hedge ??= new Hedge(exchange)
  exchange.hedge.arm(delayMs)
}

/** The connection is open: the head goes out, and what there is of the body behind it. */
export function sendRequest(exchange: Exchange): void {
  const upstream = exchange.upstream as UpstreamConnection
  upstream.sentBefore = upstream.connection.sentBytes
  upstream.receivedBefore = upstream.connection.receivedBytes
  if (!writeRequestHead(exchange, upstream.connection)) {
    failAttempt(exchange, TERMINATION.OVERLOAD)
    return
  }
  exchange.isHeadSent = true
  if (exchange.replay.count > 0 || exchange.attempts > 1) replayRequestBody(exchange, upstream.connection)
  upstream.armResponse()
  if (!exchange.isRequestComplete) exchange.downstream?.resumeFeeding()
}

/**
 * The attempt came to nothing before any byte of a response was passed on. Another one follows where it is safe: after a
 * connect failure always; when a reused connection died, for idempotent methods or when nothing had been sent;
 * otherwise as the route's `retry` says.
 */
export function failAttempt(exchange: Exchange, termination: number): void {
  if (exchange.isParked) unpark(exchange)
  if (exchange.race !== null) {
    exchange.race.survive(outcomeOf(termination))
    return
  }
  const upstream = exchange.upstream
  const nothingSent = upstream === null || !exchange.isHeadSent || upstream.connection.sentBytes === upstream.sentBefore
  const nothingCame = upstream === null || upstream.connection.receivedBytes === upstream.receivedBefore
  releaseServer(exchange, outcomeOf(termination))
  if (upstream !== null) upstream.discard()
  if (mayRetry(exchange, termination, nothingSent, nothingCame) && retry(exchange)) return
  if (exchange.isRequestComplete === false) exchange.keepAlive = false
  answerError(exchange, termination, TERMINATIONS[termination].status)
}

/** Lets go of a running attempt whose result nobody wants any more. */
export function cancelAttempt(exchange: Exchange): void {
  const upstream = exchange.upstream
  if (exchange.isParked) unpark(exchange)
  if (exchange.race !== null) exchange.race.cancel()
  releaseServer(exchange, OUTCOME.CANCELLED)
  if (upstream !== null) upstream.discard()
}

/** The response broke off after its head had been passed on: nothing can be mended, and the client must see it. */
export function breakResponse(exchange: Exchange, termination: number): void {
  const upstream = exchange.upstream
  const downstream = exchange.downstream as DownstreamConnection
  exchange.termination = termination
  releaseServer(exchange, outcomeOf(termination))
  if (upstream !== null) upstream.discard()
  const framing = exchange.framing
  complete(exchange)
  if (downstream.phase === PHASE.CLOSED) return
  // Where only the end of the connection ends the body, a FIN would make a broken response look whole.
  if (framing === FRAMING.UNTIL_CLOSE) downstream.connection.reset()
  else downstream.finished(false)
}

export function outcomeOfStatus(status: number): Outcome {
  if (status < 500) return OUTCOME.SUCCESS
  return status >= 502 && status <= 504 ? OUTCOME.GATEWAY_ERROR : OUTCOME.SERVER_ERROR
}

/** Reports to the pool how the attempt went and counts it as no longer active. */
export function releaseServer(exchange: Exchange, outcome: Outcome): void {
  if (exchange.server === null) return
  exchange.server = null
  reportAttempt(exchange, exchange.serverIndex, outcome)
}

export function reportAttempt(exchange: Exchange, index: number, outcome: Outcome): void {
  const { pool } = exchange.pool as PoolState
  const latencyMs = exchange.isResponseHeadRead ? exchange.firstByteMs - exchange.attemptMs : -1
  pool.report(index, outcome, latencyMs, exchange.worker.engine.wallClock())
  pool.release(index)
}

function outcomeOf(termination: number): Outcome {
  switch (termination) {
    case TERMINATION.CONNECT_FAILED:
    case TERMINATION.HANDSHAKE_FAILED:
      return OUTCOME.CONNECT_FAILURE
    case TERMINATION.CONNECT_TIMEOUT:
      return OUTCOME.CONNECT_TIMEOUT
    case TERMINATION.RESPONSE_TIMEOUT:
      return OUTCOME.RESPONSE_TIMEOUT
    case TERMINATION.RESPONSE_INVALID:
      return OUTCOME.BAD_RESPONSE
    case TERMINATION.OVERLOAD:
    case TERMINATION.SERVERS_FULL:
      return OUTCOME.CANCELLED
    default:
      return OUTCOME.RESET
  }
}
