import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ADMIN, HEALTH, OUTCOME, type PoolDefinition } from '../../../src/pool/index.ts'
import { type PoolChange, PoolStates } from '../../../src/pool/pool-states.ts'
import { bench, definition, weighted } from '../../support/pool.ts'

const BREAKER = { failurePercent: 50, minRequests: 2, windowMs: 1000, openMs: 100, probes: 1 }

function fixture(changes: Partial<PoolDefinition>) {
  const pool = definition(weighted(1, 1), changes)
  const on = bench(pool)
  const told: PoolChange[] = []
  const states = new PoolStates(on.table, (change) => told.push(change))
  states.apply([pool], on.assignment)
  return { ...on, definition: pool, states, told: () => told.splice(0) }
}

test('a breaker is told when it has changed, once', () => {
  const on = fixture({ breaker: BREAKER })
  on.states.tick()
  for (let i = 0; i < 2; i++) on.pool.report(0, OUTCOME.SERVER_ERROR, 1, 0)
  on.states.tick()
  on.states.tick()
  assert.deepEqual(on.told(), [{ kind: 'breaker', pool: on.pool.name, state: 'open' }])
  on.states.apply([on.definition], on.assignment)
  on.states.tick()
  assert.deepEqual(on.told(), [], 'another plan is no change')
})

test('panic is told when it begins and when it ends', () => {
  const on = fixture({ panicPercent: 60 })
  on.table.setHealth(on.slot(0), HEALTH.DOWN, 0)
  on.names(1)
  on.states.tick()
  on.table.setHealth(on.slot(0), HEALTH.UP, 0)
  on.names(1)
  on.states.tick()
  assert.deepEqual(on.told(), [
    { kind: 'panic', pool: on.pool.name, panics: true },
    { kind: 'panic', pool: on.pool.name, panics: false },
  ])
})

test('the last server that goes, and the first that is back, are told, whatever took them out', () => {
  const on = fixture({})
  const all = { kind: 'availability', pool: on.pool.name, all: 2 } as const
  on.table.setHealth(on.slot(0), HEALTH.DOWN, 0)
  on.states.look()
  assert.deepEqual(on.told(), [])
  for (const [out, back] of [
    [() => on.table.setAdmin(on.slot(1), ADMIN.DRAIN, 0), () => on.table.setAdmin(on.slot(1), ADMIN.READY, 0)],
    [() => on.table.setWeight(on.slot(1), 0), () => on.table.setWeight(on.slot(1), 1)],
    [() => on.table.setHealth(on.slot(1), HEALTH.DOWN, 0), () => on.table.setHealth(on.slot(1), HEALTH.STARTING, 0)],
  ]) {
    out()
    on.states.look()
    back()
    on.states.look()
    assert.deepEqual(on.told(), [
      { ...all, servers: 0 },
      { ...all, servers: 1 },
    ])
  }
})

test('it is idle where nothing but the control thread can change a pool', () => {
  assert.equal(fixture({}).states.isIdle, true)
  assert.equal(fixture({ breaker: BREAKER }).states.isIdle, false)
  assert.equal(fixture({ panicPercent: 10 }).states.isIdle, false)
})
