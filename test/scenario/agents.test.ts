import assert from 'node:assert/strict'
import { test } from 'node:test'
import { agentProcess, fakeAgent } from '../support/agent.ts'
import { request } from '../support/client.ts'
import { command } from '../support/command.ts'
import { evener, proxyTo } from '../support/evener.ts'
import { needs } from '../support/needs.ts'
import { origin } from '../support/origin.ts'
import { haproxy } from '../support/peers.ts'

const PACE = { interval: '20ms', jitter: 0 }

test('resource: what agents report of their machines shifts the traffic', async (t) => {
  const [a, b] = [await origin(t, 'a'), await origin(t, 'b')]
  const busy = await fakeAgent(t, { cpu: 80, memory: 30 })
  const idle = await fakeAgent(t, { cpu: 40, memory: 10 })
  const balancer = await evener(
    t,
    proxyTo(
      [
        { name: 'a', address: a.address, agent: { port: busy.port } },
        { name: 'b', address: b.address, agent: { port: idle.port } },
      ],
      { pool: { algorithm: 'resource', agent: { json: {}, ...PACE } } },
    ),
  )
  const port = await balancer.port('web')
  const shares = async () => {
    const counts: Record<string, number> = { a: 0, b: 0 }
    for (let i = 0; i < 40; i++) counts[(await request(t, { port }, '/')).body.toString()]++
    return counts
  }
  assert.deepEqual(await shares(), { a: 10, b: 30 })
  busy.say({ cpu: 5, memory: 10 })
  idle.say({ cpu: 10, memory: 70 })
  await Promise.all([busy.asked(3), idle.asked(3)])
  assert.deepEqual(await shares(), { a: 30, b: 10 })
  const { pools } = await balancer.status()
  assert.equal(pools[0].servers[0].agent?.reason, 'agent: up, capacity 90 %')
  const metrics = (await balancer.call('GET', '/metrics')).text
  assert.match(metrics, /^evener_server_capacity_ratio\{pool="app",server="a"\} 0\.9$/m)
  assert.doesNotMatch(metrics, /evener_server_check_duration_seconds\{/)
})

test('an agent drains its server, takes it down and brings it back', async (t) => {
  const [a, b] = [await origin(t, 'a'), await origin(t, 'b')]
  const agent = await fakeAgent(t, 'up ready 100%')
  const other = await fakeAgent(t, 'up ready 100%')
  const balancer = await evener(
    t,
    proxyTo(
      [
        { name: 'a', address: a.address, agent: { port: agent.port } },
        { name: 'b', address: b.address, agent: { port: other.port } },
      ],
      { pool: { agent: { text: {}, ...PACE } } },
    ),
  )
  const port = await balancer.port('web')
  const seen = async () => {
    const names = new Set<string>()
    for (let i = 0; i < 6; i++) names.add((await request(t, { port }, '/')).body.toString())
    return [...names].sort().join()
  }
  assert.equal(await seen(), 'a,b')
  agent.say('drain # deploy')
  await balancer.printed(/server app\/a is drain: agent: up, drain \(deploy\)/)
  assert.equal(await seen(), 'b')
  assert.equal((await balancer.status()).pools[0].servers[0].admin, 'drain')
  agent.say('ready down # disk full')
  await balancer.printed(/server app\/a is down: agent: down \(disk full\)/)
  assert.equal(await seen(), 'b')
  agent.say('up')
  await balancer.printed(/server app\/a is up: agent: up/)
  assert.equal(await seen(), 'a,b')
  agent.say('hello')
  await balancer.printed(/server app\/a's agent is lost: agent: .*hello.* is no answer of an agent/)
  assert.equal(await seen(), 'a,b')
})

for (const kind of ['text', 'json'] as const) {
  test(`evener agent drains its own server, asked for ${kind}`, async (t) => {
    const [a, b] = [await origin(t, 'a'), await origin(t, 'b')]
    const [agent, other] = [await agentProcess(t), await agentProcess(t)]
    const balancer = await evener(
      t,
      proxyTo(
        [
          { name: 'a', address: a.address, agent: { port: agent[kind] } },
          { name: 'b', address: b.address, agent: { port: other[kind] } },
        ],
        { pool: { algorithm: 'resource', agent: { [kind]: {}, ...PACE } } },
      ),
    )
    const port = await balancer.port('web')
    const ask = async () => (await request(t, { port }, '/')).body.toString()
    assert.match((await balancer.status()).pools[0].servers[0].agent?.reason ?? '', /^agent: up(, (weight|capacity) \d+ %)?$/)
    agent.wish('drain # deploy')
    await balancer.printed(/server app\/a is drain: agent: up, drain.* \(deploy\)/)
    for (let i = 0; i < 6; i++) assert.equal(await ask(), 'b')
    agent.wish('')
    await balancer.printed(/server app\/a is ready: agent: up/)
    const seen = new Set<string>()
    while (seen.size < 2) seen.add(await ask())
    agent.wish('drian')
    while (!/has no word that an agent can say/.test(agent.errors())) await ask()
  })
}

test('HAProxy understands evener agent', needs('haproxy'), async (t) => {
  const server = await origin(t)
  const agent = await agentProcess(t)
  agent.wish('50%')
  const peer = await haproxy(t, {
    config: ([port]) => `
      defaults
        mode http
        timeout client 5s
        timeout server 5s
        timeout connect 5s
      frontend stats
        bind 127.0.0.1:${port}
        stats enable
        stats uri /stats
        default_backend app
      backend app
        server a ${server.address} weight 100 agent-check agent-port ${agent.text} agent-inter 20ms
`,
  })
  const state = async () => {
    const [head, ...lines] = (await request(t, { port: peer.ports[0] }, '/stats;csv')).body
      .toString()
      .split('\n')
      .map((line) => line.split(','))
    const row = lines.find((line) => line[1] === 'a') ?? []
    return { status: row[head.indexOf('status')], weight: row[head.indexOf('weight')], agent: row[head.indexOf('agent_status')] }
  }
  const until = async (wanted: (seen: { status: string; weight: string }) => boolean) => {
    while (!wanted(await state()));
  }
  await until(({ status, weight }) => status.startsWith('no check') || (status === 'UP' && weight === '50'))
  await until(({ weight }) => weight === '50')
  agent.wish('drain')
  await until(({ status }) => status.startsWith('DRAIN'))
  agent.wish('down # disk full')
  await until(({ status }) => status.startsWith('DOWN'))
  agent.wish('ready 25%')
  await until(({ status, weight }) => /^UP|no check/.test(status) && weight === '25')
  assert.match((await state()).agent, /^L7OK/)
})

test('evener agent says what is wrong with its command line', async (t) => {
  const nothing = await command(t, ['agent', '--text', 'none', '--json', 'none'])
  assert.equal(nothing.code, 1)
  assert.match(nothing.stderr, /there is nothing to serve/)
  const bad = await command(t, ['agent', '--text', 'here', '--max-connections', '0'])
  assert.equal(bad.code, 2)
  const taken = await origin(t)
  const busy = await command(t, ['agent', '--text', taken.address, '--json', 'none'])
  assert.match(busy.stderr, /is in use: another process listens there/)
})
