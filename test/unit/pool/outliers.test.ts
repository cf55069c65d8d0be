import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ALL_FULL, type EjectionChange, OUTCOME, type OutlierDefinition, Pool, type PoolDefinition } from '../../../src/pool/index.ts'
import { Outliers } from '../../../src/pool/outliers.ts'
import { type Bench, bench, count, definition, weighted } from '../../support/pool.ts'

const OUTLIERS: OutlierDefinition = {
  consecutiveFailures: 3,
  consecutiveGatewayErrors: 2,
  intervalMs: 10_000,
  minRequests: 20,
  successRateDeviations: 1.5,
  slowFactor: 3,
  slowMinMs: 50,
  ejectionMs: 30_000,
  maxEjectionMs: 70_000,
  maxEjectedPercent: 50,
}

function fixture(servers: number, outliers: Partial<OutlierDefinition> = {}, changes: Partial<PoolDefinition> = {}) {
  const pool = definition(weighted(...Array(servers).fill(1)), { outliers: { ...OUTLIERS, ...outliers }, ...changes })
  const on = bench(pool)
  const told: EjectionChange[] = []
  const watch = new Outliers(on.table, (change) => told.push(change))
  watch.apply([pool], on.assignment, 0)
  const words = () => told.splice(0).map(({ server, ejected, reason }) => `${server} ${ejected ? 'out' : 'back'}: ${reason}`)
  return { ...on, definition: pool, watch, words }
}

function fail(on: Bench, index: number, times: number, outcome: 3 | 2 | 4 | 8 = OUTCOME.CONNECT_FAILURE, nowMs = 0): void {
  for (let i = 0; i < times; i++) on.pool.report(index, outcome, -1, nowMs)
}

test('failures in a row take a server out at once, over all workers', () => {
  const on = fixture(4)
  const other = new Pool(on.definition, on.assignment.pools[0], on.table, 1)
  fail(on, 0, 1, OUTCOME.SERVER_ERROR)
  other.report(0, OUTCOME.BAD_RESPONSE, -1, 0)
  assert.deepEqual(count(on.names(4)), { a: 1, b: 1, c: 1, d: 1 })
  fail(on, 0, 1, OUTCOME.SERVER_ERROR)
  assert.deepEqual(count(on.names(3)), { b: 1, c: 1, d: 1 })
})

test('a success begins the count anew; what the client cancelled says nothing', () => {
  const on = fixture(4)
  fail(on, 0, 2, OUTCOME.SERVER_ERROR)
  on.pool.report(0, OUTCOME.CANCELLED, -1, 0)
  on.pool.report(0, OUTCOME.SUCCESS, 5, 0)
  fail(on, 0, 2, OUTCOME.SERVER_ERROR)
  assert.equal(on.table.isEjected(on.slot(0)), false)
})

test('gateway errors have a threshold of their own, and other failures begin their count anew', () => {
  const on = fixture(4)
  fail(on, 0, 1, OUTCOME.GATEWAY_ERROR)
  fail(on, 0, 1, OUTCOME.SERVER_ERROR)
  assert.equal(on.table.isEjected(on.slot(0)), false)
  fail(on, 1, 2, OUTCOME.GATEWAY_ERROR)
  assert.equal(on.table.isEjected(on.slot(1)), true)
})

test('an ejection ends after its time, and each one after another lasts longer, up to the limit', () => {
  const on = fixture(4)
  let nowMs = 1000
  for (const lastsMs of [30_000, 60_000, 70_000, 70_000]) {
    fail(on, 0, 3, OUTCOME.CONNECT_FAILURE, nowMs)
    on.watch.tick(nowMs)
    const out = on.words()[0]
    assert.match(out, new RegExp(`^a out: (3 failures|2 gateway errors) in a row, out for ${lastsMs / 1000} s$`))
    on.watch.tick(nowMs + lastsMs - 1)
    assert.equal(on.table.isEjected(on.slot(0)), true)
    nowMs += lastsMs
    on.watch.tick(nowMs)
    assert.deepEqual(on.words(), [`a back: back after ${lastsMs / 1000} s`])
    // The interval that has passed meanwhile took nothing off: the server was out.
    nowMs += 1
  }
})

