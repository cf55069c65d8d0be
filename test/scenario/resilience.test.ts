import assert from 'node:assert/strict'
import { test } from 'node:test'
import { request } from '../support/client.ts'
import { evener, proxyTo } from '../support/evener.ts'
import { heldOrigin } from '../support/held-origin.ts'
import { origin } from '../support/origin.ts'

test('a server works on no more requests than its limit, over all workers', async (t) => {
  const server = await heldOrigin(t)
  const balancer = await evener(t, proxyTo([server.address], { pool: { limits: { maxRequests: 3 } } }))
  const port = await balancer.port('web')
  const answers = Array.from({ length: 12 }, () => request(t, { port }, '/'))
  await server.holds(3)
  const refused = await Promise.race([...answers].map((answer) => answer))
  assert.equal(refused.status, 503)
  assert.match(refused.body.toString(), /at their limit/)
  server.open()
  const statuses = (await Promise.all(answers)).map(({ status }) => status)
  assert.equal(statuses.filter((status) => status === 200).length >= 3, true)
  assert.equal(server.most, 3)
})

test('a pool works on no more requests than its limit, and a limit of connections is one of requests', async (t) => {
  const [a, b] = [await heldOrigin(t, 'a'), await heldOrigin(t, 'b')]
  const pool = { limits: { maxRequests: 2, total: { maxConnections: 3 } } }
  const balancer = await evener(t, proxyTo([a.address, b.address], { pool }))
  const port = await balancer.port('web')
  const answers = Array.from({ length: 12 }, () => request(t, { port }, '/'))
  const all = Promise.all(answers)
  await Promise.race(answers)
  a.open()
  b.open()
  await all
  assert.ok(a.most <= 2 && b.most <= 2 && a.most + b.most <= 3, `${a.most} and ${b.most}`)
})

test('no more connections are open to a server or pool than their limits, idle ones included, and no request fails for it', async (t) => {
  const [a, b] = [await origin(t, 'a'), await origin(t, 'b')]
  const limits = { maxConnections: 2, total: { maxConnections: 3 }, queue: { size: 100, timeout: '10s' } }
  const balancer = await evener(t, { ...proxyTo([a.address, b.address], { pool: { limits } }), workers: 4 })
  const port = await balancer.port('web')
  const look = async (): Promise<void> => {
    const { pools } = await balancer.status()
    const [ofA, ofB] = pools[0].servers.map(({ connections }) => connections)
    assert.ok(ofA <= 2 && ofB <= 2 && ofA + ofB <= 3, `${ofA} and ${ofB}`)
  }
  for (let round = 0; round < 4; round++) {
    const answers = Promise.all(Array.from({ length: 20 }, (_, i) => request(t, { port }, `/${i}`)))
    for (let i = 0; i < 4; i++) await look()
    assert.deepEqual(new Set((await answers).map(({ status }) => status)), new Set([200]))
    await look()
  }
})

test('the next priority takes part while too few servers of the first are available', async (t) => {
  const servers = await Promise.all(
    ['a', 'b', 'spare'].map(async (name, priority) => ({
      name,
      address: (await origin(t, name)).address,
      priority: priority === 2 ? 1 : 0,
    })),
  )
  const balancer = await evener(t, proxyTo(servers, { pool: { minAvailable: 2 } }))
  const port = await balancer.port('web')
  const seen = async (): Promise<string[]> => {
    const names = new Set<string>()
    for (let i = 0; i < 8; i++) names.add((await request(t, { port }, '/')).body.toString())
    return [...names].sort()
  }
  assert.deepEqual(await seen(), ['a', 'b'])
  await balancer.call('PATCH', '/api/v1/pools/app/servers/b', { admin: 'drain' })
  assert.deepEqual(await seen(), ['a', 'spare'])
})

test('a breaker refuses at once while a pool fails, tries again, and closes', async (t) => {
  let isHealthy = false
  const server = await origin(t, 'a', (_, response) => response.writeHead(isHealthy ? 200 : 500).end('a'))
  const breaker = { failures: 50, minRequests: 4, window: '1m', open: '300ms', probes: 1 }
  const balancer = await evener(t, proxyTo([server.address], { pool: { breaker } }))
  const port = await balancer.port('web')
  for (let i = 0; i < 4; i++) assert.equal((await request(t, { port }, '/')).status, 500)
  const refused = await request(t, { port }, '/')
  assert.equal(refused.status, 503)
  assert.match(refused.body.toString(), /left alone/)
  assert.equal(server.requests.length, 4)
  isHealthy = true
  let status = 503
  while (status === 503) status = (await request(t, { port }, '/')).status
  assert.equal(status, 200)
  for (let i = 0; i < 4; i++) assert.equal((await request(t, { port }, '/')).status, 200)
})

test('a server that fails request after request is ejected, whichever workers met it', async (t) => {
  const good = await origin(t, 'good')
  const bad = await origin(t, 'bad', (_, response) => response.writeHead(500).end('bad'))
  const servers = [
    { name: 'good', address: good.address },
    { name: 'bad', address: bad.address },
  ]
  const balancer = await evener(t, proxyTo(servers, { pool: { outliers: { consecutiveFailures: 3, ejection: '1m' } } }))
  const port = await balancer.port('web')
  for (let i = 0; i < 6; i++) await request(t, { port }, '/')
  await balancer.printed(/server app\/bad is ejected: 3 failures in a row/)
  for (let i = 0; i < 6; i++) assert.equal((await request(t, { port }, '/')).body.toString(), 'good')
  assert.equal(bad.requests.length, 3)
})

test('while nearly all servers are out, all are used', async (t) => {
  const servers = await Promise.all(['a', 'b'].map(async (name) => ({ name, address: (await origin(t, name)).address })))
  const check = { http: { path: '/', status: '500' }, interval: '1m', fall: 1 }
  const balancer = await evener(t, proxyTo(servers, { pool: { check, panic: 50 } }))
  const port = await balancer.port('web')
  const seen = new Set<string>()
  for (let i = 0; i < 8; i++) seen.add((await request(t, { port }, '/')).body.toString())
  assert.deepEqual([...seen].sort(), ['a', 'b'])
})

test('a retry budget that is used up ends retries, not requests', async (t) => {
  const bad = await origin(t, 'bad', (_, response) => response.writeHead(503).end('bad'))
  const good = await origin(t, 'good')
  const ask = async (retryBudget: object): Promise<{ failed: number; attempts: number }> => {
    const before = bad.requests.length + good.requests.length
    const route = { retry: { attempts: 2, on: ['503'] } }
    const balancer = await evener(t, proxyTo([bad.address, good.address], { pool: { retryBudget }, route }))
    const port = await balancer.port('web')
    let failed = 0
    for (let i = 0; i < 12; i++) if ((await request(t, { port }, '/')).status === 503) failed++
    return { failed, attempts: bad.requests.length + good.requests.length - before }
  }
  assert.equal((await ask({ percent: 100, minPerSecond: 10 })).failed, 0)
  // Twelve requests have paid for one retry.
  assert.equal((await ask({ percent: 10, minPerSecond: 0 })).attempts, 13)
})
