import { parentPort, workerData } from 'node:worker_threads'
import {
  PickContext,
  Pool,
  type PoolDefinition,
  type PoolSlots,
  PoolTable,
  SeededRandom,
  Waiter,
  type WaitTarget,
  WakeLine,
} from '../../src/pool/index.ts'

export interface QueueWorkerInput {
  readonly buffer: SharedArrayBuffer
  readonly worker: number
  readonly pool: PoolDefinition
  readonly slots: PoolSlots
  readonly requests: number
}

const input = workerData as QueueWorkerInput
const table = PoolTable.attach(input.buffer)
const line = new WakeLine(table, input.worker)
const pool = new Pool(input.pool, input.slots, table, input.worker, {
  ring: (worker) => line.ring(worker),
  schedule: (queue) => setImmediate(() => queue.serve()),
})
const context = new PickContext(new SeededRandom(input.worker))
let started = 0
let served = 0
let waited = 0
let most = 0

/** A request that holds its server for some turns of the loop. One at a time is reused. */
class Request implements WaitTarget {
  readonly #waiter = new Waiter(this)

  begin(): void {
    if (pool.queue?.isWaiting || !this.ready()) {
      waited++
      if (!pool.queue?.enter(this.#waiter, 0, 0)) throw new Error('the queue is full')
    }
  }

  ready(): boolean {
    context.begin(0)
    const index = pool.pick(context)
    if (index < 0 || !pool.acquire(index)) return false
    most = Math.max(most, table.active(input.slots.slots[index]))
    setImmediate(() => setImmediate(() => this.#end(index)))
    return true
  }

  expired(): void {
    throw new Error('nobody waits that long')
  }

  #end(index: number): void {
    pool.release(index)
    served++
    if (served === input.requests) finish()
    else if (started < input.requests) {
      started++
      this.begin()
    }
  }
}

// Keeps the worker alive while everything waits for the other one.
const alive = setInterval(() => {}, 1000)
line.listen(() => pool.queue?.serve())
for (; started < 8; started++) new Request().begin()

function finish(): void {
  clearInterval(alive)
  line.close()
  parentPort?.postMessage({ served, waited, most })
}
