import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  type CheckCommand,
  type CheckExecute,
  type CheckedPool,
  type CheckProcessEvents,
  Checks,
  type HealthChange,
  PoolTable,
  SeededRandom,
  SlotAllocator,
} from '../../../../src/pool/index.ts'
import { CheckServers, TCP_CHECK, Timeline } from '../../../support/check.ts'
import { definition, server } from '../../../support/pool.ts'

function fixture(maxConcurrent = 256) {
  const table = PoolTable.create({ servers: 32, pools: 8, workers: 1 })
  const slots = new SlotAllocator(table)
  const servers = new CheckServers()
  const time = new Timeline()
  const programs: { command: CheckCommand; events: CheckProcessEvents; isKilled: boolean }[] = []
  const execute: CheckExecute = (command, events) => {
    const program = { command, events, isKilled: false }
    programs.push(program)
    return { kill: () => (program.isKilled = true) }
  }
  const random = new SeededRandom(1)
  const checks = new Checks(table, { connect: servers.connect, execute, delay: time.delay, clock: time, random, maxConcurrent })
  /** Moves on to the next run of any check. */
  const next = () => {
    const count = servers.connections.length
    while (servers.connections.length === count) time.advance(1)
  }
  const changes: HealthChange[] = []
  checks.subscribe((change) => changes.push(change))
  let generation = 0
  const apply = (...pools: CheckedPool[]) => {
    const definitions = pools.map(({ name, servers, check }) =>
      definition(
        servers.map((s) => server(s.name, { address: s.address })),
        { name, checked: check !== undefined },
      ),
    )
    const assignment = slots.prepare(definitions, ++generation, 0)
    checks.apply(pools, assignment)
    slots.commit(definitions, assignment, 0)
    return assignment
  }
  const health = () => changes.map((change) => `${change.pool}/${change.server} ${change.health}: ${change.reason}`)
  return { table, servers, programs, time, next, checks, changes, apply, health }
}

function pool(name: string, ports: number[], check: CheckedPool['check'] = TCP_CHECK): CheckedPool {
  return { name, servers: ports.map((port) => server(`s${port}`, { address: { family: 4, host: '127.0.0.1', port } })), check }
}

test('the first result decides alone', () => {
  const { servers, apply, health, table } = fixture()
  const { pools } = apply(pool('app', [1, 2]))
  assert.equal(table.health(pools[0].slots[0]), 1)
  servers.connections[0].events.opened()
  servers.connections[1].events.failed('connection refused')
  assert.deepEqual(health(), ['app/s1 up: tcp check: connected', 'app/s2 down: tcp check: connection refused'])
  assert.deepEqual(
    pools[0].slots.map((slot) => table.health(slot)),
    [2, 0],
  )
  assert.equal(servers.open.length, 0)
})

test('it takes fall failures in a row to go down and rise successes in a row to come up', () => {
  const { servers, next, apply, health } = fixture()
  apply(pool('app', [1]))
  const results = [true, false, false, true, false, false, false, true, false, true, true]
  for (const ok of results) {
    if (ok) servers.last.events.opened()
    else servers.last.events.failed('connection refused')
    next()
  }
  assert.deepEqual(health(), [
    'app/s1 up: tcp check: connected',
    'app/s1 down: tcp check: connection refused',
    'app/s1 up: tcp check: connected',
  ])
  assert.equal(servers.connections.length, results.length + 1)
})

test('a server that never answers fails at the time-out, and its connection is dropped', () => {
  const { servers, time, apply, health } = fixture()
  apply(pool('app', [1]))
  time.advance(300)
  assert.deepEqual(health(), ['app/s1 down: tcp check: no connection within 300 ms'])
  assert.ok(servers.connections[0].isClosed)
})

test('the intervals spread by a tenth and count from the start of the last run', () => {
  const { servers, time, next, apply } = fixture()
  apply(pool('app', [1]))
  const starts: number[] = []
  for (let i = 0; i < 20; i++) {
    starts.push(time.now())
    time.advance(100)
    servers.last.events.opened()
    next()
  }
  const gaps = starts.slice(1).map((at, i) => at - starts[i])
  assert.ok(
    gaps.every((gap) => gap >= 899 && gap <= 1101),
    gaps.join(),
  )
  assert.ok(new Set(gaps).size > 10)
})

test('a check comes faster while a change is under way, and as often as it is told while the server is down', () => {
  const { servers, time, next, apply, health } = fixture()
  const pace = { intervalMs: 1000, fastIntervalMs: 100, downIntervalMs: 5000, jitterPercent: 0, rise: 2, fall: 3 }
  apply(pool('app', [1], { ...TCP_CHECK, ...pace }))
  const gaps = [true, true, false, false, false, false, true, true, true].map((ok) => {
    const at = time.now()
    if (ok) servers.last.events.opened()
    else servers.last.events.failed('connection refused')
    next()
    return time.now() - at
  })
  assert.deepEqual(gaps, [1000, 1000, 100, 100, 5000, 5000, 100, 1000, 1000])
  assert.equal(health().length, 3)
})

test('the same check of the same address runs once for all pools', () => {
  const { servers, apply, health, checks } = fixture()
  apply(pool('app', [1]), pool('api', [1, 2]))
  assert.equal(servers.connections.length, 2)
  servers.connections[0].events.opened()
  assert.deepEqual(health(), ['app/s1 up: tcp check: connected', 'api/s1 up: tcp check: connected'])
  assert.equal(checks.resultOf('api', 's1')?.reason, 'tcp check: connected')
  assert.equal(checks.resultOf('api', 's2')?.reason, 'not checked yet')
  assert.equal(checks.resultOf('api', 's3'), undefined)
})

