import type { Random } from '../random.ts'
import type { CheckConnect, CheckDelay } from './connect.ts'
import type { CheckExecute } from './execute.ts'
import type { Verdict } from './protocol.ts'
import type { CheckQueue } from './queue.ts'

/** What everything that asks servers again and again shares. */
export interface CheckEnvironment {
  readonly connect: CheckConnect
  readonly delay: CheckDelay
  readonly random: Random
  readonly execute: CheckExecute
  /** For what opens connections. */
  readonly queue: CheckQueue
  /** For what runs programs. */
  readonly processQueue: CheckQueue
  /** Milliseconds since the epoch. */
  wallClock(): number
  now(): number
}

/** A run that is under way. */
export interface Run {
  /** Ends it without calling back. */
  cancel(): void
}

/** What is asked, and how often. */
export interface PollTask {
  readonly queue: CheckQueue
  readonly jitterPercent: number
  /** Starts a run, which calls back exactly once, and never before begin() has returned. */
  begin(done: (verdict: Verdict) => void): Run
  /** Takes a result, and how long it took, and returns the milliseconds from the begin of this run to the begin of the next. */
  finished(verdict: Verdict, tookMs: number): number
}

/**
 * Runs a task over and over until it is closed.
 *
 *   start ─▶ wait in the queue ─▶ run ─▶ finished ─▶ wait for what is left of the interval ─┐
 *                   ▲                                                                        │
 *                   └────────────────────────────────────────────────────────────────────────┘
 */
export class Poll {
  readonly #task: PollTask
  readonly #environment: CheckEnvironment
  readonly #begin = (): void => this.#start()
  #run: Run | null = null
  #cancelDelay: () => void = () => {}
  #startedAtMs = 0
  #isClosed = false

  constructor(task: PollTask, environment: CheckEnvironment) {
    this.#task = task
    this.#environment = environment
  }

  /** The first run comes as soon as the queue lets it. */
  start(): void {
    this.#task.queue.enter(this.#begin)
  }

  close(): void {
    this.#isClosed = true
    this.#cancelDelay()
    this.#task.queue.leave(this.#begin)
    if (this.#run === null) return
    this.#run.cancel()
    this.#run = null
    this.#task.queue.done()
  }

  #start(): void {
    this.#startedAtMs = this.#environment.now()
    this.#run = this.#task.begin((verdict) => this.#finish(verdict))
  }

  #finish(verdict: Verdict): void {
    this.#run = null
    this.#task.queue.done()
    const intervalMs = this.#spread(this.#task.finished(verdict, this.#environment.now() - this.#startedAtMs))
    if (this.#isClosed) return
    const spent = this.#environment.now() - this.#startedAtMs
    this.#cancelDelay = this.#environment.delay(Math.max(0, intervalMs - spent), () => this.#task.queue.enter(this.#begin))
  }

  #spread(intervalMs: number): number {
    const share = (2 * this.#environment.random.next()) / 2 ** 32 - 1
    return intervalMs * (1 + (share * this.#task.jitterPercent) / 100)
  }
}
