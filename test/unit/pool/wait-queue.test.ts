import assert from 'node:assert/strict'
import { once } from 'node:events'
import { test } from 'node:test'
import { Worker } from 'node:worker_threads'
import {
  forgetWorker,
  Pool,
  type PoolDefinition,
  PoolTable,
  type QueueHost,
  SlotAllocator,
  Waiter,
  type WaitQueue,
  type WaitTarget,
} from '../../../src/pool/index.ts'
import { definition, server } from '../../support/pool.ts'
import type { QueueWorkerInput } from '../../support/queue-worker.ts'

/** A request that takes the only server when its turn comes, and writes down what became of it. */
class Request implements WaitTarget {
  readonly waiter = new Waiter(this)
  readonly name: string
  readonly #pool: Pool
  readonly #log: string[]

  constructor(name: string, pool: Pool, log: string[]) {
    this.name = name
    this.#pool = pool
    this.#log = log
  }

  ready(): boolean {
    if (!this.#pool.acquire(0)) return false
    this.#log.push(this.name)
    return true
  }

  expired(): void {
    this.#log.push(`${this.name} expired`)
  }
}

function fixture(size: number, limit: number, changes: Partial<PoolDefinition> = {}) {
  const log: string[] = []
  const scheduled = new Set<WaitQueue>()
  const pools: Pool[] = []
  const host: QueueHost = {
    ring: (worker) => scheduled.add(pools[worker].queue as WaitQueue),
    schedule: (queue) => scheduled.add(queue),
  }
  const table = PoolTable.create({ servers: 1, pools: 1, workers: 3 })
  const slots = new SlotAllocator(table)
  const pool = definition([server('a', { maxRequests: limit })], { queue: { size, timeoutMs: 1000 }, ...changes })
  const assignment = slots.prepare([pool], 1, 0)
  slots.commit([pool], assignment, 0)
  for (const worker of [0, 1, 2]) pools.push(new Pool(pool, assignment.pools[0], table, worker, host))
  /** Runs what workers were asked to do until they rest. */
  const settle = () => {
    while (scheduled.size > 0) {
      for (const queue of scheduled) {
        scheduled.delete(queue)
        queue.serve()
      }
    }
  }
  const wait = (name: string, worker = 0, priority = 0, nowMs = 0) => {
    const request = new Request(name, pools[worker], log)
    const entered = (pools[worker].queue as WaitQueue).enter(request.waiter, priority, nowMs)
    return { request, entered }
  }
  return { table, pools, log, settle, wait, queue: (worker: number) => pools[worker].queue as WaitQueue }
}

test('first come, first served, over all workers', () => {
  const { pools, wait, settle, log } = fixture(10, 1)
  assert.ok(pools[0].acquire(0))
  for (const [i, worker] of [2, 0, 1, 1, 0].entries()) assert.ok(wait(`r${i}`, worker).entered)
  settle()
  assert.deepEqual(log, [])
  const owners = [0, 2, 0, 1, 1]
  for (const worker of owners) {
    pools[worker].release(0)
    settle()
  }
  assert.deepEqual(log, ['r0', 'r1', 'r2', 'r3', 'r4'])
  assert.equal(pools[0].queue?.isWaiting, false)
})

test('several places that are freed at once all find their waiter', () => {
  const { pools, wait, settle, log } = fixture(10, 4)
  for (let i = 0; i < 4; i++) assert.ok(pools[0].acquire(0))
  for (let i = 0; i < 6; i++) wait(`r${i}`, i % 3)
  settle()
  for (let i = 0; i < 4; i++) pools[0].release(0)
  settle()
  assert.deepEqual(log, ['r0', 'r1', 'r2', 'r3'])
})

test('a higher priority goes first, and within one the earlier', () => {
  const { pools, wait, settle, log } = fixture(10, 1)
  assert.ok(pools[0].acquire(0))
  wait('low', 0, 3)
  wait('high-1', 1, 1)
  wait('high-2', 0, 1)
  wait('highest', 2, 0)
  for (let i = 0; i < 4; i++) {
    pools[0].release(0)
    settle()
  }
  assert.deepEqual(log, ['highest', 'high-1', 'high-2', 'low'])
})

test('the size holds over all workers, and a waiter knows how many are ahead', () => {
  const { pools, wait } = fixture(2, 1)
  assert.ok(pools[0].acquire(0))
  assert.equal(wait('r0', 0).request.waiter.ahead, 0)
  assert.equal(wait('r1', 1).request.waiter.ahead, 1)
  assert.equal(wait('r2', 2).entered, false)
  assert.equal(wait('r3', 0).entered, false)
})

test('a waiter that leaves is passed over, wherever it stands', () => {
  const { pools, wait, settle, log, queue } = fixture(10, 1)
  assert.ok(pools[0].acquire(0))
  const waiting = ['r0', 'r1', 'r2', 'r3'].map((name) => wait(name).request)
  for (const index of [1, 3, 0]) queue(0).leave(waiting[index].waiter)
  queue(0).leave(waiting[0].waiter)
  assert.equal(queue(0).length, 1)
  pools[0].release(0)
  settle()
  assert.deepEqual(log, ['r2'])
})

test('the time-out ends the waiting of each in its turn', () => {
  const { pools, wait, log, queue } = fixture(10, 1)
  assert.ok(pools[0].acquire(0))
  wait('r0', 0, 0, 0)
  wait('r1', 0, 1, 100)
  wait('r2', 0, 0, 500)
  queue(0).expire(999)
  assert.deepEqual(log, [])
  queue(0).expire(1100)
  assert.deepEqual(log, ['r0 expired', 'r1 expired'])
  queue(0).expire(1500)
  assert.equal(queue(0).length, 0)
  assert.equal(queue(1).isWaiting, false)
})

test('a place that was freed between the failed pick and the wait is not lost', () => {
  const { pools, wait, settle, log } = fixture(10, 1)
  assert.ok(pools[1].acquire(0))
  pools[1].release(0)
  wait('late', 0)
  settle()
  assert.deepEqual(log, ['late'])
})

test('places that come about without a release are found by expire()', () => {
  const { table, pools, wait, settle, log, queue } = fixture(10, 1)
  assert.ok(pools[0].acquire(0))
  wait('r0', 1)
  settle()
  forgetWorker(table, 0)
  queue(1).expire(10)
  assert.deepEqual(log, ['r0'])
})

test('a worker that died takes its waiting requests with it', () => {
  const { table, pools, wait, settle, log } = fixture(2, 1)
  assert.ok(pools[0].acquire(0))
  wait('dead', 1)
  wait('alive', 2)
  forgetWorker(table, 1)
  assert.ok(wait('next', 0).entered)
  pools[0].release(0)
  settle()
  assert.deepEqual(log, ['alive'])
})

test('without a host, or with a size of 0, nothing waits', () => {
  const { wait, pools } = fixture(0, 1)
  assert.ok(pools[0].acquire(0))
  assert.equal(wait('r0').entered, false)
})

test('over real workers nobody waits for ever and the limit is never exceeded', async () => {
  const WORKERS = 2
  const REQUESTS = 400
  const table = PoolTable.create({ servers: 1, pools: 1, workers: WORKERS })
  const slots = new SlotAllocator(table)
  const pool = definition([server('a', { maxRequests: 3 })], { queue: { size: 100, timeoutMs: 60_000 } })
  const assignment = slots.prepare([pool], 1, 0)
  slots.commit([pool], assignment, 0)
  const inputs = Array.from(
    { length: WORKERS },
    (_, worker): QueueWorkerInput => ({ buffer: table.buffer, worker, pool, slots: assignment.pools[0], requests: REQUESTS }),
  )
  const workers = inputs.map((input) => new Worker(new URL('../../support/queue-worker.ts', import.meta.url), { workerData: input }))
  try {
    const results = await Promise.all(
      workers.map(async (worker) => (await once(worker, 'message'))[0] as { served: number; waited: number; most: number }),
    )
    assert.equal(
      results.reduce((sum, { served }) => sum + served, 0),
      WORKERS * REQUESTS,
    )
    assert.ok(results.some(({ waited }) => waited > 0))
    assert.ok(results.every(({ most }) => most <= 3))
    assert.equal(table.active(assignment.pools[0].slots[0]), 0)
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()))
  }
})
