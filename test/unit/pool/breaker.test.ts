import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BREAKER_OPEN, OUTCOME, Pool } from '../../../src/pool/index.ts'
import { bench, definition, weighted } from '../../support/pool.ts'

const BREAKER = { failurePercent: 50, minRequests: 4, windowMs: 1000, openMs: 5000, probes: 2 }

function fixture() {
  const pool = definition(weighted(1, 1), { breaker: BREAKER })
  const on = bench(pool)
  const other = new Pool(pool, on.assignment.pools[0], on.table, 1)
  /** Begins a request: its server, or why there is none. */
  const begin = (nowMs: number, by = on.pool) => {
    on.context.begin(nowMs)
    const index = by.pick(on.context)
    return index >= 0 && !by.acquire(index, nowMs) ? BREAKER_OPEN : index
  }
  const end = (index: number, ok: boolean, nowMs: number, by = on.pool) => {
    by.report(index, ok ? OUTCOME.SUCCESS : OUTCOME.RESET, ok ? 1 : -1, nowMs)
    by.release(index)
  }
  const run = (ok: boolean, nowMs: number, by = on.pool) => end(begin(nowMs, by), ok, nowMs, by)
  const open = () => {
    for (let i = 0; i < 4; i++) run(i % 2 === 0, 0, i < 2 ? on.pool : other)
  }
  return { ...on, other, begin, end, run, open, state: () => on.pool.breaker?.state }
}

test('opens when the share of failures is reached, counted over all workers', () => {
  const on = fixture()
  on.open()
  assert.equal(on.state(), 'open')
  assert.equal(on.begin(100), BREAKER_OPEN)
  assert.equal(on.begin(100, on.other), BREAKER_OPEN)
})

test('stays closed below the minimum of requests, below the share, and over separate windows', () => {
  const on = fixture()
  for (let i = 0; i < 3; i++) on.run(false, 0)
  assert.equal(on.state(), 'closed')
  for (let i = 0; i < 3; i++) on.run(false, 1000)
  assert.equal(on.state(), 'closed')
  for (let i = 0; i < 20; i++) on.run(i % 3 !== 2, 2000 + i)
  assert.equal(on.state(), 'closed')
})

test('tries with a few requests after its time, and closes when all go well', () => {
  const on = fixture()
  on.open()
  const probes = [on.begin(5000), on.begin(5000, on.other)]
  assert.equal(on.state(), 'half-open')
  assert.ok(probes.every((index) => index >= 0))
  assert.equal(on.begin(5001), BREAKER_OPEN)
  on.end(probes[0], true, 5010)
  assert.equal(on.state(), 'half-open')
  on.end(probes[1], true, 5020, on.other)
  assert.equal(on.state(), 'closed')
  on.run(true, 5030)
})

test('opens again when one of them fails', () => {
  const on = fixture()
  on.open()
  on.run(false, 5000)
  assert.equal(on.state(), 'open')
  assert.equal(on.begin(9999), BREAKER_OPEN)
  assert.ok(on.begin(10_000) >= 0)
})

test('another request goes in the place of one that was cancelled, and of those that never come back', () => {
  const on = fixture()
  on.open()
  const first = on.begin(5000)
  on.begin(5000)
  on.pool.report(first, OUTCOME.CANCELLED, -1, 5001)
  on.pool.release(first)
  assert.ok(on.begin(5002) >= 0)
  assert.equal(on.begin(5003), BREAKER_OPEN)
  assert.ok(on.begin(10_000) >= 0)
})

test('a refused request leaves no count behind', () => {
  const on = fixture()
  on.open()
  on.begin(5000)
  on.begin(5000)
  assert.equal(on.pool.acquire(0, 5001), false)
  assert.equal(
    on.pool.servers.reduce((sum, server) => sum + server.active, 0),
    2,
  )
})

test('a pool without a breaker has none', () => {
  assert.equal(bench(definition(weighted(1))).pool.breaker, null)
})
