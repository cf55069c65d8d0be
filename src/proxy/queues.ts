import { type Engine, Timer, type TimerTarget } from '../engine/index.ts'
import type { QueueHost, WaitQueue, WakeLine } from '../pool/index.ts'

/** How often time-outs of waiting requests are looked at. */
const EXPIRY_MS = 100

/**
 * The queues of this worker in which requests wait: what they ask of their worker. A queue is known from its first waiter on, until
 * the last one has left. Other workers wake this one through the wake line when it is the turn of one of its own.
 */
export class Queues implements QueueHost, TimerTarget {
  readonly #engine: Engine
  readonly #line: WakeLine
  readonly #timer: Timer
  readonly #byRow = new Map<number, WaitQueue>()
  readonly #waiting = new Set<WaitQueue>()
  readonly #serve = (): void => this.serve()
  #isScheduled = false

  constructor(engine: Engine, line: WakeLine) {
    this.#engine = engine
    this.#line = line
    this.#timer = new Timer(this)
  }

  ring(worker: number): void {
    this.#line.ring(worker)
  }

  schedule(queue: WaitQueue): void {
    this.#waiting.add(queue)
    if (!this.#timer.isArmed) this.#engine.timers.arm(this.#timer, EXPIRY_MS)
    if (this.#isScheduled) return
    this.#isScheduled = true
    this.#engine.defer(this.#serve)
  }

  queueOf(row: number, make: () => WaitQueue): WaitQueue {
    const queue = this.#byRow.get(row) ?? make()
    this.#byRow.set(row, queue)
    return queue
  }

  /** Gives free places to those whose turn it is, in every queue. */
  serve(): void {
    this.#isScheduled = false
    for (const queue of this.#waiting) queue.serve()
  }

  expired(): void {
    const nowMs = this.#engine.wallClock()
    for (const queue of this.#waiting) {
      queue.expire(nowMs)
      if (queue.length === 0) this.#waiting.delete(queue)
    }
    if (this.#waiting.size > 0) this.#engine.timers.arm(this.#timer, EXPIRY_MS)
  }
}
