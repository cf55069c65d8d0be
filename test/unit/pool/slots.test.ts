import assert from 'node:assert/strict'
import { test } from 'node:test'
import { HEALTH, PoolTable, SlotAllocator } from '../../../src/pool/index.ts'
import { SERVER } from '../../../src/pool/layout.ts'
import { definition, server, weighted } from '../../support/pool.ts'

function fixture(limits = { servers: 4, pools: 2, workers: 2 }) {
  const table = PoolTable.create(limits)
  const slots = new SlotAllocator(table)
  let generation = 0
  const apply = (...pools: ReturnType<typeof definition>[]) => {
    const assignment = slots.prepare(pools, ++generation, 1)
    slots.commit(pools, assignment, 1)
    table.holdPlan(0, generation)
    return assignment.pools.map((pool) => pool.slots)
  }
  return { table, slots, apply }
}

test('a server that stays keeps its slot, its health and its weight set at run time', () => {
  const { table, apply } = fixture()
  const [[a, b]] = apply(definition([server('a'), server('b', { weight: 2 })]))
  table.setHealth(a, HEALTH.DOWN, 2)
  table.setWeight(b, 9)
  const [[c, b2, a2]] = apply(definition([server('c'), server('b', { weight: 2 }), server('a')]))
  assert.deepEqual([a2, b2], [a, b])
  assert.equal(table.health(a), HEALTH.DOWN)
  assert.equal(table.weight(b), 9)
  assert.ok(c !== a && c !== b)
})

test('a weight that the configuration changes wins over the one set at run time', () => {
  const { table, apply } = fixture()
  const [[a]] = apply(definition([server('a', { weight: 2 })]))
  table.setWeight(a, 9)
  apply(definition([server('a', { weight: 5 })]))
  assert.equal(table.weight(a), 5)
})

test('a server with another address is another server', () => {
  const { apply } = fixture()
  const [[a]] = apply(definition([server('a')]))
  const [[a2]] = apply(definition([server('a', { address: { family: 4, host: '127.0.0.1', port: 9 } })]))
  assert.notEqual(a, a2)
})

test('a slot is not given away while a worker holds a plan that knows it', () => {
  const { table, slots, apply } = fixture({ servers: 2, pools: 1, workers: 2 })
  apply(definition(weighted(1, 1)))
  table.holdPlan(1, 1)
  apply(definition([server('a')]))
  assert.throws(() => apply(definition([server('a'), server('x')])), { code: 'POOL_TABLE_FULL', message: /room for 2 servers/ })
  table.holdPlan(1, 2)
  slots.reclaim()
  assert.equal(slots.usedServers, 1)
  apply(definition([server('a'), server('x')]))
})

test('a slot with active requests is not given away', () => {
  const { table, slots, apply } = fixture()
  const [[a]] = apply(definition([server('a')]))
  const row = table.serverRow(a)
  Atomics.add(table.words, row + SERVER.CONNECTIONS, 1)
  apply(definition([server('b')]))
  slots.reclaim()
  assert.equal(slots.usedServers, 2)
  Atomics.sub(table.words, row + SERVER.CONNECTIONS, 1)
  slots.reclaim()
  assert.equal(slots.usedServers, 1)
})

test('a plan that was rolled back changes nothing, and its slots come back with the next plan', () => {
  const { table, slots, apply } = fixture({ servers: 2, pools: 1, workers: 1 })
  const [[a]] = apply(definition([server('a', { weight: 3 })]))
  slots.prepare([definition([server('a', { weight: 7 }), server('b')])], 2, 1)
  assert.equal(table.weight(a), 3)
  slots.rollback()
  assert.equal(table.weight(a), 3)
  table.holdPlan(0, 3)
  slots.reclaim()
  assert.equal(slots.usedServers, 1)
})

test('a server that comes back before its slot was given away is checked anew', () => {
  const { table, apply } = fixture({ servers: 4, pools: 2, workers: 1 })
  const [[a]] = apply(definition(weighted(1, 1), { checked: true }))
  table.setHealth(a, HEALTH.DOWN, 1)
  table.holdPlan(0, 1)
  apply(definition([server('b')], { checked: true }))
  table.holdPlan(0, 1)
  const [[a2]] = apply(definition(weighted(1, 1), { checked: true }))
  assert.equal(a2, a)
  assert.equal(table.health(a), HEALTH.STARTING)
})

test('a table of another kind is refused', () => {
  assert.throws(() => PoolTable.attach(new SharedArrayBuffer(1024)), { code: 'POOL_TABLE_INVALID' })
  const { table } = fixture()
  assert.deepEqual(PoolTable.attach(table.buffer).limits, table.limits)
})
