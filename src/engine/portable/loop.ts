import { type Clock, systemClock, TurnClock } from '../../core/index.ts'
import type { Blocks } from '../blocks.ts'
import { BumpBlock } from '../bump-block.ts'
import { EngineCounters } from '../counters.ts'
import { Wheel } from '../timers.ts'

/** A connection, as the loop sees it. */
export interface Turned {
  /** Hands to Node what the room has sent. */
  flush(): void
  /** Tries again to find a block for what was received; false when there is still none. */
  relieve(): boolean
}

/** While connections wait for a block, blocks that come back outside of an event are noticed this late. */
const STARVED_CHECK_MS = 16
/** The longest delay that Node knows, 25 days: a timer to exist, not to ring. */
const LONGEST_MS = 2 ** 31 - 1

/**
 * Turns over libuv's loop. A turn is one event of Node's:
 *
 *   enter()  reads the clock
 *     ...    handlers run; what they change is noted
 *   leave()  hands to Node what was sent, lets the bump block go, sets the alarm for the timers
 *
 * What changes outside of a turn (a room that continues after a promise) gets a turn of its own soon.
 */
export class Loop implements Clock {
  readonly bump: BumpBlock
  readonly timers: Wheel
  readonly counters = new EngineCounters()
  readonly report: (error: unknown) => void
  readonly #blocks: Blocks
  readonly #clock = new TurnClock(systemClock)
  readonly #runTurn = () => this.#turn()
  #depth = 0
  #changed: Turned[] = []
  #flushing: Turned[] = []
  #starved: Turned[] = []
  #isTurnDue = false
  #starvedCheck: NodeJS.Timeout | null = null
  #keepAlive: NodeJS.Timeout | null = null
  #alarm: NodeJS.Timeout | null = null
  #alarmAtMs = Infinity
  #isAlarmStale = false
  #isStarted = false
  #isStopped = false

  constructor(blocks: Blocks, report: (error: unknown) => void) {
    this.#blocks = blocks
    this.report = report
    this.bump = new BumpBlock(blocks)
    this.timers = new Wheel(this, report, () => this.#alarmChanged())
  }

  get isStopped(): boolean {
    return this.#isStopped
  }

  now(): number {
    return this.#depth === 0 ? this.#clock.tick() : this.#clock.now()
  }

  wallClock(): number {
    if (this.#depth === 0) this.#clock.tick()
    return this.#clock.wallClock()
  }

  /** From now on timers fire, and the thread lives on until stop(). */
  start(): void {
    this.#isStarted = true
    this.#keepAlive = setInterval(() => {}, LONGEST_MS)
    this.#setAlarm()
  }

  stop(): void {
    this.#isStopped = true
    if (this.#keepAlive !== null) clearInterval(this.#keepAlive)
    if (this.#alarm !== null) clearTimeout(this.#alarm)
    if (this.#starvedCheck !== null) clearTimeout(this.#starvedCheck)
  }

  enter(): void {
    if (this.#depth++ === 0) this.#clock.tick()
  }

  leave(): void {
    if (this.#depth === 1) {
      if (this.#changed.length > 0) this.#flush()
      this.bump.settle()
      if (this.#starved.length > 0 && this.#blocks.mayReceive) this.#soon()
      if (this.#isAlarmStale) this.#setAlarm()
    }
    this.#depth--
  }

  /** Runs the callback in a turn of its own. */
  defer(callback: () => void): void {
    setImmediate(() => {
      if (this.#isStopped) return
      this.enter()
      try {
        callback()
      } catch (error) {
        this.report(error)
      }
      this.leave()
    })
  }

  /** The connection has something to hand to Node when the turn is over. Once for each connection and turn. */
  changed(connection: Turned): void {
    this.#changed.push(connection)
    if (this.#depth === 0) this.#soon()
  }

  /** Where `length` received bytes go, or -1: the arena is used up but for what is left to sending. */
  roomToReceive(length: number): number {
    return this.#blocks.mayReceive || this.bump.fits(length) ? this.bump.room(length) : -1
  }

  /** The connection has received what no block is free for; it stays in line until relieve() says true. */
  starve(connection: Turned): void {
    this.counters.receiveStarvations++
    this.#starved.push(connection)
    this.#starvedCheck ??= setTimeout(() => this.#checkStarved(), STARVED_CHECK_MS)
  }

  /** A connection that changes while this runs, in drained(), has its turn next, so that one cannot keep the loop to itself. */
  #flush(): void {
    const flushing = this.#changed
    this.#changed = this.#flushing
    this.#flushing = flushing
    for (let i = 0; i < flushing.length; i++) flushing[i].flush()
    flushing.length = 0
    if (this.#changed.length > 0) this.#soon()
  }

  #soon(): void {
    if (this.#isTurnDue || this.#isStopped) return
    this.#isTurnDue = true
    setImmediate(this.#runTurn)
  }

  #turn(): void {
    this.#isTurnDue = false
    if (this.#isStopped) return
    this.enter()
    if (this.#starved.length > 0) this.#relieve()
    this.leave()
  }

  #relieve(): void {
    const waiting = this.#starved
    this.#starved = []
    for (let i = 0; i < waiting.length; i++) {
      if (this.#blocks.mayReceive && waiting[i].relieve()) continue
      this.#starved.push(waiting[i])
    }
  }

  #checkStarved(): void {
    this.#starvedCheck = null
    if (this.#starved.length === 0) return
    if (this.#blocks.mayReceive) this.#soon()
    this.#starvedCheck = setTimeout(() => this.#checkStarved(), STARVED_CHECK_MS)
  }

  #alarmChanged(): void {
    this.#isAlarmStale = true
    if (this.#depth === 0) this.#setAlarm()
  }

  /** One libuv timer for the whole wheel. A later deadline lets it ring and be set again. */
  #setAlarm(): void {
    if (!this.#isStarted || this.#isStopped) return
    this.#isAlarmStale = false
    const nowMs = this.now()
    const delayMs = this.timers.nextDelayMs(nowMs)
    if (delayMs === -1 || nowMs + delayMs >= this.#alarmAtMs) return
    if (this.#alarm !== null) clearTimeout(this.#alarm)
    this.#alarmAtMs = nowMs + delayMs
    this.#alarm = setTimeout(() => this.#ring(), Math.ceil(delayMs))
  }

  #ring(): void {
    this.#alarm = null
    this.#alarmAtMs = Infinity
    this.#isAlarmStale = true
    this.enter()
    this.timers.advance(this.#clock.now())
    this.leave()
  }
}