test('quiet intervals are forgiven', () => {
  const on = fixture(4)
  fail(on, 0, 3, OUTCOME.CONNECT_FAILURE, 0)
  for (let nowMs = 0; nowMs <= 60_000; nowMs += 1000) on.watch.tick(nowMs)
  on.words()
  fail(on, 0, 3, OUTCOME.CONNECT_FAILURE, 60_000)
  on.watch.tick(60_000)
  assert.match(on.words()[0], /out for 30 s/)
})

test('no more than the allowed share is out at a time', () => {
  const on = fixture(3)
  for (const index of [0, 1, 2]) fail(on, index, 3)
  assert.equal(new Set(on.names(6)).size, 2)
  const single = fixture(1)
  fail(single, 0, 10)
  assert.deepEqual(single.names(1), ['a'])
})

test('a success rate far below the others takes a server out', () => {
  const on = fixture(5)
  for (const index of [0, 1, 2, 3, 4]) {
    for (let i = 0; i < 100; i++) on.pool.report(index, index === 2 && i % 2 === 0 ? OUTCOME.SERVER_ERROR : OUTCOME.SUCCESS, 5, 0)
  }
  on.watch.tick(10_000)
  assert.deepEqual(on.words(), ['c out: a success rate far below the other servers, out for 30 s'])
})

test('response times far above the others take a server out', () => {
  const on = fixture(4)
  const report = (ms: number[]) => {
    for (const [index, latencyMs] of ms.entries()) for (let i = 0; i < 20; i++) on.pool.report(index, OUTCOME.SUCCESS, latencyMs, 0)
  }
  report([1, 1, 1, 40])
  on.watch.tick(10_000)
  assert.deepEqual(on.words(), [], 'below slowMinMs nobody is slow')
  report([20, 25, 20, 90])
  on.watch.tick(20_000)
  assert.deepEqual(on.words(), ['d out: response times more than 3 times the median, out for 30 s'])
})

test('servers with few requests are not judged by rate or time', () => {
  const on = fixture(4)
  for (let i = 0; i < 10; i++) on.pool.report(0, i % 2 === 0 ? OUTCOME.SERVER_ERROR : OUTCOME.SUCCESS, 500, 0)
  for (const index of [1, 2, 3]) for (let i = 0; i < 30; i++) on.pool.report(index, OUTCOME.SUCCESS, 5, 0)
  on.watch.tick(10_000)
  assert.deepEqual(on.words(), [])
})

test('servers come back when outliers are taken out of the configuration', () => {
  const on = fixture(4)
  fail(on, 0, 3)
  on.watch.apply([{ ...on.definition, outliers: undefined }], on.assignment, 0)
  assert.equal(on.table.isEjected(on.slot(0)), false)
  assert.ok(on.watch.isIdle)
})

test('in panic all ready servers are used, whatever checks and outliers say', () => {
  const on = bench(definition(weighted(1, 1, 1, 1), { panicPercent: 50 }))
  const pool = on.assignment.pools[0].row
  for (const index of [0, 1]) on.table.setHealth(on.slot(index), 0, 1)
  assert.deepEqual(count(on.names(4)), { c: 2, d: 2 })
  assert.equal(on.table.isPanicking(pool), false)
  on.table.setHealth(on.slot(2), 0, 1)
  assert.deepEqual(count(on.names(4)), { a: 1, b: 1, c: 1, d: 1 })
  assert.equal(on.table.isPanicking(pool), true)
  on.table.setAdmin(on.slot(3), 1, 1)
  assert.deepEqual(count(on.names(3)), { a: 1, b: 1, c: 1 })
  for (const index of [0, 1, 2]) on.table.setHealth(on.slot(index), 2, 1)
  on.names(1)
  assert.equal(on.table.isPanicking(pool), false)
  assert.notEqual(on.pool.pick(on.context), ALL_FULL)
})
