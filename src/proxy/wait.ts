import { Waiter, type WaitQueue, type WaitTarget } from '../pool/index.ts'
import { attempt } from './attempt.ts'
import { DONE, type Exchange } from './exchange.ts'
import { chooseServer, refuseAs } from './pick.ts'
import type { RouteState } from './site.ts'
import { TERMINATION } from './termination.ts'

/**
 * An exchange that waits until the pool has a place for it. Made when its exchange waits for the first time, and used again. While it
 * waits nothing is read from the client beyond what the stash takes.
 */
export class Turn implements WaitTarget {
  readonly #exchange: Exchange
  readonly #waiter = new Waiter(this)

  constructor(exchange: Exchange) {
    this.#exchange = exchange
  }

  /** False when the queue is full. */
  enter(queue: WaitQueue): boolean {
    const exchange = this.#exchange
    const nowMs = exchange.worker.engine.wallClock()
    if (!queue.enter(this.#waiter, (exchange.route as RouteState).queuePriority, nowMs)) return false
    exchange.queuePosition = this.#waiter.ahead
    park(exchange)
    return true
  }

  leave(): void {
    if (this.#waiter.queue === null) return
    this.#count()
    this.#waiter.queue.leave(this.#waiter)
  }

  ready(): boolean {
    const exchange = this.#exchange
    exchange.pick.nowMs = exchange.worker.engine.wallClock()
    return chooseServer(exchange) >= 0
  }

  served(): void {
    const exchange = this.#exchange
    this.#count()
    exchange.isParked = false
    if (!exchange.isRequestComplete) exchange.downstream?.armBody()
    attempt(exchange)
  }

  expired(): void {
    this.#count()
    this.#exchange.isParked = false
    refuseAs(this.#exchange, TERMINATION.QUEUE_TIMEOUT)
  }

  #count(): void {
    this.#exchange.queueMs += this.#exchange.worker.engine.wallClock() - this.#waiter.enteredAtMs
  }
}

/** Nothing is going on for the exchange but time: the client's body may not run into its time-out meanwhile. */
export function park(exchange: Exchange): void {
  exchange.isParked = true
  exchange.downstream?.disarm()
}

/** The exchange is over before it got its turn. */
export function unpark(exchange: Exchange): void {
  exchange.isParked = false
  exchange.turn?.leave()
  exchange.backOff?.cancel()
  exchange.connectionWait?.cancel()
}

/** Lets the exchange wait; answers it where the queue is full. */
export function wait(exchange: Exchange, queue: WaitQueue): number {
  return enterQueue(exchange, queue) ? DONE : refuseAs(exchange, TERMINATION.QUEUE_FULL)
}

export function enterQueue(exchange: Exchange, queue: WaitQueue): boolean {
  exchange.turn ??= new Turn(exchange)
  return exchange.turn.enter(queue)
}
