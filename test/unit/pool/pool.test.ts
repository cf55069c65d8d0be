import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ADMIN, ALL_FULL, forgetWorker, HEALTH, NONE_AVAILABLE, OUTCOME, Pool, serverTotals } from '../../../src/pool/index.ts'
import { bench, count, definition, server, weighted } from '../../support/pool.ts'

test('round robin takes servers in order', () => {
  assert.deepEqual(bench(definition(weighted(1, 1, 1))).names(7), ['a', 'b', 'c', 'a', 'b', 'c', 'a'])
})

test('two workers share one turn', () => {
  const one = bench(definition(weighted(1, 1, 1)))
  const two = new Pool(definition(weighted(1, 1, 1)), one.assignment.pools[0], one.table, 1)
  const picked = []
  for (let i = 0; i < 6; i++) {
    one.context.begin(0)
    picked.push((i % 2 === 0 ? one.pool : two).pick(one.context))
  }
  assert.deepEqual(picked, [0, 1, 2, 0, 1, 2])
})

test('down, drained and weightless servers are not picked, from the next pick on', () => {
  const { table, slot, names } = bench(definition(weighted(1, 1, 1, 1)))
  names(1)
  table.setHealth(slot(0), HEALTH.DOWN, 5)
  table.setAdmin(slot(1), ADMIN.DRAIN, 5)
  table.setWeight(slot(2), 0)
  assert.deepEqual(count(names(5)), { d: 5 })
  table.setAdmin(slot(3), ADMIN.MAINTENANCE, 5)
  assert.deepEqual(names(2), [String(NONE_AVAILABLE), String(NONE_AVAILABLE)])
  table.setHealth(slot(0), HEALTH.UP, 6)
  assert.deepEqual(names(2), ['a', 'a'])
})

test('a retry goes to a server that was not tried, and to a tried one only when there is no other', () => {
  const { pool, context } = bench(definition(weighted(1, 1, 1)))
  context.begin(0)
  const picked = [pool.pick(context)]
  for (let i = 0; i < 3; i++) {
    context.exclude(picked[i])
    picked.push(pool.pick(context))
  }
  assert.deepEqual([...picked.slice(0, 3)].sort(), [0, 1, 2])
  assert.ok(picked[3] >= 0)
})

test('limits of a server are never exceeded and full servers are passed over', () => {
  const { pool, context } = bench(definition([server('a', { maxRequests: 1 }), server('b', { maxRequests: 2 })]))
  const taken = []
  for (let i = 0; i < 3; i++) {
    context.begin(0)
    const index = pool.pick(context)
    assert.ok(pool.acquire(index))
    taken.push(index)
  }
  assert.deepEqual([...taken].sort(), [0, 1, 1])
  assert.equal(pool.pick(context), ALL_FULL)
  assert.equal(pool.acquire(0), false)
  pool.release(0)
  assert.equal(pool.pick(context), 0)
})

test('the limit of the pool holds over all its servers', () => {
  const { pool, context } = bench(definition(weighted(1, 1), { maxRequests: 2 }))
  context.begin(0)
  assert.ok(pool.acquire(0) && pool.acquire(1))
  assert.equal(pool.acquire(1), false)
  assert.equal(pool.pick(context), ALL_FULL)
  assert.deepEqual(
    pool.servers.map((server) => server.active),
    [1, 1],
  )
  pool.release(0)
  assert.ok(pool.pick(context) >= 0)
})

test('the next priority is used when no server of the first is available', () => {
  const servers = [server('a'), server('b', { priority: 1 }), server('c', { priority: 2 }), server('d', { priority: 1 })]
  const { table, slot, names } = bench(definition(servers))
  assert.deepEqual(count(names(4)), { a: 4 })
  table.setHealth(slot(0), HEALTH.DOWN, 1)
  assert.deepEqual(count(names(4)), { b: 2, d: 2 })
  table.setHealth(slot(1), HEALTH.DOWN, 1)
  table.setHealth(slot(3), HEALTH.DOWN, 1)
  assert.deepEqual(count(names(4)), { c: 4 })
})

test('the next priority joins while fewer than minAvailable servers are left, and takes what the first cannot', () => {
  const servers = [server('a'), server('b'), server('c', { priority: 1 })]
  const { table, slot, names } = bench(definition(servers, { minAvailable: 2 }))
  assert.deepEqual(count(names(4)), { a: 2, b: 2 })
  table.setHealth(slot(0), HEALTH.DOWN, 1)
  assert.deepEqual(count(names(4)), { b: 2, c: 2 })
  const full = bench(definition([server('a', { maxRequests: 1 }), server('b', { priority: 1 })]))
  assert.ok(full.pool.acquire(0))
  assert.deepEqual(full.names(2), ['b', 'b'])
})

test('servers that no check has answered for are used only where there is no other', () => {
  const { table, slot, names } = bench(definition(weighted(1, 1, 1), { checked: true }))
  assert.deepEqual(count(names(3)), { a: 1, b: 1, c: 1 })
  table.setHealth(slot(1), HEALTH.UP, 1)
  assert.deepEqual(names(2), ['b', 'b'])
  table.setHealth(slot(1), HEALTH.DOWN, 1)
  assert.deepEqual(count(names(2)), { a: 1, c: 1 })
})

test('reports add up over workers', () => {
  const one = bench(definition(weighted(1)))
  const two = new Pool(definition(weighted(1)), one.assignment.pools[0], one.table, 1)
  one.pool.report(0, OUTCOME.SUCCESS, 8, 1)
  two.report(0, OUTCOME.RESPONSE_TIMEOUT, -1, 2)
  two.report(0, OUTCOME.CANCELLED, -1, 2)
  one.pool.addBytes(0, 10, 20)
  two.addBytes(0, 1, 2)
  one.pool.connectionOpened(0)
  assert.deepEqual(serverTotals(one.table, one.slot(0)), {
    requests: 3,
    failures: 1,
    bytesSent: 11,
    bytesReceived: 22,
    connects: 1,
    connectFailures: 0,
    timeouts: 1,
    latencySumMs: 8,
    responses: 1,
  })
  assert.equal(one.pool.servers[0].latencyMs, 8)
  assert.equal(two.servers[0].connections, 1)
})

test('a worker that died takes its active requests with it', () => {
  const one = bench(definition(weighted(1, 1)))
  const two = new Pool(definition(weighted(1, 1)), one.assignment.pools[0], one.table, 1)
  assert.ok(one.pool.acquire(0) && two.acquire(0) && two.acquire(1))
  two.connectionOpened(1)
  forgetWorker(one.table, 1)
  assert.deepEqual(
    one.pool.servers.map((server) => [server.active, server.connections]),
    [
      [1, 0],
      [0, 0],
    ],
  )
})

test('a server tells its state by name', () => {
  const { table, slot, pool } = bench(definition(weighted(3)))
  assert.deepEqual([pool.servers[0].health, pool.servers[0].admin, pool.servers[0].weight], ['up', 'ready', 3])
  table.setAdmin(slot(0), ADMIN.DRAIN, 1_700_000_000_123)
  assert.equal(pool.servers[0].admin, 'drain')
  assert.equal(table.changedAt(slot(0)), 1_700_000_000_123)
})
