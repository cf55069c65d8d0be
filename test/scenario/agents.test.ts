import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fakeAgent } from '../support/agent.ts'
import { request } from '../support/client.ts'
import { evener, proxyTo } from '../support/evener.ts'
import { origin } from '../support/origin.ts'

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
