import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Timer, type TimerTarget, Wheel } from '../../../src/engine/timers.ts'
import { FakeClock } from '../../support/clock.ts'
import { between, seededRandom } from '../../support/random.ts'

const TICK_MS = 16
const REVOLUTION_MS = 4096 * TICK_MS

class Journal implements TimerTarget {
  readonly fired: { timer: Timer; atMs: number }[] = []
  readonly #clock: FakeClock
  next: (timer: Timer) => void = () => {}

  constructor(clock: FakeClock) {
    this.#clock = clock
  }

  expired(timer: Timer): void {
    this.fired.push({ timer, atMs: this.#clock.now() })
    this.next(timer)
  }
}

function setUp(startMs = 0) {
  const clock = new FakeClock(startMs)
  const errors: unknown[] = []
  let earlier = 0
  const wheel = new Wheel(
    clock,
    (error) => errors.push(error),
    () => earlier++,
  )
  const journal = new Journal(clock)
  return { clock, wheel, journal, errors, earlierCalls: () => earlier, timer: () => new Timer(journal) }
}

/** Moves time as a loop would: to each wake-up that the wheel asks for, up to `ms` from now. Returns the number of wake-ups. */
function run(clock: FakeClock, wheel: Wheel, ms: number): number {
  const endMs = clock.now() + ms
  for (let wakeUps = 0; ; wakeUps++) {
    const delayMs = wheel.nextDelayMs(clock.now())
    if (delayMs === -1 || clock.now() + delayMs > endMs) {
      wheel.advance(clock.advance(endMs - clock.now()))
      return wakeUps
    }
    wheel.advance(clock.advance(delayMs))
  }
}

describe('the timer wheel', () => {
  it('fires once, not before the deadline and within a tick of it', () => {
    for (const delayMs of [0, 1, 15, 16, 17, 1000, 65_000, REVOLUTION_MS, REVOLUTION_MS + 5, 10 * REVOLUTION_MS, 86_400_000]) {
      const { clock, wheel, journal, timer } = setUp(12_345.678)
      const startMs = clock.now()
      const one = timer()
      wheel.arm(one, delayMs)
      assert.equal(one.isArmed, true)
      run(clock, wheel, delayMs + 2 * TICK_MS)
      assert.equal(journal.fired.length, 1, `delay ${delayMs}`)
      const lateMs = journal.fired[0].atMs - (startMs + delayMs)
      assert.ok(lateMs >= 0 && lateMs <= TICK_MS + 1, `delay ${delayMs} is ${lateMs} ms late`)
      assert.equal(one.isArmed, false)
      assert.equal(wheel.nextDelayMs(clock.now()), -1)
    }
  })

  it('asks for no wake-up when nothing is armed', () => {
    const { clock, wheel, timer } = setUp()
    assert.equal(wheel.nextDelayMs(clock.now()), -1)
    const one = timer()
    wheel.arm(one, 500)
    wheel.disarm(one)
    assert.equal(wheel.nextDelayMs(clock.now()), -1)
  })

  it('does not fire what was disarmed, and disarming twice is harmless', () => {
    const { clock, wheel, journal, timer } = setUp()
    const one = timer()
    wheel.arm(one, 100)
    wheel.disarm(one)
    wheel.disarm(one)
    run(clock, wheel, 1000)
    assert.deepEqual(journal.fired, [])
  })

  it('only stores a later deadline, and wakes up once for the old slot and once for the new', () => {
    const { clock, wheel, journal, timer } = setUp()
    const one = timer()
    wheel.arm(one, 100)
    const { slot } = one
    clock.advance(50)
    wheel.arm(one, 1000)
    assert.equal(one.slot, slot)
    assert.equal(run(clock, wheel, 2000), 2)
    assert.equal(journal.fired.length, 1)
    assert.ok(journal.fired[0].atMs >= 1050)
  })

  it('moves an earlier deadline forward', () => {
    const { clock, wheel, journal, timer } = setUp()
    const one = timer()
    wheel.arm(one, 10_000)
    wheel.arm(one, 100)
    run(clock, wheel, 150)
    assert.equal(journal.fired.length, 1)
  })

  it('tells when the next wake-up has become earlier, and only then', () => {
    const { wheel, timer, earlierCalls } = setUp()
    const one = timer()
    wheel.arm(one, 1000)
    assert.equal(earlierCalls(), 1)
    wheel.arm(timer(), 2000)
    wheel.arm(one, 3000)
    assert.equal(earlierCalls(), 1)
    wheel.arm(timer(), 500)
    assert.equal(earlierCalls(), 2)
  })

  it('lets a timer arm itself again while it fires', () => {
    const { clock, wheel, journal, timer } = setUp()
    const one = timer()
    journal.next = (timer) => journal.fired.length < 5 && wheel.arm(timer, 0)
    wheel.arm(one, 20)
    run(clock, wheel, 1000)
    assert.equal(journal.fired.length, 5)
  })

  it('lets a timer disarm and arm others of its own slot while it fires', () => {
    const { clock, wheel, journal, timer } = setUp()
    const [first, second, third] = [timer(), timer(), timer()]
    for (const each of [first, second, third]) wheel.arm(each, 100)
    journal.next = (fired) => {
      if (journal.fired.length > 1) return
      const [disarmed, renewed] = [first, second, third].filter((each) => each !== fired)
      wheel.disarm(disarmed)
      wheel.arm(renewed, 300)
    }
    run(clock, wheel, 200)
    assert.equal(journal.fired.length, 1)
    run(clock, wheel, 500)
    assert.equal(journal.fired.length, 2)
  })

  it('goes on with the other timers when a target throws', () => {
    const { clock, wheel, journal, timer, errors } = setUp()
    const error = new Error('from expired()')
    journal.next = () => {
      if (journal.fired.length === 1) throw error
    }
    for (let i = 0; i < 3; i++) wheel.arm(timer(), 100)
    run(clock, wheel, 200)
    assert.equal(journal.fired.length, 3)
    assert.deepEqual(errors, [error])
  })

  it('fires everything that came due while the loop was stopped for hours', () => {
    const { clock, wheel, journal, timer } = setUp()
    for (const delayMs of [10, 70_000, 3_600_000]) wheel.arm(timer(), delayMs)
    wheel.advance(clock.advance(4 * 3_600_000))
    assert.equal(journal.fired.length, 3)
  })

  it('is exact after hours without a timer', () => {
    const { clock, wheel, journal, timer } = setUp()
    clock.advance(7_200_000)
    wheel.arm(timer(), 100)
    assert.ok(wheel.nextDelayMs(clock.now()) >= 100)
    assert.equal(run(clock, wheel, 200), 1)
    assert.equal(journal.fired.length, 1)
  })

  it('agrees with a sorted list under ten thousand random steps', () => {
    const { clock, wheel, journal, timer } = setUp(999)
    const random = seededRandom(20_261_121)
    const timers = Array.from({ length: 50 }, timer)
    const deadlines = new Map<Timer, number>()
    for (let step = 0; step < 10_000; step++) {
      const one = timers[between(random, 0, timers.length - 1)]
      if (random() < 0.2) {
        wheel.disarm(one)
        deadlines.delete(one)
      } else {
        const delayMs = between(random, 1, random() < 0.1 ? 200_000 : 300)
        wheel.arm(one, delayMs)
        deadlines.set(one, clock.now() + delayMs)
      }
      journal.fired.length = 0
      wheel.advance(clock.advance(between(random, 0, 40)))
      for (const { timer } of journal.fired) {
        const deadlineMs = deadlines.get(timer)
        assert.ok(deadlineMs !== undefined && deadlineMs <= clock.now(), `step ${step}`)
        deadlines.delete(timer)
      }
      for (const [timer, deadlineMs] of deadlines) {
        assert.ok(deadlineMs > clock.now() - TICK_MS, `step ${step}: due since ${clock.now() - deadlineMs} ms`)
        assert.equal(timer.isArmed, true)
      }
    }
  })
})
