import { Timer, type TimerTarget } from '../engine/index.ts'
import { METHOD } from '../http/index.ts'
import { OUTCOME, type Outcome } from '../pool/index.ts'
import { releaseServer, reportAttempt, useConnection } from './attempt.ts'
import type { DownstreamConnection } from './downstream.ts'
import type { Exchange } from './exchange.ts'
import { chooseServer } from './pick.ts'
import type { RouteState } from './site.ts'
import type { UpstreamConnection } from './upstream/connection.ts'
import type { PoolState } from './upstream/pool-state.ts'
import type { UpstreamServer } from './upstream/server.ts'

/**
 * A second attempt at another server, beside the first one that has not answered for a while (Dean and Barroso, The Tail at Scale, 2013).
 * The first byte of an answer decides; the other attempt is given up. While two attempts race, one of them is in the fields of the
 * exchange, as always, and the other one here; whichever has something to say changes places first.
 *
 *   exchange: attempt 1 ──after──▶ exchange: attempt 2, hedge: attempt 1 ──first byte of either──▶ exchange: the winner
 *                                                        └── one fails ──▶ exchange: the other
 *
 * Made when its exchange needs one for the first time, and used again.
 */
export class Hedge implements TimerTarget {
  readonly #exchange: Exchange
  readonly #timer = new Timer(this)
  #upstream: UpstreamConnection | null = null
  #server: UpstreamServer | null = null
  #serverIndex = -1
  #attemptMs = 0
  #isHeadSent = false
  #isReused = false
  /** The connection of the second attempt. */
  #second: UpstreamConnection | null = null

  constructor(exchange: Exchange) {
    this.#exchange = exchange
  }

  arm(delayMs: number): void {
    this.#exchange.worker.engine.timers.arm(this.#timer, delayMs)
  }

  /** The exchange is over. */
  disarm(): void {
    this.#exchange.worker.engine.timers.disarm(this.#timer)
  }

  /** The first attempt took its time: another one is made, where that is safe and a server is left. */
  expired(): void {
    const exchange = this.#exchange
    const { pool } = exchange.pool as PoolState
    if (!mayHedge(exchange)) return
    exchange.pick.nowMs = exchange.worker.engine.wallClock()
    if (pool.retryBudget !== null && !pool.retryBudget.withdraw(exchange.pick.nowMs)) return
    this.#keep()
    const index = chooseServer(exchange)
    if (index < 0) return
    const upstream = index === this.#serverIndex ? null : this.#connect()
    if (upstream === null) this.#giveBack(index)
    else this.#race(upstream)
  }

  /** Puts the attempt that has something to say into the exchange's fields. */
  focus(upstream: UpstreamConnection): void {
    const exchange = this.#exchange
    if (exchange.upstream === upstream) return
    const { server, serverIndex, attemptMs, isHeadSent, isReused, upstream: other } = exchange
    this.#restore()
    this.#upstream = other
    this.#server = server
    this.#serverIndex = serverIndex
    this.#attemptMs = attemptMs
    this.#isHeadSent = isHeadSent
    this.#isReused = isReused
  }

  /** The first byte came from this one. */
  win(upstream: UpstreamConnection): void {
    this.focus(upstream)
    if (upstream === this.#second) this.#exchange.worker.counters.hedgeWon((this.#exchange.pool as PoolState).series)
    this.cancel()
  }

  /** The attempt in the exchange's fields failed: the other one goes on alone. */
  survive(outcome: Outcome): void {
    const exchange = this.#exchange
    const failed = exchange.upstream
    exchange.race = null
    releaseServer(exchange, outcome)
    if (failed !== null) failed.discard()
    this.#restore()
    this.#upstream = null
  }

  /** Gives up the attempt that is not in the exchange's fields. */
  cancel(): void {
    const exchange = this.#exchange
    const upstream = this.#upstream
    exchange.race = null
    this.#upstream = null
    this.#second = null
    reportAttempt(exchange, this.#serverIndex, OUTCOME.CANCELLED)
    if (upstream !== null) upstream.discard()
  }

  #connect(): UpstreamConnection | null {
    const { server, route, downstream } = this.#exchange
    const chosen = server as UpstreamServer
    return chosen.takeIdle() ?? chosen.connect((route as RouteState).timeouts.connectMs, downstream as DownstreamConnection)
  }

  #race(upstream: UpstreamConnection): void {
    const exchange = this.#exchange
    exchange.race = this
    exchange.worker.counters.hedged((exchange.pool as PoolState).series)
    exchange.attempts++
    exchange.attemptMs = exchange.worker.engine.now()
    exchange.isHeadSent = false
    this.#second = upstream
    useConnection(exchange, upstream)
  }

  /** There is no other server (and nothing is won by asking the same one twice), or it has as many connections as it may. */
  #giveBack(index: number): void {
    const { pool } = this.#exchange.pool as PoolState
    pool.report(index, OUTCOME.CANCELLED, -1, this.#exchange.pick.nowMs)
    pool.release(index)
    this.#restore()
  }

  #keep(): void {
    const exchange = this.#exchange
    this.#upstream = exchange.upstream
    this.#server = exchange.server
    this.#serverIndex = exchange.serverIndex
    this.#attemptMs = exchange.attemptMs
    this.#isHeadSent = exchange.isHeadSent
    this.#isReused = exchange.isReused
  }

  #restore(): void {
    const exchange = this.#exchange
    exchange.upstream = this.#upstream
    exchange.server = this.#server
    exchange.serverIndex = this.#serverIndex
    exchange.attemptMs = this.#attemptMs
    exchange.isHeadSent = this.#isHeadSent
    exchange.isReused = this.#isReused
  }
}

/** A safe method (RFC 9110 §9.2.1), sent whole, of whose response nothing has come. */
function mayHedge(exchange: Exchange): boolean {
  const { method, upgrade } = exchange.request
  // A protocol that is switched to on two servers would be spoken with one of them only.
  if (upgrade) return false
  if (method !== METHOD.GET && method !== METHOD.HEAD && method !== METHOD.OPTIONS) return false
  if (exchange.upstream === null || exchange.server === null || exchange.race !== null) return false
  // A session is on one server; another one would not know it.
  if ((exchange.pool as PoolState).remembers || exchange.persisted >= 0) return false
  return exchange.isRequestComplete && exchange.isReplayable && !exchange.isResponseHeadRead && exchange.informationalCount === 0
}
