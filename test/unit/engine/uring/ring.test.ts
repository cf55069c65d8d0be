import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EngineCounters } from '../../../../src/engine/counters.ts'
import { KIND } from '../../../../src/engine/uring/operations.ts'
import { type CompletionSink, Ring } from '../../../../src/engine/uring/ring.ts'
import { listenSocket, localAddress, native } from '../../../../src/kernel/index.ts'
import type { Cleanup } from '../../../support/cleanup.ts'
import { dial } from '../../../support/net.ts'
import { uring } from '../../../support/uring.ts'

const EBADF = -9
const ECANCELED = -125

class Completions implements CompletionSink {
  readonly all: { kind: number; slot: number; generation: number; result: number; flags: number }[] = []

  complete(kind: number, slot: number, generation: number, result: number, flags: number): void {
    this.all.push({ kind, slot, generation, result, flags })
  }
}

function makeRing(t: Cleanup, sqEntries: number, cqEntries: number, counters = new EngineCounters()): Ring {
  const ring = new Ring({ sqEntries, cqEntries, descriptors: 8 }, 0, counters)
  t.after(() => ring.close())
  return ring
}

test('a full submission queue submits early and loses nothing', uring, (t) => {
  const ring = makeRing(t, 4, 64)
  const completions = new Completions()
  // Closing a descriptor that is not open fails, and only failures are told.
  for (let i = 0; i < 50; i++) ring.closeDescriptor(-1)
  assert.ok(ring.pending <= 4, `${ring.pending} operations fit into 4`)
  ring.enter(0, 0)
  assert.equal(ring.pending, 0)
  assert.equal(ring.drain(completions), 50)
  for (const { kind, result } of completions.all) assert.deepEqual([kind, result], [KIND.NONE, EBADF])
})

test('completions that do not fit wait in the kernel, in order, and are counted', uring, (t) => {
  const counters = new EngineCounters()
  const ring = makeRing(t, 32, 32, counters)
  const completions = new Completions()
  for (let i = 0; i < 1000; i++) ring.cancel(KIND.SEND, i, i)
  assert.ok(counters.completionOverflows > 0)
  while (completions.all.length < 1000) {
    ring.enter(0, 0)
    ring.drain(completions)
  }
  assert.equal(completions.all.length, 1000)
})

test('a sink that submits while it drains sees the completions of that in the next turns', uring, (t) => {
  const ring = makeRing(t, 4, 16)
  let left = 100
  let seen = 0
  ring.closeDescriptor(-1)
  ring.enter(0, 0)
  while (seen < 101) {
    ring.drain({
      complete() {
        seen++
        // More than the queue holds, so that it submits in the middle of draining.
        for (let i = 0; i < 10 && left > 0; i++, left--) ring.closeDescriptor(-1)
      },
    })
    ring.enter(0, 0)
  }
  assert.equal(ring.drain(new Completions()), 0)
})

test('user_data carries kind, slot and generation there and back', uring, (t) => {
  const ring = makeRing(t, 8, 16)
  const completions = new Completions()
  const fd = listenSocket({ address: { family: 4, host: '127.0.0.1', port: 0 }, backlog: 8, reusePort: false })
  t.after(() => native().close(fd))
  const slots = [0, 1, 8_388_607]
  const generations = [0x7fffffff, -1, -0x80000000]
  for (const [i, slot] of slots.entries()) ring.accept(fd, slot, generations[i])
  ring.enter(0, 0)
  for (const [i, slot] of slots.entries()) ring.cancel(KIND.ACCEPT, slot, generations[i])
  ring.enter(0, 0)
  ring.drain(completions)
  const told = completions.all.map(({ kind, slot, generation, result }) => [kind, slot, generation, result])
  assert.deepEqual(
    told,
    slots.map((slot, i) => [KIND.ACCEPT, slot, generations[i], ECANCELED]),
  )
})

test('a cancel reaches the operation of its generation only', uring, (t) => {
  const ring = makeRing(t, 8, 16)
  const completions = new Completions()
  const fd = listenSocket({ address: { family: 4, host: '127.0.0.1', port: 0 }, backlog: 8, reusePort: false })
  t.after(() => native().close(fd))
  ring.accept(fd, 5, 2)
  ring.cancel(KIND.ACCEPT, 5, 1)
  ring.enter(0, 0)
  ring.drain(completions)
  assert.deepEqual(
    completions.all.map((each) => each.kind),
    [KIND.NONE],
  )
})

test('waits for a completion, and for no longer than it is told', uring, async (t) => {
  const ring = makeRing(t, 8, 16)
  const completions = new Completions()
  const fd = listenSocket({ address: { family: 4, host: '127.0.0.1', port: 0 }, backlog: 8, reusePort: false })
  t.after(() => native().close(fd))
  ring.accept(fd, 3, 4)
  const before = ring.monotonicMs
  ring.enter(1, 1)
  assert.equal(ring.drain(completions), 0)
  assert.ok(ring.monotonicMs > before)
  dial(t, localAddress(fd)!)
  while (completions.all.length === 0) {
    await new Promise((resolve) => setImmediate(resolve))
    ring.enter(0, 0)
    ring.drain(completions)
  }
  assert.deepEqual([completions.all[0].kind, completions.all[0].slot], [KIND.ACCEPT, 3])
  native().close(completions.all[0].result)
})

test('does not wait when libuv has something to do', uring, (t) => {
  const ring = makeRing(t, 8, 16)
  setImmediate(() => {})
  ring.enter(1, -1)
  assert.equal(ring.isLibuvDue, true)
})

test('waits no longer than the next timer of libuv', uring, async (t) => {
  const ring = makeRing(t, 8, 16)
  const fired = new Promise((resolve) => setTimeout(resolve, 20))
  ring.enter(1, -1)
  await fired
})
