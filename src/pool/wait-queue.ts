import { enter } from './count.ts'
import type { QueueDefinition } from './definition.ts'
import { POOL, QUEUE } from './layout.ts'
import type { PoolTable } from './table.ts'

/** Priorities that a waiting request may have, 0 first. */
export const QUEUE_PRIORITIES = 4

/** Whoever waits. */
export interface WaitTarget {
  /**
   * It is the waiter's turn and there may be a free place: pick and acquire. True when that worked; false to go on waiting at the same
   * place. Whatever may come to wait again must wait for served() with it.
   */
  ready(waiter: Waiter): boolean
  /** It was ready, and has left the queue: it may go on, and wait again. */
  served?(waiter: Waiter): void
  /** The time-out has passed, and the waiter has left the queue. */
  expired(waiter: Waiter): void
}

/** A place in a queue: made once for each exchange and used again. Fields are the queue's. */
export class Waiter {
  readonly target: WaitTarget
  queue: WaitQueue | null = null
  priority = 0
  ticket = 0
  /** Requests that waited already when this one came, over all workers and priorities. */
  ahead = 0
  enteredAtMs = 0
  previous: Waiter | null = null
  next: Waiter | null = null

  constructor(target: WaitTarget) {
    this.target = target
  }
}

/** What the queue needs of its worker. */
export interface QueueHost {
  /** Wakes another worker, which then calls serve() on its queues. */
  ring(worker: number): void
  /** Asks for serve() to be called soon, outside of what runs now. May be called again before that happened. */
  schedule(queue: WaitQueue): void
  /** The queue of a pool's row in this worker, made at most once: requests of a Plan and of the one before wait in the same one. */
  queueOf?(row: number, make: () => WaitQueue): WaitQueue
}

/**
 * Requests that wait for a place in a pool, first come, first served within a priority, over all workers: each worker has its own
 * in lists, and publishes the first of them, so that a place that is freed anywhere goes to the worker whose turn it is.
 *
 *   worker 0   [7] [9]        publishes ticket 7
 *   worker 1   [8]            publishes ticket 8    ── releases a place ──▶ rings worker 0
 *
 * The size holds over all workers. A request that comes while others wait must wait too (see isWaiting), or nobody's turn
 * would ever come. expire() is to be called a few times a second while length is above 0; it also tries again, for places
 * that came about without a release (a server came up, a limit was raised).
 */
export class WaitQueue {
  readonly #words: Int32Array
  readonly #host: QueueHost
  readonly #worker: number
  readonly #workers: number
  #size: number
  #timeoutMs: number
  readonly #poolRow: number
  readonly #firstRow: number
  readonly #rowWords: number
  readonly #first: (Waiter | null)[] = Array(QUEUE_PRIORITIES).fill(null)
  readonly #last: (Waiter | null)[] = Array(QUEUE_PRIORITIES).fill(null)
  #length = 0
  #isServing = false

  constructor(table: PoolTable, pool: number, worker: number, definition: QueueDefinition, host: QueueHost) {
    this.#words = table.words
    this.#host = host
    this.#worker = worker
    this.#workers = table.limits.workers
    this.#size = definition.size
    this.#timeoutMs = definition.timeoutMs
    this.#poolRow = table.poolRow(pool)
    this.#firstRow = table.queueRow(pool, 0)
    this.#rowWords = table.queueRow(pool, 1) - this.#firstRow
  }

  /** Another Plan says so. */
  configure(definition: QueueDefinition): void {
    this.#size = definition.size
    this.#timeoutMs = definition.timeoutMs
  }

  /** Waiting in this worker. */
  get length(): number {
    return this.#length
  }

