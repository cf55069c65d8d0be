import { parentPort, workerData } from 'node:worker_threads'
import { PickContext, Pool, type PoolDefinition, type PoolSlots, PoolTable, SeededRandom } from '../../src/pool/index.ts'
import { NumberedKey } from './pool.ts'

export interface AlgorithmWorkerInput {
  readonly buffer: SharedArrayBuffer
  /** One word: how often a worker has come to a barrier. */
  readonly barrier: SharedArrayBuffer
  readonly workers: number
  readonly worker: number
  readonly picks: number
  readonly pools: readonly { readonly definition: PoolDefinition; readonly slots: PoolSlots }[]
}

export interface AlgorithmWorkerResult {
  /** How often each server was picked and given back at once. */
  readonly picked: readonly number[]
  /** The server of each of the keys 0 to 99. */
  readonly byKey: readonly number[]
  /** How many requests were held when the pool said that it was full. */
  readonly held: number
}

const { buffer, barrier, workers, worker, picks, pools } = workerData as AlgorithmWorkerInput
const arrivals = new Int32Array(barrier)
let rounds = 0
const table = PoolTable.attach(buffer)
parentPort?.postMessage(pools.map(({ definition, slots }) => run(new Pool(definition, slots, table, worker))))

function run(pool: Pool): AlgorithmWorkerResult {
  const key = new NumberedKey()
  const context = new PickContext(new SeededRandom(worker), key)
  const picked = pool.servers.map(() => 0)
  for (let i = 0; i < picks; i++) {
    key.number = i
    context.begin(i)
    const index = pool.pick(context)
    if (!pool.acquire(index)) throw new Error(`${pool.name} was full`)
    picked[index]++
    pool.release(index)
  }
  meet()
  const byKey = Array.from({ length: 100 }, (_, number) => {
    key.number = number
    context.begin(number)
    return pool.pick(context)
  })
  meet()
  return { picked, byKey, held: hold(pool, context) }
}

/** Waits until all workers have come here. */
function meet(): void {
  rounds++
  Atomics.add(arrivals, 0, 1)
  Atomics.notify(arrivals, 0)
  for (;;) {
    const arrived = Atomics.load(arrivals, 0)
    if (arrived >= rounds * workers) return
    Atomics.wait(arrivals, 0, arrived)
  }
}

function hold(pool: Pool, context: PickContext): number {
  let held = 0
  for (;;) {
    context.begin(held)
    const index = pool.pick(context)
    if (index < 0) return held
    if (pool.acquire(index)) held++
  }
}
