/**
 * What a pick costs, with acquire and release, in nanoseconds: node bench/pick.ts [algorithm …]
 * Over 3, 30, 300 and 3000 servers of weights 1 to 7, all of them busy. The best of some short rounds counts, because everything
 * that disturbs a round makes it slower. `rebuild` is what the first pick after a change costs, in microseconds.
 */
import { CATALOGUE, HEALTH, PickContext, Pool, type PoolDefinition, PoolTable, SeededRandom, SlotAllocator } from '../src/pool/index.ts'

const SIZES = [3, 30, 300, 3000]
const ROUNDS = 5
const ROUND_MS = 15

const wanted = process.argv.slice(2)
console.log(['algorithm', ...SIZES.map((size) => `${size} ns`), 'rebuild µs at 3000'].map(column).join(''))
for (const { name } of CATALOGUE.filter((entry) => wanted.length === 0 || wanted.includes(entry.name))) {
  const measured = SIZES.map((size) => measure(name, size))
  console.log([name, ...measured.map(({ pickNs }) => pickNs.toFixed(0)), measured[3].rebuildUs.toFixed(0)].map(column).join(''))
}

function column(text: string, place: number): string {
  return place === 0 ? text.padEnd(28) : text.padStart(place === SIZES.length + 1 ? 20 : 10)
}

function measure(algorithm: string, size: number): { pickNs: number; rebuildUs: number } {
  const definition = poolOf(algorithm, size)
  const table = PoolTable.create({ servers: size, pools: 1, workers: 1 })
  const allocator = new SlotAllocator(table)
  const assignment = allocator.prepare([definition], 1, 1)
  allocator.commit([definition], assignment, 1)
  const pool = new Pool(definition, assignment.pools[0], table, 0)
  let hash = 0
  const context = new PickContext(new SeededRandom(1), { keyHash: () => hash })
  const pick = (): void => {
    hash = (Math.imul(hash, 0x9e3779b1) + 1) >>> 0
    context.begin(1)
    const index = pool.pick(context)
    pool.acquire(index)
    pool.release(index)
  }
  for (let i = 0; i < size; i++) for (let held = 0; held <= i % 3; held++) pool.acquire(i)
  for (let i = 0; i < 10_000; i++) pick()
  return { pickNs: best(pick, 500) * 1e6, rebuildUs: rebuild(table, assignment.pools[0].slots[0], pick) * 1e3 }
}

/** Milliseconds for each call, in the best round. */
function best(call: () => void, batch: number): number {
  let least = Number.POSITIVE_INFINITY
  for (let round = 0; round < ROUNDS; round++) {
    const start = performance.now()
    let calls = 0
    let elapsed = 0
    while (elapsed < ROUND_MS) {
      for (let i = 0; i < batch; i++) call()
      calls += batch
      elapsed = performance.now() - start
    }
    least = Math.min(least, elapsed / calls)
  }
  return least
}

function rebuild(table: PoolTable, slot: number, pick: () => void): number {
  let isUp = true
  const flip = (): void => {
    isUp = !isUp
    table.setHealth(slot, isUp ? HEALTH.UP : HEALTH.DOWN, 1)
    pick()
  }
  return best(flip, 5)
}

function poolOf(algorithm: string, size: number): PoolDefinition {
  const servers = Array.from({ length: size }, (_, i) => ({
    name: `server-${i}`,
    address: { family: 4, host: '127.0.0.1', port: 8000 } as const,
    weight: 1 + (i % 7),
    priority: 0,
    admin: 'ready' as const,
    maxRequests: 0,
  }))
  return { name: 'bench', algorithm: { name: algorithm }, servers, checked: false, maxRequests: 0, minAvailable: 1 }
}
