import { Timer, type TimerTarget } from '../engine/index.ts'
import { METHOD } from '../http/index.ts'
import { ALL_FULL } from '../pool/index.ts'
import { attempt, outcomeOfStatus, releaseServer, reportAttempt } from './attempt.ts'
import { PHASE } from './downstream.ts'
import type { Exchange } from './exchange.ts'
import { chooseServer, refuse } from './pick.ts'
import type { RouteState } from './site.ts'
import { TERMINATION } from './termination.ts'
import type { PoolState } from './upstream/pool-state.ts'
import { enterQueue, park } from './wait.ts'

/** Whether the request may be tried again after an attempt that failed before any byte of a response was passed on. */
export function mayRetry(exchange: Exchange, termination: number, nothingSent: boolean, nothingCame: boolean): boolean {
  const { retry } = exchange.route as RouteState
  if (!exchange.isReplayable || exchange.attempts >= retry.attempts || exchange.downstream?.phase === PHASE.CLOSED) return false
  if (isConnectFailure(termination)) return retry.onConnectFailure
  if (nothingSent || (nothingCame && isIdempotent(exchange.request.method) && diedInReuse(exchange, termination))) {
    exchange.needsFreshConnection = true
    return true
  }
  if (!isIdempotent(exchange.request.method)) return false
  return termination === TERMINATION.RESPONSE_TIMEOUT ? retry.onTimeout : retry.onReset
}

/** Makes another attempt, now or after the back-off, or waits for a place in the pool. False where none can be made. */
export function retry(exchange: Exchange): boolean {
  if (!isPaid(exchange)) return false
  if (!exchange.needsFreshConnection && backOff(exchange)) return true
  const index = chooseServer(exchange)
  if (index < 0) {
    const { queue } = (exchange.pool as PoolState).pool
    return index === ALL_FULL && queue !== null && enterQueue(exchange, queue)
  }
  attempt(exchange)
  return true
}

/** Whether a response with this status is to be dropped and the request tried elsewhere. */
export function retriesStatus(exchange: Exchange, status: number): boolean {
  const { retry } = exchange.route as RouteState
  if (!retry.onStatus.has(status)) return false
  return exchange.isReplayable && exchange.attempts < retry.attempts && isIdempotent(exchange.request.method)
}

/** Drops the answer of this attempt and makes another; false, and the answer stands, where that cannot be. */
export function retryAfterStatus(exchange: Exchange, status: number): boolean {
  const { upstream, serverIndex } = exchange
  if (!isPaid(exchange)) return false
  if ((exchange.route as RouteState).retry.backOffMs > 0) {
    releaseServer(exchange, outcomeOfStatus(status))
    if (upstream !== null) upstream.discard()
    return backOff(exchange)
  }
  if (chooseServer(exchange) < 0) return false
  reportAttempt(exchange, serverIndex, outcomeOfStatus(status))
  if (upstream !== null) upstream.discard()
  attempt(exchange)
  return true
}

/** A connection that had gone stale is no sign of a server in trouble, and trying again no burden on it: that is free. */
function isPaid(exchange: Exchange): boolean {
  exchange.pick.nowMs = exchange.worker.engine.wallClock()
  const { retryBudget } = (exchange.pool as PoolState).pool
  return retryBudget === null || exchange.needsFreshConnection || retryBudget.withdraw(exchange.pick.nowMs)
}

/** The server had closed the idle connection just as the request was sent: it never saw it, or it would have answered. */
function diedInReuse(exchange: Exchange, termination: number): boolean {
  return exchange.isReused && termination === TERMINATION.SERVER_CLOSED
}

/** RFC 9110 §9.2.2. */
export function isIdempotent(method: number): boolean {
  return method !== METHOD.POST && method !== METHOD.PATCH && method !== METHOD.CONNECT && method !== METHOD.OTHER
}

/** Parks the exchange until its next attempt. False where the route has no back-off. */
function backOff(exchange: Exchange): boolean {
  const { backOffMs, maxBackOffMs } = (exchange.route as RouteState).retry
  if (backOffMs === 0) return false
  const most = Math.min(maxBackOffMs, backOffMs * 2 ** (exchange.attempts - 1))
  // Half of it by chance, so that requests that failed together do not come back together.
  const delayMs = most / 2 + (most / 2) * (exchange.worker.random.next() / 2 ** 32)
  exchange.backOff ??= new BackOff(exchange)
  exchange.backOff.begin(delayMs)
  return true
}

/** The time between two attempts. Made when its exchange needs one for the first time, and used again. */
export class BackOff implements TimerTarget {
  readonly #exchange: Exchange
  readonly #timer = new Timer(this)

  constructor(exchange: Exchange) {
    this.#exchange = exchange
  }

  begin(delayMs: number): void {
    park(this.#exchange)
    this.#exchange.worker.engine.timers.arm(this.#timer, delayMs)
  }

  cancel(): void {
    this.#exchange.worker.engine.timers.disarm(this.#timer)
  }

  expired(): void {
    const exchange = this.#exchange
    exchange.pick.nowMs = exchange.worker.engine.wallClock()
    const index = chooseServer(exchange)
    const { queue } = (exchange.pool as PoolState).pool
    if (index < 0 && index === ALL_FULL && queue !== null && enterQueue(exchange, queue)) return
    exchange.isParked = false
    if (index < 0) {
      refuse(exchange, index)
      return
    }
    if (!exchange.isRequestComplete) exchange.downstream?.armBody()
    attempt(exchange)
  }
}

function isConnectFailure(termination: number): boolean {
  return (
    termination === TERMINATION.CONNECT_FAILED ||
    termination === TERMINATION.CONNECT_TIMEOUT ||
    termination === TERMINATION.HANDSHAKE_FAILED
  )
}
