import assert from 'node:assert/strict'
import { once } from 'node:events'
import { describe, test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { ADMIN, ALL_FULL, CATALOGUE, HEALTH, NONE_AVAILABLE, type PoolDefinition, PoolTable, SlotAllocator } from '../../src/pool/index.ts'
import { runLoad } from '../support/algorithm-load.ts'
import type { AlgorithmWorkerInput, AlgorithmWorkerResult } from '../support/algorithm-worker.ts'
import { type Bench, bench, definition, NumberedKey, server, weighted } from '../support/pool.ts'

type Entry = (typeof CATALOGUE)[number]

function pool(entry: Entry, servers: PoolDefinition['servers'], changes: Partial<PoolDefinition> = {}): PoolDefinition {
  return definition(servers, { algorithm: { name: entry.name }, ...changes })
}

/** Names of servers for the keys 0 to count - 1. */
function byKey(made: Bench, count: number): string[] {
  const key = new NumberedKey()
  made.context.keySource = key
  return Array.from({ length: count }, (_, number) => {
    key.number = number
    made.context.begin(number)
    const index = made.pool.pick(made.context)
    return index < 0 ? String(index) : made.pool.servers[index].name
  })
}

function tally(names: readonly string[], of: readonly string[]): number[] {
  return of.map((name) => names.filter((other) => other === name).length)
}

function near(actual: readonly number[], expected: readonly number[], tolerance: number): void {
  const total = actual.reduce((sum, value) => sum + value, 0)
  const whole = expected.reduce((sum, value) => sum + value, 0)
  for (const [i, value] of actual.entries()) {
    assert.ok(Math.abs(value / total - expected[i] / whole) <= tolerance, `${actual.join(':')} is not near ${expected.join(':')}`)
  }
}

for (const entry of CATALOGUE) {
  describe(entry.name, () => {
    test('never picks a server that is down, drained, in maintenance or of weight 0', () => {
      const made = bench(pool(entry, weighted(4, 4, 4, 4, 4)))
      byKey(made, 40)
      made.table.setHealth(made.slot(0), HEALTH.DOWN, 1)
      made.table.setAdmin(made.slot(1), ADMIN.DRAIN, 1)
      made.table.setAdmin(made.slot(2), ADMIN.MAINTENANCE, 1)
      made.table.setWeight(made.slot(4), 0)
      assert.deepEqual(new Set(byKey(made, 200)), new Set(['d']))
    })

    test('says that none is available, and takes one that comes back', () => {
      const made = bench(pool(entry, weighted(1, 2)))
      for (const index of [0, 1]) made.table.setHealth(made.slot(index), HEALTH.DOWN, 1)
      assert.deepEqual(byKey(made, 3), Array(3).fill(String(NONE_AVAILABLE)))
      made.table.setHealth(made.slot(1), HEALTH.UP, 2)
      assert.deepEqual(byKey(made, 3), ['b', 'b', 'b'])
    })

    test('passes over full servers and says when all are full', () => {
      const servers = [
        server('a', { maxRequests: 1, weight: 9 }),
        server('b', { maxRequests: 1, weight: 9 }),
        server('c', { maxRequests: 2, weight: 9 }),
      ]
      const made = bench(pool(entry, servers))
      const taken: number[] = []
      for (let i = 0; i < 4; i++) {
        byKey(made, 1)
        made.context.begin(i)
        const index = made.pool.pick(made.context)
        assert.ok(index >= 0 && made.pool.acquire(index), `${taken.join()} then ${index}`)
        taken.push(index)
      }
      assert.deepEqual([...taken].sort(), [0, 1, 2, 2])
      assert.equal(made.pool.pick(made.context), ALL_FULL)
    })

    test('tries every server once before it tries one again', () => {
      const made = bench(pool(entry, weighted(1, 3, 6, 2)))
      byKey(made, 7)
      made.context.begin(0)
      const tried = new Set<number>()
      for (let i = 0; i < 4; i++) {
        const index = made.pool.pick(made.context)
        made.context.exclude(index)
        tried.add(index)
      }
      assert.equal(tried.size, 4)
      assert.ok(made.pool.pick(made.context) >= 0)
    })

    test('is deterministic under a seeded random', () => {
      const first = bench(pool(entry, weighted(1, 3, 6)), 7)
      const second = bench(pool(entry, weighted(1, 3, 6)), 7)
      assert.deepEqual(byKey(first, 200), byKey(second, 200))
    })

    test('works with one server, and with a thousand', () => {
      assert.deepEqual(byKey(bench(pool(entry, weighted(5))), 3), ['a', 'a', 'a'])
      const many = Array.from({ length: 1000 }, (_, i) => server(`s${i}`, { weight: (i % 7) + 1 }))
      const picked = new Set(byKey(bench(pool(entry, many)), 300))
      assert.ok(picked.size > (entry.by === 'order' ? 0 : 100))
    })

    if (entry.by !== 'order') shares(entry)
  })
}

/** Each server gets its share, and no server nothing. */
function shares(entry: Entry): void {
  const weights = [1, 3, 6]
  const expected = entry.weighted ? weights : [1, 1, 1]
  const names = ['a', 'b', 'c']

  if (entry.by === 'turn') {
    test('gives exact shares over any whole turn', () => {
      const made = bench(pool(entry, weighted(...weights)))
      const length = expected.reduce((sum, weight) => sum + weight, 0)
      const picked = made.names(5 * length)
      for (let start = 0; start <= 4 * length; start++) assert.deepEqual(tally(picked.slice(start, start + length), names), expected)
    })
  } else if (entry.by === 'load') {
    test('gives shares by weight under load, and to an idle pool too', () => {
      const made = bench(pool(entry, weighted(...weights)))
      near(runLoad(made, { active: 40, requests: 4000, latencyMs: () => 20 }), expected, 0.08)
    })

    test('starves nobody, not even a server that is slow or was', () => {
      const made = bench(pool(entry, weighted(1, 1, 1)))
      const early = runLoad(made, { active: 6, requests: 200, latencyMs: (index) => (index === 0 ? 400 : 5) })
      assert.ok(
        early.every((got) => got > 0),
        early.join(),
      )
      made.context.nowMs = 0
      const late = runLoad(made, { active: 6, requests: 30_000, latencyMs: () => 5 })
      assert.ok(
        late.every((got) => got > 500),
        late.join(),
      )
    })
  } else {
    test('gives shares near the weights', () => {
      near(tally(byKey(bench(pool(entry, weighted(...weights))), 6000), names), expected, entry.by === 'key' ? 0.06 : 0.03)
    })
  }
}

describe('over workers', () => {
  const WORKERS = 2
  const PICKS = 3000
  const weights = [1, 3, 6]

  test('turns, keys and limits are exact', async () => {
    const table = PoolTable.create({ servers: CATALOGUE.length * 3, pools: CATALOGUE.length, workers: WORKERS })
    const allocator = new SlotAllocator(table)
    const definitions = CATALOGUE.map((entry) =>
      definition(
        weights.map((weight, i) => server(`s${i}`, { weight, maxRequests: 50 + i })),
        { name: entry.name, algorithm: { name: entry.name } },
      ),
    )
    const assignment = allocator.prepare(definitions, 1, 1)
    allocator.commit(definitions, assignment, 1)
    const pools = definitions.map((made, i) => ({ definition: made, slots: assignment.pools[i] }))
    const barrier = new SharedArrayBuffer(4)
    const inputs = Array.from({ length: WORKERS }, (_, worker) => ({
      buffer: table.buffer,
      barrier,
      workers: WORKERS,
      worker,
      picks: PICKS,
      pools,
    }))
    const results = await runWorkers(inputs)
    for (const [i, entry] of CATALOGUE.entries()) {
      const ofPool = results.map((result) => result[i])
      const picked = weights.map((_, index) => ofPool.reduce((sum, result) => sum + result.picked[index], 0))
      if (entry.by === 'turn') assert.deepEqual(picked, shareOf(PICKS * WORKERS, entry.weighted ? weights : [1, 1, 1]), entry.name)
      if (entry.by === 'key' && !entry.name.startsWith('locality')) assert.deepEqual(ofPool[0].byKey, ofPool[1].byKey, entry.name)
      const held = ofPool.reduce((sum, result) => sum + result.held, 0)
      if (entry.name !== 'overflow') assert.equal(held, 50 + 51 + 52, entry.name)
      assert.deepEqual(
        assignment.pools[i].slots.reduce((sum, slot) => sum + table.active(slot), 0),
        held,
      )
    }
  })

  function shareOf(total: number, of: readonly number[]): number[] {
    const whole = of.reduce((sum, weight) => sum + weight, 0)
    return of.map((weight) => (total * weight) / whole)
  }

  async function runWorkers(inputs: readonly AlgorithmWorkerInput[]): Promise<(readonly AlgorithmWorkerResult[])[]> {
    const workers = inputs.map((input) => new Worker(new URL('../support/algorithm-worker.ts', import.meta.url), { workerData: input }))
    try {
      return await Promise.all(workers.map(async (worker) => (await once(worker, 'message'))[0]))
    } finally {
      await Promise.all(workers.map((worker) => worker.terminate()))
    }
  }
})
