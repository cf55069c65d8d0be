import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ADMIN, HEALTH, OUTCOME } from '../../../../src/pool/index.ts'
import { SERVER } from '../../../../src/pool/layout.ts'
import { runLoad } from '../../../support/algorithm-load.ts'
import { type Bench, bench, count, definition, NumberedKey, server, weighted } from '../../../support/pool.ts'

function made(algorithm: string, weights: number[], options = {}): Bench {
  return bench(definition(weighted(...weights), { algorithm: { name: algorithm, options } }))
}

/** Names of picks that stay active. */
function hold(on: Bench, picks: number): string[] {
  return Array.from({ length: picks }, () => {
    on.context.begin(0)
    const index = on.pool.pick(on.context)
    assert.ok(on.pool.acquire(index))
    return on.pool.servers[index].name
  })
}

test('least-connections evens out what is active, whatever the weights', () => {
  assert.deepEqual(count(hold(made('lc', [1, 9, 1]), 9)), { a: 3, b: 3, c: 3 })
})

test('least-connections stays even over more servers than it compares', () => {
  const counts = Object.values(
    count(
      hold(
        bench(
          definition(
            Array.from({ length: 500 }, (_, i) => server(`s${i}`)),
            { algorithm: { name: 'lc' } },
          ),
        ),
        5000,
      ),
    ),
  )
  assert.equal(counts.length, 500)
  assert.ok(Math.max(...counts) - Math.min(...counts) <= 2, `${Math.min(...counts)} to ${Math.max(...counts)}`)
})

test('weighted-least-connections and shortest-expected-delay hold active requests at the weights', () => {
  assert.deepEqual(count(hold(made('wlc', [1, 3, 6]), 100)), { a: 10, b: 30, c: 60 })
  assert.deepEqual(count(hold(made('sed', [1, 3, 6]), 100)), { a: 10, b: 30, c: 60 })
})

test('shortest-expected-delay leaves a light server idle that never-queue uses', () => {
  assert.deepEqual(count(hold(made('sed', [1, 100]), 20)), { b: 20 })
  assert.deepEqual(count(hold(made('nq', [1, 100]), 20)), { a: 1, b: 19 })
})

test('least-sessions goes by entries of the persistence table', () => {
  const on = made('least-sessions', [1, 1, 2])
  for (const [index, sessions] of [5, 3, 8].entries()) {
    Atomics.store(on.table.words, on.table.serverRow(on.slot(index)) + SERVER.SESSIONS, sessions)
  }
  assert.deepEqual(on.names(3), ['b', 'b', 'b'])
})

test('two-choices keeps the difference of loads small', () => {
  const counts = Object.values(count(hold(made('p2c', Array(10).fill(1)), 1000)))
  assert.ok(Math.max(...counts) - Math.min(...counts) < 12, counts.join())
})

test('weighted-failover takes the highest weight that is up', () => {
  const on = made('fo', [1, 3, 2])
  assert.deepEqual(on.names(2), ['b', 'b'])
  on.table.setHealth(on.slot(1), HEALTH.DOWN, 1)
  assert.deepEqual(on.names(2), ['c', 'c'])
})

test('overflow takes the highest weight until its active requests exceed it', () => {
  const on = made('ovf', [1, 3, 2])
  assert.deepEqual(hold(on, 9), ['b', 'b', 'b', 'b', 'c', 'c', 'c', 'a', 'a'])
  on.context.begin(0)
  assert.equal(on.pool.pick(on.context), -2)
})

test('first fills a server up to its limit before it takes the next', () => {
  const servers = [server('a', { maxRequests: 2 }), server('b', { maxRequests: 1 }), server('c')]
  assert.deepEqual(hold(bench(definition(servers, { algorithm: { name: 'first' } })), 5), ['a', 'a', 'b', 'c', 'c'])
})

test('fastest and peak-ewma send most to the fast servers', () => {
  for (const algorithm of ['fastest', 'peak-ewma']) {
    const got = runLoad(made(algorithm, [1, 1, 1]), { active: 6, requests: 3000, latencyMs: (index) => [5, 5, 50][index] })
    assert.ok(got[2] < got[0] / 3 && got[2] > 0, `${algorithm}: ${got.join()}`)
    assert.ok(Math.abs(got[0] - got[1]) < got[0] / 4, `${algorithm}: ${got.join()}`)
  }
})