  /** Whether any request waits in any worker. */
  get isWaiting(): boolean {
    return Atomics.load(this.#words, this.#poolRow + POOL.QUEUED) > 0
  }

  /** Lets a request wait. False when the queue is full. `priority` from 0, the first, to QUEUE_PRIORITIES - 1. */
  enter(waiter: Waiter, priority: number, nowMs: number): boolean {
    const words = this.#words
    const ahead = Atomics.load(words, this.#poolRow + POOL.QUEUED)
    // A size of 0 would be no limit to enter().
    if (this.#size === 0 || !enter(words, this.#poolRow + POOL.QUEUED, this.#size)) return false
    waiter.queue = this
    waiter.priority = priority
    waiter.ticket = Atomics.add(words, this.#poolRow + POOL.TICKETS, 1)
    waiter.ahead = ahead
    waiter.enteredAtMs = nowMs
    this.#append(waiter)
    this.#publish()
    // The last place may have been freed between the pick that failed and now, when nobody waited who could be told.
    if (this.#length === 1) this.#host.schedule(this)
    return true
  }

  /** The waiter gives up. No-op for one that does not wait here. */
  leave(waiter: Waiter): void {
    if (waiter.queue !== this) return
    this.#remove(waiter)
    this.#publish()
  }

  /** A place was freed in this worker. */
  freed(): void {
    if (this.#isServing || !this.isWaiting) return
    const worker = this.#whoseTurn()
    if (worker === this.#worker) this.#host.schedule(this)
    else if (worker !== -1) this.#host.ring(worker)
  }

  /** Gives free places to those whose turn it is. */
  serve(): void {
    this.#isServing = true
    let turn = this.#whoseTurn()
    while (turn === this.#worker) {
      const waiter = this.#head()
      if (waiter === null || !waiter.target.ready(waiter)) break
      this.#remove(waiter)
      this.#publish()
      waiter.target.served?.(waiter)
      turn = this.#whoseTurn()
    }
    this.#isServing = false
    // The place that this worker was woken for, or one that it has just left over, is another's.
    if (turn !== -1 && turn !== this.#worker) this.#host.ring(turn)
  }

  /** Ends the waiting of those whose time-out has passed. */
  expire(nowMs: number): void {
    for (let priority = 0; priority < QUEUE_PRIORITIES; priority++) {
      for (let waiter = this.#first[priority]; waiter !== null; waiter = this.#first[priority]) {
        if (nowMs - waiter.enteredAtMs < this.#timeoutMs) break
        this.#remove(waiter)
        waiter.target.expired(waiter)
      }
    }
    this.#publish()
    if (this.#length > 0) this.serve()
  }

  #head(): Waiter | null {
    for (let priority = 0; priority < QUEUE_PRIORITIES; priority++) if (this.#first[priority] !== null) return this.#first[priority]
    return null
  }

  /** The worker that has the first waiter of all, or -1 when none waits. */
  #whoseTurn(): number {
    const words = this.#words
    let best = -1
    let bestPriority = 0
    let bestTicket = 0
    for (let worker = 0; worker < this.#workers; worker++) {
      const row = this.#firstRow + worker * this.#rowWords
      if (Atomics.load(words, row + QUEUE.COUNT) === 0) continue
      const priority = Atomics.load(words, row + QUEUE.PRIORITY)
      const ticket = Atomics.load(words, row + QUEUE.TICKET)
      // Tickets wrap: what counts is which is earlier, not which is smaller.
      if (best === -1 || priority < bestPriority || (priority === bestPriority && ((ticket - bestTicket) | 0) < 0)) {
        best = worker
        bestPriority = priority
        bestTicket = ticket
      }
    }
    return best
  }

  #append(waiter: Waiter): void {
    const last = this.#last[waiter.priority]
    waiter.previous = last
    waiter.next = null
    if (last === null) this.#first[waiter.priority] = waiter
    else last.next = waiter
    this.#last[waiter.priority] = waiter
    this.#length++
  }

  #remove(waiter: Waiter): void {
    if (waiter.previous === null) this.#first[waiter.priority] = waiter.next
    else waiter.previous.next = waiter.next
    if (waiter.next === null) this.#last[waiter.priority] = waiter.previous
    else waiter.next.previous = waiter.previous
    waiter.previous = null
    waiter.next = null
    waiter.queue = null
    this.#length--
    Atomics.sub(this.#words, this.#poolRow + POOL.QUEUED, 1)
  }

  #publish(): void {
    const row = this.#firstRow + this.#worker * this.#rowWords
    const head = this.#head()
    if (head !== null) {
      Atomics.store(this.#words, row + QUEUE.PRIORITY, head.priority)
      Atomics.store(this.#words, row + QUEUE.TICKET, head.ticket)
    }
    Atomics.store(this.#words, row + QUEUE.COUNT, this.#length)
  }
}