test('settled() waits for the first result of every check', async () => {
  const { servers, time, apply, checks } = fixture()
  apply(pool('app', [1, 2]))
  let isSettled = false
  const settled = checks.settled().then(() => {
    isSettled = true
  })
  servers.connections[0].events.opened()
  await Promise.resolve()
  assert.equal(isSettled, false)
  time.advance(300)
  await settled
  await checks.settled()
})

test('checks that stay over a reload keep their state, others end', () => {
  const { servers, apply, health, time } = fixture()
  apply(pool('app', [1, 2]))
  for (const connection of servers.connections) connection.events.opened()
  time.advance(1100)
  assert.equal(servers.open.length, 2)
  apply(pool('app', [2, 3]))
  assert.deepEqual(
    servers.open.map((connection) => (connection.target.address as { port: number }).port),
    [2, 3],
  )
  servers.last.events.failed('connection refused')
  assert.deepEqual(health().slice(2), ['app/s3 down: tcp check: connection refused'])
})

test('a server whose check is taken away is up', () => {
  const { servers, apply, table } = fixture()
  const first = apply(pool('app', [1]))
  servers.last.events.failed('connection refused')
  assert.equal(table.health(first.pools[0].slots[0]), 0)
  apply({ ...pool('app', [1]), check: undefined })
  assert.equal(table.health(first.pools[0].slots[0]), 2)
})

test('a check that is added to a running server waits for fall failures', () => {
  const { servers, apply, table, next } = fixture()
  apply({ ...pool('app', [1]), check: undefined })
  const { pools } = apply(pool('app', [1]))
  for (let i = 0; i < 3; i++) {
    assert.equal(table.health(pools[0].slots[0]), 2)
    servers.last.events.failed('connection refused')
    next()
  }
  assert.equal(table.health(pools[0].slots[0]), 0)
})

test('no more than maxConcurrent checks run at once', () => {
  const { servers, apply } = fixture(2)
  apply(pool('app', [1, 2, 3, 4]))
  assert.equal(servers.connections.length, 2)
  servers.connections[0].events.opened()
  assert.equal(servers.connections.length, 3)
  apply(pool('app', [4]))
  assert.deepEqual(
    servers.open.map((connection) => (connection.target.address as { port: number }).port),
    [4],
  )
})

test('no more than 16 programs run at once, and connections do not wait for them', () => {
  const { servers, apply, programs, health } = fixture()
  const exec = { ...TCP_CHECK, kind: 'exec', command: ['/bin/check', '{address}:{port}'], environment: {}, exitStatus: [0] } as const
  const ports = Array.from({ length: 20 }, (_, i) => i + 1)
  apply(pool('scripts', ports, exec), pool('app', [99]))
  assert.equal(programs.length, 16)
  assert.equal(servers.connections.length, 1)
  assert.deepEqual(programs[0].command.arguments, ['127.0.0.1:1'])
  programs[0].events.exited(0, null, 'fine\nmore')
  programs[1].events.exited(3, null, '')
  programs[2].events.exited(null, 'SIGKILL', '')
  programs[3].events.failed('/bin/check cannot be run: ENOENT')
  assert.equal(programs.length, 20)
  assert.deepEqual(health(), [
    'scripts/s1 up: exec check: exit status 0: "fine"',
    'scripts/s2 down: exec check: exit status 3',
    'scripts/s3 down: exec check: ended by SIGKILL',
    'scripts/s4 down: exec check: /bin/check cannot be run: ENOENT',
  ])
})

test('a program that takes longer than the time-out is ended', () => {
  const { time, apply, programs, health } = fixture()
  const exec = { ...TCP_CHECK, kind: 'exec', command: ['/bin/check'], environment: {}, exitStatus: [0] } as const
  apply(pool('scripts', [1], exec))
  time.advance(300)
  assert.deepEqual(health(), ['scripts/s1 down: exec check: not ended within 300 ms'])
  assert.ok(programs[0].isKilled)
})

test('an own address or port is checked instead of the server', () => {
  const { servers, apply } = fixture()
  apply(pool('a', [1], { ...TCP_CHECK, port: 99 }), pool('b', [1], { ...TCP_CHECK, address: { family: 6, host: '::1', port: 5 } }))
  assert.deepEqual(
    servers.connections.map((connection) => connection.target.address),
    [
      { family: 4, host: '127.0.0.1', port: 99 },
      { family: 6, host: '::1', port: 5 },
    ],
  )
})

test('a server may have a place of its own for the check, where no header introduces the connection', () => {
  const { servers, apply } = fixture()
  const app = pool('app', [1, 2], { ...TCP_CHECK, port: 99, proxyProtocol: 2 })
  const own = { ...app.servers[0], check: { address: undefined, port: 98 } }
  apply({ ...app, servers: [own, app.servers[1]] })
  assert.deepEqual(
    servers.connections.map(({ target }) => [target.address.family === 4 && target.address.port, target.proxyProtocol]),
    [
      [98, undefined],
      [99, 2],
    ],
  )
})

test('close() ends everything', async () => {
  const { servers, apply, checks, time } = fixture()
  apply(pool('app', [1, 2]))
  servers.connections[0].events.opened()
  const settled = checks.settled()
  checks.close()
  await settled
  assert.equal(servers.open.length, 0)
  assert.equal(time.waiting, 0)
})
