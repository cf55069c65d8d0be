import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { Blocks } from '../../../../src/engine/blocks.ts'
import { Loop, type Turned } from '../../../../src/engine/portable/loop.ts'
import { Timer } from '../../../../src/engine/timers.ts'

const BLOCK_BYTES = 64

function setUp(blockCount = 32) {
  const blocks = new Blocks(new Uint8Array(blockCount * BLOCK_BYTES), BLOCK_BYTES)
  const errors: unknown[] = []
  const loop = new Loop(blocks, (error) => errors.push(error))
  return { blocks, loop, errors }
}

/** Timers of Node's that could wake this process. */
const alarms = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length

const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

describe('the loop of the portable engine', () => {
  it('sets one alarm for all timers, and none when there is nothing to wait for', async () => {
    const { loop } = setUp()
    const before = alarms()
    loop.start()
    const started = alarms()
    const fired: Timer[] = []
    const target = { expired: (timer: Timer) => fired.push(timer) }
    const timers = [new Timer(target), new Timer(target), new Timer(target)]
    for (const [i, timer] of timers.entries()) loop.timers.arm(timer, 5 + i)
    assert.equal(alarms(), started + 1)
    while (fired.length < 3) await turn()
    assert.equal(alarms(), started)
    loop.stop()
    assert.equal(alarms(), before)
  })

  it('flushes what changed when the turn is over, once', async () => {
    const { loop } = setUp()
    loop.start()
    let flushes = 0
    const connection: Turned = { flush: () => flushes++, relieve: () => true }
    loop.enter()
    loop.changed(connection)
    assert.equal(flushes, 0)
    loop.leave()
    assert.equal(flushes, 1)
    loop.changed(connection)
    assert.equal(flushes, 1)
    await turn()
    assert.equal(flushes, 2)
    loop.stop()
  })

  it('gives a connection that changes while it is flushed its turn later', async () => {
    const { loop } = setUp()
    loop.start()
    let flushes = 0
    const connection: Turned = {
      flush() {
        if (++flushes < 5) loop.changed(connection)
      },
      relieve: () => true,
    }
    loop.enter()
    loop.changed(connection)
    loop.leave()
    assert.equal(flushes, 1)
    while (flushes < 5) await turn()
    loop.stop()
  })

  it('tries those that wait for a block again in their order, as blocks come back', async () => {
    const { blocks, loop } = setUp()
    loop.start()
    const taken: number[] = []
    for (let block = blocks.take(); block !== -1; block = blocks.take()) taken.push(block)
    const order: string[] = []
    const waiting = (name: string): Turned => ({
      flush() {},
      relieve() {
        order.push(name)
        return true
      },
    })
    loop.enter()
    loop.starve(waiting('first'))
    loop.starve(waiting('second'))
    loop.leave()
    await turn()
    assert.deepEqual(order, [])
    // Outside of any turn: found at the next look.
    for (const block of taken) blocks.release(block)
    while (order.length < 2) await turn()
    assert.deepEqual(order, ['first', 'second'])
    assert.equal(loop.counters.receiveStarvations, 2)
    loop.stop()
  })

  it('keeps an eighth of the arena from receiving', () => {
    const { blocks, loop } = setUp(32)
    for (let received = 0; received < 28; received++) {
      const at = loop.roomToReceive(BLOCK_BYTES)
      assert.notEqual(at, -1)
      blocks.hold(at)
      loop.bump.advance(BLOCK_BYTES)
    }
    assert.equal(loop.roomToReceive(BLOCK_BYTES), -1)
    assert.notEqual(loop.bump.room(BLOCK_BYTES), -1)
  })

  it('asks for the time once a turn', () => {
    const { loop } = setUp()
    loop.enter()
    const [nowMs, wallClockMs] = [loop.now(), loop.wallClock()]
    const untilMs = performance.now() + 2
    while (performance.now() < untilMs);
    assert.equal(loop.now(), nowMs)
    assert.equal(loop.wallClock(), wallClockMs)
    loop.leave()
    assert.ok(loop.now() > nowMs)
  })
})
