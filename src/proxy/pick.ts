import { ALL_FULL, BREAKER_OPEN, type PickResult, type RetryBudget, type WaitQueue } from '../pool/index.ts'
import { answer, answerError } from './answer.ts'
import { DONE, type Exchange, GO_ON, walk } from './exchange.ts'
import { TERMINATION, TERMINATIONS } from './termination.ts'
import type { PoolState } from './upstream/pool-state.ts'
import { wait } from './wait.ts'

/** Other workers may take the last place on a server between pick and acquire; after so many times the pool counts as full. */
const MAX_RACES = 8

/** Forgets what was known of another request, or of another pool. */
export function begin(exchange: Exchange): number {
  exchange.pick.begin(exchange.worker.engine.wallClock())
  exchange.persisted = -1
  exchange.cookieEdit = 0
  return GO_ON
}

/** Lets the pool's algorithm choose a server and counts the request as active on it. */
export function pick(exchange: Exchange): number {
  const result = chooseServer(exchange)
  return result >= 0 ? GO_ON : refuse(exchange, result)
}

/** The same for a pool with a queue: waits where all servers are full, and behind those that wait already. */
export function pickInTurn(exchange: Exchange): number {
  const queue = (exchange.pool as PoolState).pool.queue as WaitQueue
  if (queue.isWaiting) return wait(exchange, queue)
  const result = chooseServer(exchange)
  if (result >= 0) return GO_ON
  return result === ALL_FULL ? wait(exchange, queue) : refuse(exchange, result)
}

/** What each request of a client adds to the pool's retry budget. */
export function deposit(exchange: Exchange): number {
  ;((exchange.pool as PoolState).pool.retryBudget as RetryBudget).deposit()
  return GO_ON
}

/** What becomes of a request that gets no server. */
export function refuse(exchange: Exchange, result: PickResult): number {
  if (result === ALL_FULL) return refuseAs(exchange, TERMINATION.SERVERS_FULL)
  return refuseAs(exchange, result === BREAKER_OPEN ? TERMINATION.BREAKER_OPEN : TERMINATION.NO_SERVER)
}

/** The pool's `sorry`, or an error. */
export function refuseAs(exchange: Exchange, termination: number): number {
  const { sorry } = exchange.pool as PoolState
  if (sorry === null) answerError(exchange, termination, TERMINATIONS[termination].status)
  else if (sorry.answer !== null) {
    exchange.termination = termination
    answer(exchange, sorry.answer)
  } else if (sorry.pool !== null) {
    exchange.pool = sorry.pool
    walk(sorry.pool.steps, exchange)
  }
  return DONE
}

/** A server for the next attempt, one that was not tried yet where there is one. Its index, or NONE_AVAILABLE, ALL_FULL or BREAKER_OPEN. */
export function chooseServer(exchange: Exchange): number {
  const state = exchange.pool as PoolState
  const { pool, servers } = state
  for (let races = 0; races < MAX_RACES; races++) {
    const index = pool.pick(exchange.pick)
    if (index < 0) return index
    if (!pool.acquire(index, exchange.pick.nowMs)) continue
    if (state.remembers) pool.remember(index, exchange.pick)
    exchange.pick.exclude(index)
    exchange.server = servers[index]
    exchange.serverIndex = index
    return index
  }
  return ALL_FULL
}
