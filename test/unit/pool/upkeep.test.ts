import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  OUTCOME,
  PickContext,
  Pool,
  type PoolDefinition,
  type PoolEvent,
  PoolTable,
  SeededRandom,
  SlotAllocator,
  Upkeep,
} from '../../../src/pool/index.ts'
import { CheckServers, TCP_CHECK, Timeline } from '../../support/check.ts'
import { count, definition, server } from '../../support/pool.ts'

const CHECK = { ...TCP_CHECK, rise: 1, fall: 1 } as const

function fixture(changes: Partial<PoolDefinition>, check: typeof CHECK | null = CHECK) {
  const table = PoolTable.create({ servers: 8, pools: 2, workers: 1 })
  const slots = new SlotAllocator(table)
  const servers = new CheckServers()
  const time = new Timeline()
  const upkeep = new Upkeep(table, { connect: servers.connect, delay: time.delay, clock: time, random: new SeededRandom(1) })
  const events: PoolEvent[] = []
  upkeep.subscribe((event) => events.push(event))
  let generation = 0
  const apply = (...ports: number[]) => {
    const pool = definition(
      ports.map((port) => server(`s${port}`, { address: { family: 4, host: '127.0.0.1', port } })),
      { algorithm: { name: 'round-robin' }, checked: check !== null, ...changes },
    )
    const assignment = slots.prepare([pool], ++generation, time.wallClock())
    slots.commit([pool], assignment, time.wallClock())
    upkeep.apply([{ definition: pool, check: check ?? undefined }], assignment)
    table.holdPlan(0, generation)
    const made = new Pool(pool, assignment.pools[0], table, 0)
    const context = new PickContext(new SeededRandom(1))
    const names = (picks: number) =>
      count(
        Array.from({ length: picks }, () => {
          context.begin(time.wallClock())
          return made.servers[made.pick(context)].name
        }),
      )
    return { pool: made, names }
  }
  return { table, servers, time, upkeep, events, apply }
}

/** Lets some time pass in which every check of a server that is not down ends well. */
function run({ servers, time }: { servers: CheckServers; time: Timeline }, ms: number, down: readonly number[] = []): void {
  for (let passed = 0; passed <= ms; passed += 10) {
    for (const connection of servers.open) {
      const { port } = connection.target.address as { port: number }
      if (down.includes(port)) connection.events.failed('connection refused')
      else connection.events.opened()
    }
    time.advance(10)
  }
}

test('a server that comes back gets a growing share of its weight, whatever the algorithm', () => {
  for (const name of ['round-robin', 'least-connections', 'weighted-random']) {
    const on = fixture({ slowStartMs: 10_000, algorithm: { name } })
    const { pool, names } = on.apply(1, 2)
    run(on, 100)
    assert.equal(pool.servers[0].health, 'up', 'servers of a first plan begin at full weight')
    run(on, 1200, [1])
    assert.equal(pool.servers[0].health, 'down')
    while (pool.servers[0].health === 'down') run(on, 10)
    assert.equal(pool.servers[0].health, 'starting')
    assert.ok((names(210).s1 ?? 0) <= 25, name)
    const shares: number[] = []
    for (let step = 0; step < 4; step++) {
      run(on, 2600)
      shares.push((names(300).s1 ?? 0) / 300)
    }
    assert.deepEqual([...shares].sort(), shares, shares.join())
    assert.ok(shares[0] > 0.1 && shares[0] < 0.35 && Math.abs(shares[3] - 0.5) < 0.08, `${name} ${shares.join()}`)
    assert.equal(pool.servers[0].health, 'up')
  }
})

test('a server that joins a running pool starts slowly, with a check and without', () => {
  for (const check of [CHECK, null]) {
    const on = fixture({ slowStartMs: 10_000 }, check)
    on.apply(1)
    run(on, 100)
    const { pool } = on.apply(1, 2)
    run(on, 100)
    assert.deepEqual(
      pool.servers.map((each) => each.health),
      ['up', 'starting'],
    )
  }
})

