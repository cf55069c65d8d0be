import type { Clock } from '../core/index.ts'

/** What a timer calls. One object may own several timers and tell them apart by identity. */
export interface TimerTarget {
  expired(timer: Timer): void
}

/** An intrusive timer: made once for each owner, armed and disarmed without allocation. Fields are the wheel's. */
export class Timer {
  readonly target: TimerTarget
  /** Milliseconds on the wheel's clock, or 0 when disarmed. */
  deadlineMs = 0
  /** The wheel's links; slot -1 means that it is in no list. */
  slot = -1
  previous: Timer | null = null
  next: Timer | null = null

  constructor(target: TimerTarget) {
    this.target = target
  }

  get isArmed(): boolean {
    return this.deadlineMs !== 0
  }
}

/**
 * A hashed timing wheel of coarse ticks (Varghese and Lauck, 1987). Arming again later than before only stores the new
 * deadline: the timer is moved when its old slot comes up, so that a deadline renewed with every request costs one store.
 */
export interface TimerWheel {
  arm(timer: Timer, delayMs: number): void
  disarm(timer: Timer): void
  /** Calls what is due at `nowMs`. The engine calls this once per turn. */
  advance(nowMs: number): void
  /** Milliseconds until the next slot that holds a timer, or -1 when there is none. */
  nextDelayMs(nowMs: number): number
}

const TICK_MS = 16
const SLOTS = 4096
const SLOT_MASK = SLOTS - 1

/**
 * The wheel: 4096 slots of 16 ms, 65 seconds for a revolution. arm(), disarm() and firing are O(1) and allocate nothing; a timer
 * fires at the first advance() whose time is not before its deadline, so at most 16 ms late by the wheel's own doing.
 *
 *   slots:   | t+1 | t+2 | ... | t+4095 |     each a list of timers; slot = tick & 4095
 *   bitmap:  one bit for each slot that is not empty, so that the next wake-up is found by words
 *
 * A deadline beyond the revolution waits in the farthest slot and is moved when that comes up; the tick of a linked timer is
 * therefore always one of the next 4095, and its slot names its tick. Targets may arm and disarm any timer while firing.
 */
export class Wheel implements TimerWheel {
  readonly #clock: Pick<Clock, 'now'>
  readonly #earlier: () => void
  readonly #report: (error: unknown) => void
  readonly #slots: (Timer | null)[] = new Array<Timer | null>(SLOTS).fill(null)
  readonly #occupied = new Uint32Array(SLOTS / 32)
  /** The last tick that was worked off. */
  #tick: number
  /** No slot before this tick holds a timer; Infinity when none holds one. */
  #nextTick = Infinity

  /**
   * `report` takes what a target throws, and the other timers go on. `earlier` is called when arm() moves the next wake-up
   * forward, for a loop that already sleeps.
   */
  constructor(clock: Pick<Clock, 'now'>, report: (error: unknown) => void, earlier: () => void = () => {}) {
    this.#clock = clock
    this.#report = report
    this.#earlier = earlier
    this.#tick = Math.floor(clock.now() / TICK_MS)
  }

  arm(timer: Timer, delayMs: number): void {
    // At least 1 ms, because a deadline of 0 means disarmed.
    const nowMs = this.#clock.now()
    const deadlineMs = nowMs + Math.max(1, delayMs)
    timer.deadlineMs = deadlineMs
    // An empty wheel may have stood still for long: catch up.
    if (this.#nextTick === Infinity) this.#tick = Math.max(this.#tick, Math.floor(nowMs / TICK_MS))
    const tick = this.#tickFor(deadlineMs)
    if (timer.slot !== -1) {
      if (this.#tickOfSlot(timer.slot) <= tick) return
      this.#unlink(timer)
    }
    this.#link(timer, tick)
    if (tick < this.#nextTick) {
      this.#nextTick = tick
      this.#earlier()
    }
  }

  disarm(timer: Timer): void {
    timer.deadlineMs = 0
    if (timer.slot !== -1) this.#unlink(timer)
  }

  advance(nowMs: number): void {
    const target = Math.floor(nowMs / TICK_MS)
    for (;;) {
      const tick = this.#findNextTick()
      if (tick > target) break
      this.#tick = tick
      this.#workOff(tick & SLOT_MASK, nowMs)
    }
    if (target > this.#tick) this.#tick = target
  }

  nextDelayMs(nowMs: number): number {
    const tick = this.#findNextTick()
    return tick === Infinity ? -1 : Math.max(0, tick * TICK_MS - nowMs)
  }

  /** Empties one slot. Nothing is linked into it meanwhile: new ticks are later than this one by less than a revolution. */
  #workOff(slot: number, nowMs: number): void {
    for (let timer = this.#slots[slot]; timer !== null; timer = this.#slots[slot]) {
      this.#unlink(timer)
      if (timer.deadlineMs > nowMs) {
        const tick = this.#tickFor(timer.deadlineMs)
        this.#link(timer, tick)
        if (tick < this.#nextTick) this.#nextTick = tick
        continue
      }
      timer.deadlineMs = 0
      try {
        timer.target.expired(timer)
      } catch (error) {
        this.#report(error)
      }
    }
  }

  #tickFor(deadlineMs: number): number {
    const tick = Math.ceil(deadlineMs / TICK_MS)
    return Math.min(Math.max(tick, this.#tick + 1), this.#tick + SLOTS - 1)
  }

  #tickOfSlot(slot: number): number {
    return this.#tick + ((slot - this.#tick) & SLOT_MASK)
  }

  #link(timer: Timer, tick: number): void {
    const slot = tick & SLOT_MASK
    const head = this.#slots[slot]
    timer.slot = slot
    timer.next = head
    if (head !== null) head.previous = timer
    else this.#occupied[slot >>> 5] |= 1 << (slot & 31)
    this.#slots[slot] = timer
  }

  #unlink(timer: Timer): void {
    const { slot, previous, next } = timer
    if (previous !== null) previous.next = next
    else {
      this.#slots[slot] = next
      if (next === null) this.#occupied[slot >>> 5] &= ~(1 << (slot & 31))
    }
    if (next !== null) next.previous = previous
    timer.slot = -1
    timer.previous = null
    timer.next = null
  }

  /** The tick of the first slot that is not empty. Looks at each word of the bitmap at most once, usually at one bit. */
  #findNextTick(): number {
    if (this.#nextTick === Infinity) return Infinity
    // Everything before #nextTick is empty, and #tick itself has been worked off.
    const from = Math.max(this.#nextTick, this.#tick + 1)
    const first = from & SLOT_MASK
    let bits = this.#occupied[first >>> 5] & (-1 << (first & 31))
    let base = from - (first & 31)
    for (let words = 0; words <= SLOTS / 32; words++) {
      if (bits !== 0) return (this.#nextTick = base + (31 - Math.clz32(bits & -bits)))
      base += 32
      bits = this.#occupied[(base & SLOT_MASK) >>> 5]
    }
    return (this.#nextTick = Infinity)
  }
}
