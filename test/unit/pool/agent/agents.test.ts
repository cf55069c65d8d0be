import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { AgentPlan, CheckPlan } from '../../../../src/pool/config.ts'
import {
  ADMIN,
  HEALTH,
  PickContext,
  Pool,
  type PoolEvent,
  PoolTable,
  SeededRandom,
  SlotAllocator,
  Upkeep,
} from '../../../../src/pool/index.ts'
import { CheckServers, TCP_CHECK, Timeline } from '../../../support/check.ts'
import { count, definition, server } from '../../../support/pool.ts'

const AGENT: AgentPlan = {
  kind: 'text',
  send: '',
  path: '/',
  host: undefined,
  intervalMs: 1000,
  jitterPercent: 0,
  timeoutMs: 300,
  fall: 2,
  onLost: 'keep',
  address: undefined,
  port: 9999,
}

interface PoolUnderTest {
  readonly name: string
  readonly hosts: readonly string[]
  readonly agent?: AgentPlan | undefined
  readonly check?: CheckPlan
  readonly algorithm?: string
  readonly maxRequests?: number
}

function fixture() {
  const table = PoolTable.create({ servers: 16, pools: 4, workers: 1 })
  const slots = new SlotAllocator(table)
  const agents = new CheckServers()
  const time = new Timeline()
  const upkeep = new Upkeep(table, { connect: agents.connect, delay: time.delay, clock: time, random: new SeededRandom(1) })
  const events: PoolEvent[] = []
  upkeep.subscribe((event) => events.push(event))
  let generation = 0
  const apply = (...pools: PoolUnderTest[]) => {
    const definitions = pools.map(({ name, hosts, check, algorithm = 'round-robin', maxRequests = 0 }) => {
      const servers = hosts.map((host, i) => server(`s${i}`, { address: { family: 4, host, port: 80 }, weight: 10, maxRequests }))
      return definition(servers, { name, algorithm: { name: algorithm }, checked: check !== undefined })
    })
    const assignment = slots.prepare(definitions, ++generation, time.wallClock())
    upkeep.apply(
      pools.map(({ agent, check }, index) => ({ definition: definitions[index], check, agent })),
      assignment,
    )
    slots.commit(definitions, assignment, time.wallClock())
    table.holdPlan(0, generation)
    const picks = (index: number, times: number) => {
      const pool = new Pool(definitions[index], assignment.pools[index], table, 0)
      const context = new PickContext(new SeededRandom(1))
      return count(Array.from({ length: times }, () => definitions[index].servers[pool.pick(context) as number]?.name ?? 'none'))
    }
    return { slot: (index: number, place: number) => assignment.pools[index].slots[place], picks }
  }
  /** Every agent that is being asked now answers. */
  const answer = (...lines: string[]) => {
    for (const [index, connection] of agents.open.entries()) {
      connection.events.opened()
      connection.answer(`${lines[index] ?? lines[0]}\n`)
    }
  }
  const told = () =>
    events
      .splice(0)
      .map((event) =>
        'what' in event
          ? `${event.kind} ${event.what} ${event.server}: ${event.reason}`
          : 'health' in event
            ? `${event.kind} ${event.health} ${event.server}: ${event.reason}`
            : `${event.kind}`,
      )
  return { table, agents, time, upkeep, apply, answer, told }
}

test('the weight that agents ask for shifts the shares, for every algorithm', () => {
  const { apply, answer, time } = fixture()
  const pool = apply({ name: 'app', hosts: ['10.0.0.1', '10.0.0.2'], agent: AGENT })
  assert.deepEqual(pool.picks(0, 100), { s0: 50, s1: 50 })
  answer('75%', '25%')
  assert.deepEqual(pool.picks(0, 100), { s0: 75, s1: 25 })
  time.advance(1000)
  answer('0%', '100%')
  assert.deepEqual(pool.picks(0, 100), { s1: 100 })
})

