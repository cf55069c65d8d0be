import type { Random } from '../random.ts'
import { type CheckHealth, CheckState } from './check-state.ts'
import type { CheckConnect, CheckDelay, CheckTarget } from './connect.ts'
import { Probe } from './probe.ts'
import type { CheckProtocol, Verdict } from './protocol.ts'
import type { CheckQueue } from './queue.ts'

/** Times and thresholds of one check. */
export interface CheckPace {
  readonly intervalMs: number
  /** While a change is under way, and while the server is down. */
  readonly fastIntervalMs: number
  readonly downIntervalMs: number
  readonly timeoutMs: number
  readonly rise: number
  readonly fall: number
}

/** What monitors share. */
export interface CheckEnvironment {
  readonly connect: CheckConnect
  readonly delay: CheckDelay
  readonly random: Random
  readonly queue: CheckQueue
  /** Milliseconds since the epoch. */
  wallClock(): number
  now(): number
}

/** Told after each result. */
export interface MonitorListener {
  checked(monitor: Monitor, changed: boolean): void
}

/** Up to this share of the interval is added to or taken from each, so that checks of many servers spread out. */
const JITTER = 0.1

/** Checks one target over and over. */
export class Monitor {
  readonly key: string
  readonly label: string
  readonly state: CheckState
  /** Words for the last result: "http check: status 503, expected 200-399". */
  reason = 'not checked yet'
  /** Milliseconds since the epoch of the last result; 0 before the first. */
  checkedAtMs = 0
  readonly #target: CheckTarget
  readonly #protocol: () => CheckProtocol
  readonly #pace: CheckPace
  readonly #environment: CheckEnvironment
  readonly #listener: MonitorListener
  readonly #run = (): void => this.#start()
  #probe: Probe | null = null
  #cancelDelay: () => void = () => {}
  #startedAtMs = 0
  #isClosed = false

  constructor(
    key: string,
    check: { readonly label: string; readonly target: CheckTarget; readonly pace: CheckPace; protocol(): CheckProtocol },
    health: CheckHealth,
    environment: CheckEnvironment,
    listener: MonitorListener,
  ) {
    this.key = key
    this.label = check.label
    this.#target = check.target
    this.#protocol = () => check.protocol()
    this.#pace = check.pace
    this.state = new CheckState(check.pace.rise, check.pace.fall, health)
    this.#environment = environment
    this.#listener = listener
  }

  /** The first run comes as soon as the queue lets it. */
  start(): void {
    this.#environment.queue.enter(this.#run)
  }

  close(): void {
    this.#isClosed = true
    this.#cancelDelay()
    this.#environment.queue.leave(this.#run)
    if (this.#probe === null) return
    this.#probe.cancel()
    this.#probe = null
    this.#environment.queue.done()
  }

  #start(): void {
    this.#startedAtMs = this.#environment.now()
    this.#probe = new Probe(this.#protocol(), this.#pace.timeoutMs, (verdict) => this.#finish(verdict))
    this.#probe.start(this.#target, this.#environment.connect, this.#environment.delay)
  }

  #finish(verdict: Verdict): void {
    this.#probe = null
    this.#environment.queue.done()
    this.reason = `${this.label} check: ${verdict.reason}`
    this.checkedAtMs = this.#environment.wallClock()
    const changed = this.state.record(verdict.ok)
    this.#listener.checked(this, changed)
    if (this.#isClosed) return
    const spent = this.#environment.now() - this.#startedAtMs
    this.#cancelDelay = this.#environment.delay(Math.max(0, this.#nextIntervalMs() - spent), () => this.#environment.queue.enter(this.#run))
  }

  #nextIntervalMs(): number {
    const { intervalMs, fastIntervalMs, downIntervalMs } = this.#pace
    const base = this.state.isChanging ? fastIntervalMs : this.state.health === 'down' ? downIntervalMs : intervalMs
    return base * (1 + JITTER * ((2 * this.#environment.random.next()) / 2 ** 32 - 1))
  }
}
