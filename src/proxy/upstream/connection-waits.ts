import { Timer, type TimerTarget } from '../../engine/index.ts'
import type { Pool } from '../../pool/index.ts'
import { failAttempt, useConnection } from '../attempt.ts'
import type { DownstreamConnection } from '../downstream.ts'
import type { Exchange } from '../exchange.ts'
import type { RouteState } from '../site.ts'
import { TERMINATION } from '../termination.ts'
import { park } from '../wait.ts'
import type { ProxyWorker } from '../worker.ts'
import type { PoolState } from './pool-state.ts'
import type { UpstreamServer } from './server.ts'

/**
 * Exchanges that have a server but no connection yet, because `maxConnections` are open to it or to its pool. So many requests are never
 * under way, so what is in the way are idle connections, mostly of other workers: whoever waits asks all workers to give some up.
 */
export class ConnectionWaits {
  readonly #worker: ProxyWorker
  #limited: readonly PoolState[] = []
  readonly #waiting = new Set<ConnectionWait>()
  readonly #retry = (): void => this.#retryAll()

  constructor(worker: ProxyWorker) {
    this.#worker = worker
  }

  /** The pools of the Plan that comes into force. */
  watch(pools: readonly PoolState[]): void {
    this.#limited = pools.filter(({ pool }) => pool.limitsConnections)
  }

  /** Parks the exchange until its server may have one more connection, at most for the time that a connect may take. */
  wait(exchange: Exchange): void {
    exchange.connectionWait ??= new ConnectionWait(exchange)
    this.#waiting.add(exchange.connectionWait)
    exchange.connectionWait.begin()
    this.#ask(exchange.pool as PoolState)
    this.#worker.engine.defer(this.#retry)
  }

  leave(wait: ConnectionWait): void {
    this.#waiting.delete(wait)
  }

  /** Another worker wants connections, or has given some up. */
  woken(): void {
    for (const state of this.#limited) if (state.pool.connectionsWanted !== 0) giveUp(state)
    if (this.#waiting.size > 0) this.#retryAll()
  }

  /** A connection of the pool is over: those who wait are told. */
  freed(pool: Pool): void {
    const waiting = pool.takeConnectionWants()
    if (waiting === 0) return
    const own = 1 << (this.#worker.index & 31)
    this.#worker.ringAll(waiting & ~own)
    if ((waiting & own) !== 0) this.#worker.engine.defer(this.#retry)
  }

  #ask(state: PoolState): void {
    state.pool.wantConnection(this.#worker.index)
    giveUp(state)
    this.#worker.ringAll(-1 & ~(1 << (this.#worker.index & 31)))
  }

  #retryAll(): void {
    for (const wait of [...this.#waiting]) {
      if (wait.isOver || wait.connect()) this.#waiting.delete(wait)
      else this.#ask(wait.exchange.pool as PoolState)
    }
  }
}

/** Closes an idle connection of each server that has as many as it may, and one of any where the pool has. */
function giveUp({ pool, servers }: PoolState): void {
  for (const [index, server] of servers.entries()) if (pool.isConnectionFull(index)) server.closeOldestIdle()
  if (!pool.isConnectionFull(-1)) return
  for (const server of servers) if (server.closeOldestIdle()) return
}

/** An exchange that waits. Made when its exchange waits for the first time, and used again. */
export class ConnectionWait implements TimerTarget {
  readonly exchange: Exchange
  readonly #timer = new Timer(this)
  isOver = false

  constructor(exchange: Exchange) {
    this.exchange = exchange
  }

  begin(): void {
    this.isOver = false
    park(this.exchange)
    this.exchange.worker.engine.timers.arm(this.#timer, (this.exchange.route as RouteState).timeouts.connectMs)
  }

  /** Whether there was a place by now. */
  connect(): boolean {
    const { exchange } = this
    const server = exchange.server as UpstreamServer
    const upstream =
      server.takeIdle() ?? server.connect((exchange.route as RouteState).timeouts.connectMs, exchange.downstream as DownstreamConnection)
    if (upstream === null) return false
    this.cancel()
    exchange.isParked = false
    if (!exchange.isRequestComplete) exchange.downstream?.armBody()
    useConnection(exchange, upstream)
    return true
  }

  /** The exchange is over, or has its connection. */
  cancel(): void {
    this.isOver = true
    this.exchange.worker.engine.timers.disarm(this.#timer)
    this.exchange.worker.connectionWaits.leave(this)
  }

  expired(): void {
    this.cancel()
    this.exchange.isParked = false
    failAttempt(this.exchange, TERMINATION.SERVERS_FULL)
  }
}