test('the algorithm resource goes by what is left, others do not', () => {
  const { apply, agents } = fixture()
  const json = { ...AGENT, kind: 'json' } as const
  const hosts = ['10.0.0.1', '10.0.0.2']
  const pools = apply({ name: 'app', hosts, agent: json, algorithm: 'resource' }, { name: 'plain', hosts, agent: json })
  assert.equal(agents.connections.length, 2)
  for (const [index, cpu] of [80, 40].entries()) {
    const connection = agents.connections[index]
    connection.events.opened()
    assert.match(connection.request, /^GET \/ HTTP\/1\.1\r\nHost: 10\.0\.0\.\d:9999\r\n/)
    const body = JSON.stringify({ cpu })
    connection.answer(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n${body}`)
  }
  assert.deepEqual(pools.picks(0, 80), { s0: 20, s1: 60 })
  assert.deepEqual(pools.picks(1, 80), { s0: 40, s1: 40 })
})

test('drain, maintenance and ready are the agent’s own, beside what the operator says', () => {
  const { table, apply, answer, time, told } = fixture()
  const { slot, picks } = apply({ name: 'app', hosts: ['10.0.0.1', '10.0.0.2'], agent: AGENT })
  answer('drain #deploy', 'ready')
  assert.deepEqual(told(), ['agent admin s0: agent: up, drain (deploy)'])
  assert.deepEqual(picks(0, 10), { s1: 10 })
  table.setAdmin(slot(0, 0), ADMIN.MAINTENANCE, 0)
  table.setAdmin(slot(0, 1), ADMIN.DRAIN, 0)
  time.advance(1000)
  answer('ready')
  assert.equal(table.admin(slot(0, 0)), ADMIN.MAINTENANCE)
  assert.equal(table.admin(slot(0, 1)), ADMIN.DRAIN)
  table.setAdmin(slot(0, 0), ADMIN.READY, 0)
  assert.equal(table.admin(slot(0, 0)), ADMIN.READY)
  time.advance(1000)
  answer('maint')
  assert.equal(table.admin(slot(0, 0)), ADMIN.MAINTENANCE)
})

test('down by the agent or by the check is down, and each is told once', () => {
  const { table, apply, agents, answer, time, told } = fixture()
  const { slot } = apply({ name: 'app', hosts: ['10.0.0.1'], agent: AGENT, check: { ...TCP_CHECK, rise: 1, fall: 1, jitterPercent: 0 } })
  const [check, agent] = agents.open
  check.events.opened()
  agent.events.opened()
  agent.answer('down #disk full\n')
  assert.deepEqual(told(), ['health up s0: tcp check: connected', 'health down s0: agent: down (disk full)', 'availability'])
  assert.equal(table.health(slot(0, 0)), HEALTH.DOWN)
  time.advance(1000)
  agents.open[0].events.failed('connection refused')
  answer('up')
  assert.deepEqual(told(), [])
  assert.equal(table.health(slot(0, 0)), HEALTH.DOWN)
  time.advance(1000)
  agents.open[0].events.opened()
  assert.deepEqual(told(), ['health up s0: tcp check: connected', 'availability'])
  assert.equal(table.health(slot(0, 0)), HEALTH.UP)
})

test('a limit counts where it is the smaller one, and survives a reload', () => {
  const { apply, answer, time, table } = fixture()
  const pool = { name: 'app', hosts: ['10.0.0.1'], agent: AGENT, maxRequests: 10 }
  const { slot } = apply(pool)
  const limit = () => table.limit(slot(0, 0))
  for (const [line, expected] of [
    ['maxconn:3', 3],
    ['maxconn:30', 10],
    ['maxconn:0', 10],
    ['maxconn:4', 4],
  ] as const) {
    answer(line)
    assert.equal(limit(), expected, line)
    time.advance(1000)
  }
  apply(pool)
  assert.equal(limit(), 4)
  apply({ ...pool, agent: undefined })
  assert.equal(limit(), 10)
})

test('a pool whose agents take all weight away is out of service', () => {
  const { apply, answer, time, told } = fixture()
  apply({ name: 'app', hosts: ['10.0.0.1'], agent: AGENT })
  answer('0%')
  assert.deepEqual(told(), ['agent weight s0: agent: up, weight 0 %', 'availability'])
  time.advance(1000)
  answer('10%')
  assert.deepEqual(told(), ['agent weight s0: agent: up, weight 10 %', 'availability'])
})

test('what an agent does not say stays as it was', () => {
  const { apply, answer, time, upkeep } = fixture()
  apply({ name: 'app', hosts: ['10.0.0.1'], agent: AGENT })
  assert.deepEqual(upkeep.agentOf('app', 's0'), { reason: 'not asked yet', atMs: 0 })
  answer('drain 50% maxconn:7')
  time.advance(1000)
  answer('up')
  assert.equal(upkeep.agentOf('app', 's0')?.reason, 'agent: up, drain, weight 50 %, at most 7 requests')
  assert.equal(upkeep.agentOf('app', 's1'), undefined)
})

for (const [onLost, after] of [
  ['keep', { s1: 10 }],
  ['forget', { s0: 5, s1: 5 }],
] as const) {
  test(`an agent that does not answer is told as lost, and what it has said is ${onLost === 'keep' ? 'kept' : 'forgotten'}`, () => {
    const { apply, answer, agents, time, told, upkeep } = fixture()
    const { picks } = apply({ name: 'app', hosts: ['10.0.0.1', '10.0.0.2'], agent: { ...AGENT, onLost } })
    answer('0%', '100%')
    for (let i = 0; i < 3; i++) {
      time.advance(i === 0 ? 1000 : 700)
      agents.open[0].events.failed('connection refused')
      time.advance(300)
    }
    const lost = ['agent lost s0: agent: connection refused', 'agent lost s1: agent: no connection within 300 ms']
    assert.deepEqual(
      told().filter((line) => line.startsWith('agent lost')),
      lost,
    )
    assert.equal(upkeep.agentOf('app', 's0')?.reason, 'agent: connection refused')
    assert.deepEqual(picks(0, 10), after)
    time.advance(700)
    answer('100%')
    assert.deepEqual(
      told().filter((line) => line.startsWith('agent found')),
      ['agent found s0: agent: up', 'agent found s1: agent: up'],
    )
  })
}

test('an agent is asked once for all pools, and what it has said counts until its successor answers', () => {
  const { apply, answer, agents } = fixture()
  const hosts = ['10.0.0.1', '10.0.0.2']
  apply({ name: 'a', hosts, agent: AGENT }, { name: 'b', hosts, agent: AGENT })
  assert.equal(agents.connections.length, 2)
  answer('20%', '80%')
  const next = apply({ name: 'a', hosts, agent: { ...AGENT, intervalMs: 500 } }, { name: 'b', hosts })
  assert.deepEqual(next.picks(0, 10), { s0: 2, s1: 8 })
  assert.deepEqual(next.picks(1, 10), { s0: 5, s1: 5 })
  assert.equal(agents.open.length, 2)
})

test('settled() waits for the first answer of every agent, and close() ends everything', async () => {
  const { apply, agents, upkeep, time } = fixture()
  apply({ name: 'app', hosts: ['10.0.0.1', '10.0.0.2'], agent: AGENT })
  let isSettled = false
  const settled = upkeep.settled().then(() => {
    isSettled = true
  })
  agents.open[0].events.failed('connection refused')
  await new Promise(setImmediate)
  assert.equal(isSettled, false)
  time.advance(300)
  await settled
  upkeep.close()
  assert.equal(agents.open.length, 0)
  assert.equal(time.waiting, 0)
})