test('a server that goes down during its slow start starts anew', () => {
  const on = fixture({ slowStartMs: 10_000 })
  const { pool, names } = on.apply(1, 2)
  run(on, 100)
  run(on, 1200, [1])
  run(on, 9000)
  assert.ok((names(100).s1 ?? 0) > 30)
  run(on, 1200, [1])
  while (pool.servers[0].health === 'down') run(on, 10)
  assert.equal(pool.servers[0].health, 'starting')
  assert.ok((names(100).s1 ?? 0) < 20)
})

test('events tell of health and ejections, and nothing ticks when there is nothing to do', () => {
  const outliers = {
    consecutiveFailures: 2,
    consecutiveGatewayErrors: 0,
    intervalMs: 10_000,
    minRequests: 10,
    successRateDeviations: 0,
    slowFactor: 0,
    slowMinMs: 0,
    ejectionMs: 3000,
    maxEjectionMs: 3000,
    maxEjectedPercent: 50,
  }
  const { time, apply, events, upkeep } = fixture({ outliers }, null)
  const { pool } = apply(1, 2)
  for (let i = 0; i < 2; i++) pool.report(0, OUTCOME.RESET, -1, time.wallClock())
  for (let i = 0; i < 5; i++) time.advance(1000)
  assert.deepEqual(
    events.map((event) => (event.kind === 'ejection' ? `${event.server} ${event.ejected}` : event.kind)),
    ['s1 true', 's1 false'],
  )
  upkeep.close()
  assert.equal(time.waiting, 0)
  const idle = fixture({}, null)
  idle.apply(1)
  assert.equal(idle.time.waiting, 0)
})

test('plans that follow each other faster than ticks and intervals put neither off', () => {
  const outliers = {
    consecutiveFailures: 0,
    consecutiveGatewayErrors: 0,
    intervalMs: 3000,
    minRequests: 10,
    successRateDeviations: 1,
    slowFactor: 0,
    slowMinMs: 0,
    ejectionMs: 2000,
    maxEjectionMs: 2000,
    maxEjectedPercent: 50,
  }
  const { time, apply, events } = fixture({ outliers }, null)
  for (let round = 0; round < 70; round++) {
    const { pool } = apply(1, 2, 3)
    for (const index of [0, 1, 2])
      pool.report(index, index === 0 && round < 30 ? OUTCOME.SERVER_ERROR : OUTCOME.SUCCESS, 1, time.wallClock())
    time.advance(100)
  }
  assert.deepEqual(
    events.map((event) => (event.kind === 'ejection' ? `${event.server} ${event.ejected}` : event.kind)),
    ['s1 true', 's1 false'],
  )
})

test('sessions are shown, cleared, and taken out when they expire', () => {
  const on = fixture({ persistence: { kind: 'table', key: { key: 'source' }, ttlSeconds: 60, size: 100 } }, null)
  const { pool } = on.apply(1, 2)
  const context = new PickContext(new SeededRandom(1))
  const visit = (client: number) => {
    context.keySource = { keyHash: (key) => (client * 7 + key.seed) >>> 0 }
    context.begin(on.time.wallClock())
    const index = pool.pick(context)
    pool.remember(index, context)
  }
  for (let client = 0; client < 6; client++) visit(client)
  const shown = on.upkeep.sessionsOf('app', 10) ?? []
  assert.deepEqual(count(shown.map((session) => session.server)), { s1: 3, s2: 3 })
  assert.ok(shown.every((session) => session.expiresAtMs > on.time.wallClock()))
  assert.equal(on.upkeep.sessionsOf('app', 2)?.length, 2)
  assert.equal(on.upkeep.clearSessions('app', 's1'), 3)
  assert.equal(on.upkeep.clearSessions('app', 'nobody'), 0)
  assert.equal(on.upkeep.clearSessions('other'), undefined)
  on.time.advance(62_000)
  assert.deepEqual(on.upkeep.sessionsOf('app', 10), [])
  assert.equal(on.upkeep.clearSessions('app'), 0)
  on.upkeep.close()
})

test('settled() waits for the first results, but not for ever', async () => {
  const { time, apply, upkeep, servers } = fixture({}, { ...CHECK, timeoutMs: 60_000 } as never)
  apply(1, 2)
  let isSettled = false
  const settled = upkeep.settled().then(() => {
    isSettled = true
  })
  servers.connections[0].events.opened()
  time.advance(14_000)
  await new Promise(setImmediate)
  assert.equal(isSettled, false)
  time.advance(1000)
  await settled
})
