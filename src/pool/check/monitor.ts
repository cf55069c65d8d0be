import { type CheckHealth, CheckState } from './check-state.ts'
import type { CheckDefinition } from './make.ts'
import { type CheckEnvironment, Poll, type PollTask, type Run } from './poll.ts'
import type { Verdict } from './protocol.ts'
import type { CheckQueue } from './queue.ts'

/** Told after each result. */
export interface MonitorListener {
  checked(monitor: Monitor, changed: boolean): void
}

/** Checks one target over and over, and judges it by rise and fall. */
export class Monitor implements PollTask {
  readonly key: string
  readonly queue: CheckQueue
  readonly jitterPercent: number
  readonly state: CheckState
  /** Words for the last result: "http check: status 503, expected 200-399". */
  reason = 'not checked yet'
  /** Milliseconds since the epoch of the last result; 0 before the first. */
  checkedAtMs = 0
  /** How long the last run took. */
  tookMs = 0
  readonly #check: CheckDefinition
  readonly #environment: CheckEnvironment
  readonly #listener: MonitorListener
  readonly #poll: Poll

  constructor(check: CheckDefinition, health: CheckHealth, environment: CheckEnvironment, listener: MonitorListener) {
    this.key = check.key
    this.queue = check.runsProgram ? environment.processQueue : environment.queue
    this.jitterPercent = check.pace.jitterPercent
    this.state = new CheckState(check.pace.rise, check.pace.fall, health)
    this.#check = check
    this.#environment = environment
    this.#listener = listener
    this.#poll = new Poll(this, environment)
  }

  start(): void {
    this.#poll.start()
  }

  close(): void {
    this.#poll.close()
  }

  begin(done: (verdict: Verdict) => void): Run {
    return this.#check.begin(this.#environment, done)
  }

  finished(verdict: Verdict, tookMs: number): number {
    this.tookMs = tookMs
    this.reason = `${this.#check.label} check: ${verdict.reason}`
    this.checkedAtMs = this.#environment.wallClock()
    this.#listener.checked(this, this.state.record(verdict.ok))
    const { intervalMs, fastIntervalMs, downIntervalMs } = this.#check.pace
    return this.state.isChanging ? fastIntervalMs : this.state.health === 'down' ? downIntervalMs : intervalMs
  }
}