test('peak-ewma believes one slow answer at once', () => {
  const on = made('peak-ewma', [1, 1])
  for (const index of [0, 1]) for (let i = 0; i < 20; i++) on.pool.report(index, OUTCOME.SUCCESS, 10, 1000)
  on.pool.report(0, OUTCOME.SUCCESS, 500, 1000)
  on.context.begin(1000)
  const picks = Array.from({ length: 50 }, () => on.pool.pick(on.context))
  // Only when both draws fall on it.
  assert.ok(picks.filter((index) => index === 0).length < 25)
  const fastest = made('fastest', [1, 1])
  for (const index of [0, 1]) fastest.pool.report(index, OUTCOME.SUCCESS, 10, 1000)
  assert.equal(fastest.table.latencyMs(fastest.slot(0)), 10)
})

test('a server that nothing is known of is tried with one request at a time', () => {
  const on = made('fastest', [1, 1])
  on.pool.report(1, OUTCOME.SUCCESS, 10, 1)
  on.context.begin(2)
  assert.equal(on.pool.pick(on.context), 0)
  assert.ok(on.pool.acquire(0))
  assert.deepEqual([on.pool.pick(on.context), on.pool.pick(on.context)], [1, 1])
})

test('observed gives three parts to servers below the average load and two to the others; predictive goes by the trend too', () => {
  for (const [algorithm, parts] of [
    ['observed', [2, 3]],
    ['predictive', [1, 4]],
  ] as const) {
    const on = made(algorithm, [1, 1])
    for (let i = 0; i < 10; i++) assert.ok(on.pool.acquire(0))
    on.context.begin(5000)
    const picks = Array.from({ length: 50 }, () => on.pool.pick(on.context))
    assert.deepEqual(
      [picks.filter((index) => index === 0).length, picks.filter((index) => index === 1).length],
      parts.map((part) => (50 * part) / (parts[0] + parts[1])),
    )
  }
})

test('resource goes by weight times the capacity that agents report', () => {
  const on = made('resource', [1, 1, 2])
  on.table.setCapacity(on.slot(0), 900)
  on.table.setCapacity(on.slot(1), 300)
  on.table.setCapacity(on.slot(2), 300)
  assert.deepEqual(count(on.names(18)), { a: 9, b: 3, c: 6 })
})

test('a share that the agent asks for scales the weight, and 0 takes no requests', () => {
  const on = made('wrr', [2, 2])
  on.table.setShare(on.slot(0), 500)
  assert.deepEqual(count(on.names(9)), { a: 3, b: 6 })
  on.table.setShare(on.slot(0), 0)
  assert.deepEqual(count(on.names(3)), { b: 3 })
})

function keyed(on: Bench, number: number, nowMs = 0): number {
  const key = new NumberedKey()
  key.number = number
  on.context.keySource = key
  on.context.begin(nowMs)
  return on.pool.pick(on.context)
}

test('locality keeps a key on its server until that is overloaded while another is idle', () => {
  const on = made('lblc', [1, 1, 1], { capacity: 4 })
  const home = keyed(on, 7)
  for (let i = 0; i < 4; i++) assert.ok(on.pool.acquire(home))
  assert.equal(keyed(on, 7), home)
  assert.ok(on.pool.acquire(home))
  const moved = keyed(on, 7)
  assert.notEqual(moved, home)
  for (let i = 0; i < 5; i++) on.pool.release(home)
  assert.equal(keyed(on, 7), moved)
  on.table.setAdmin(on.slot(moved), ADMIN.DRAIN, 1)
  assert.notEqual(keyed(on, 7), moved)
})

test('locality stays put while all are overloaded, and new keys go where the load is least', () => {
  const on = made('lblc', [1, 1], { capacity: 2 })
  const home = keyed(on, 1)
  const other = 1 - home
  for (let i = 0; i < 3; i++) assert.ok(on.pool.acquire(home))
  assert.ok(on.pool.acquire(other))
  assert.equal(keyed(on, 1), home)
  assert.equal(keyed(on, 2), other)
})

test('locality-replicated gives a hot key more servers and takes the most loaded away after it has settled', () => {
  const on = made('lblcr', [1, 1, 1], { capacity: 2, settle: 60 })
  const home = keyed(on, 7, 1000)
  for (let i = 0; i < 3; i++) assert.ok(on.pool.acquire(home))
  const second = keyed(on, 7, 2000)
  assert.notEqual(second, home)
  assert.ok(on.pool.acquire(second))
  assert.equal(keyed(on, 7, 3000), second)
  for (let i = 0; i < 3; i++) on.pool.release(home)
  assert.equal(keyed(on, 7, 4000), home)
  assert.equal(keyed(on, 7, 70_000), home)
  for (let i = 0; i < 2; i++) assert.ok(on.pool.acquire(home))
  assert.equal(keyed(on, 7, 70_001), home, 'the other server was taken away')
})
