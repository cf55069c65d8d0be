import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { it } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { MessageChannel } from 'node:worker_threads'
import { Timer } from '../../src/engine/index.ts'
import { type Backend, type EngineUnderTest, engineFor } from '../support/engine.ts'
import { witness } from '../support/net.ts'

/** Timers and deferred callbacks on the real loop, and all else that shares it. The wheel itself is tested in test/unit. */
export function timers(backend: Backend): void {
  it('fires a timer once, not before its deadline, on an otherwise idle engine', async (t) => {
    const test = await engineFor(t, backend)
    for (const delayMs of [0, 1, 5, 20, 50]) {
      const deadlineMs = performance.now() + delayMs
      const { timer, fired } = alarm(test)
      test.engine.timers.arm(timer, delayMs)
      await fired
      assert.ok(performance.now() >= deadlineMs)
      assert.equal(timer.isArmed, false)
    }
  })

  it('fires in the order of the deadlines, whatever the order of arming', async (t) => {
    const test = await engineFor(t, backend)
    const order: number[] = []
    const alarms = [90, 30, 60].map((delayMs) => {
      const { timer, fired } = alarm(test, () => order.push(delayMs))
      test.engine.timers.arm(timer, delayMs)
      return fired
    })
    await Promise.all(alarms)
    assert.deepEqual(order, [30, 60, 90])
  })

  it('an earlier timer that is armed while the loop sleeps wakes it', async (t) => {
    const test = await engineFor(t, backend)
    const far = alarm(test)
    test.engine.timers.arm(far.timer, 3_600_000)
    // A timer of Node's, which fires while the loop sleeps.
    await delay(1)
    const near = alarm(test)
    test.engine.timers.arm(near.timer, 10)
    await near.fired
    assert.equal(far.timer.isArmed, true)
  })

  it('a disarmed timer does not fire, and a timer can arm itself again', async (t) => {
    const test = await engineFor(t, backend)
    let disarmedFired = false
    const disarmed = alarm(test, () => (disarmedFired = true))
    test.engine.timers.arm(disarmed.timer, 20)
    test.engine.timers.disarm(disarmed.timer)
    let times = 0
    const done = Promise.withResolvers<void>()
    const again: Timer = new Timer({
      expired() {
        if (++times < 4) test.engine.timers.arm(again, 10)
        else test.engine.defer(done.resolve)
      },
    })
    test.engine.timers.arm(again, 10)
    await done.promise
    assert.equal(disarmedFired, false)
  })

  it('timers fire on a busy engine, and may send', async (t) => {
    const test = await engineFor(t, backend)
    const { address, accepted } = await test.listen({ received: (connection, start, end) => connection.send(start, end) })
    const client = (await witness(t, address)).read()
    let isOver = false
    client.socket.on('data', () => !isOver && client.socket.write('x'))
    client.socket.write('x')
    await test.until(() => accepted.length === 1)
    const { timer, fired } = alarm(test, () => accepted[0].connection?.end())
    test.engine.timers.arm(timer, 30)
    await fired
    isOver = true
    await client.ended()
  })

  it('now() never goes back and stands still during an event; wallClock() is the time of day', async (t) => {
    const test = await engineFor(t, backend)
    let lastMs = test.engine.now()
    const { address } = await test.listen({
      received(connection, start, end) {
        const [nowMs, wallClockMs] = [test.engine.now(), test.engine.wallClock()]
        const untilMs = performance.now() + 2
        while (performance.now() < untilMs);
        assert.ok(nowMs >= lastMs)
        assert.equal(test.engine.now(), nowMs)
        assert.equal(test.engine.wallClock(), wallClockMs)
        assert.ok(Math.abs(Date.now() - wallClockMs) < 60_000)
        lastMs = nowMs
        connection.send(start, end)
      },
    })
    const client = (await witness(t, address)).read()
    for (let i = 1; i <= 10; i++) {
      client.socket.write('x')
      await client.gets(i)
    }
  })

  it('defer() runs callbacks later, in order, and what they send goes out', async (t) => {
    const test = await engineFor(t, backend)
    const { address, accepted, count } = await test.listen()
    const client = (await witness(t, address)).read()
    await count(1)
    const order: number[] = []
    await new Promise<void>((resolve) => {
      for (let i = 0; i < 3; i++) test.engine.defer(() => order.push(i))
      test.engine.defer(() => {
        test.write(accepted[0].connection!, 'deferred')
        resolve()
      })
      assert.deepEqual(order, [])
    })
    assert.deepEqual(order, [0, 1, 2])
    await client.gets(8)
  })

  it('what is sent after a promise, outside of any event, goes out', async (t) => {
    const test = await engineFor(t, backend)
    const { address, accepted, count } = await test.listen()
    const client = (await witness(t, address)).read()
    await count(1)
    // A promise that Node's timers keep: nothing of the engine's runs meanwhile.
    await delay(1)
    test.write(accepted[0].connection!, 'late')
    await client.gets(4)
    await readFile(new URL(import.meta.url))
    accepted[0].connection?.end()
    await client.ended()
  })

  it("Node's timers, promises, files and message ports go on, idle or busy", async (t) => {
    const test = await engineFor(t, backend)
    const { address } = await test.listen({ received: (connection, start, end) => connection.send(start, end) })
    for (const isBusy of [false, true]) {
      const client = (await witness(t, address)).read()
      if (isBusy) {
        client.socket.on('data', () => client.socket.write('x'))
        client.socket.write('x')
      }
      const { port1, port2 } = new MessageChannel()
      const answered = new Promise((resolve) => port1.once('message', resolve))
      port2.on('message', (message) => port2.postMessage(message))
      port1.postMessage('hello')
      await Promise.all([delay(1), answered, readFile(new URL(import.meta.url)), new Promise((resolve) => setImmediate(resolve))])
      port1.close()
      client.socket.destroy()
    }
  })
}

function alarm(test: EngineUnderTest, act: () => void = () => {}) {
  const { promise, resolve } = Promise.withResolvers<void>()
  const timer = new Timer({
    expired() {
      act()
      test.engine.defer(resolve)
    },
  })
  return { timer, fired: promise }
}
