import assert from 'node:assert/strict'
import { test } from 'node:test'
import { request } from '../support/client.ts'
import { evener, proxyTo } from '../support/evener.ts'
import { origin } from '../support/origin.ts'

test('a drained server gets no more requests, in any worker, until it is ready again', async (t) => {
  const [a, b] = [await origin(t, 'a'), await origin(t, 'b')]
  const balancer = await evener(
    t,
    proxyTo([
      { name: 'a', address: a.address },
      { name: 'b', address: b.address },
    ]),
  )
  const port = await balancer.port('web')
  const ask = async () => (await request(t, { port }, '/')).body.toString()
  assert.equal((await balancer.call('PATCH', '/api/v1/pools/app/servers/a', { admin: 'drain' })).status, 200)
  for (let i = 0; i < 10; i++) assert.equal(await ask(), 'b')
  assert.equal((await balancer.call('PATCH', '/api/v1/pools/app/servers/a', { admin: 'ready' })).status, 200)
  const seen = new Set<string>()
  for (let i = 0; i < 10; i++) seen.add(await ask())
  assert.deepEqual([...seen].sort(), ['a', 'b'])
})

test('a weight changed at run time changes the shares exactly', async (t) => {
  const [a, b] = [await origin(t, 'a'), await origin(t, 'b')]
  const balancer = await evener(
    t,
    proxyTo(
      [
        { name: 'a', address: a.address },
        { name: 'b', address: b.address },
      ],
      { pool: { algorithm: 'weighted-round-robin' } },
    ),
  )
  const port = await balancer.port('web')
  assert.equal((await balancer.call('PATCH', '/api/v1/pools/app/servers/b', { weight: 3 })).status, 200)
  const counts: Record<string, number> = { a: 0, b: 0 }
  for (let i = 0; i < 40; i++) counts[(await request(t, { port }, '/')).body.toString()]++
  assert.deepEqual(counts, { a: 10, b: 30 })
})

test('the admin API refuses what it cannot do, in words', async (t) => {
  const server = await origin(t)
  const balancer = await evener(t, proxyTo([{ name: 'a', address: server.address }]))
  for (const [path, body, status, words] of [
    ['/api/v1/pools/ap/servers/a', { admin: 'drain' }, 404, /no pool "ap".*"app"/],
    ['/api/v1/pools/app/servers/b', { admin: 'drain' }, 404, /no server "b".*"a"/],
    ['/api/v1/pools/app/servers/a', { admin: 'drian' }, 400, /"drain"/],
    ['/api/v1/pools/app/servers/a', { weight: -1 }, 400, /whole number/],
    ['/api/v1/pools/app/servers/a', {}, 400, /Nothing to change/],
    ['/api/v1/pools/app/servers/a', { state: 'x' }, 400, /Unknown key "state"/],
  ] as const) {
    const answer = await balancer.call('PATCH', path, body)
    assert.equal(answer.status, status)
    assert.match(answer.text.replaceAll('\\"', '"'), words)
  }
  assert.equal((await balancer.call('GET', '/nowhere')).status, 404)
  assert.equal((await balancer.call('PATCH', '/api/v1/pools/app/servers/a', { weight: 2 }, { origin: 'http://evil.test' })).status, 403)
})

test('health, readiness, metrics and pools are there', async (t) => {
  const server = await origin(t)
  const balancer = await evener(t, proxyTo([{ name: 'a', address: server.address }]))
  const port = await balancer.port('web')
  for (let i = 0; i < 5; i++) await request(t, { port }, '/')
  assert.equal((await balancer.call('GET', '/healthz')).text, 'ok\n')
  assert.equal((await balancer.call('GET', '/readyz')).text, 'ready\n')
  const metrics = (await balancer.call('GET', '/metrics')).text
  assert.match(metrics, /^evener_http_requests_total\{listener="web",status="2xx"\} 5$/m)
  assert.match(metrics, /^evener_server_requests_total\{pool="app",server="a"\} 5$/m)
  assert.match(metrics, /^evener_http_request_duration_seconds_count\{listener="web"\} 5$/m)
  const pools = (await balancer.call('GET', '/api/v1/pools')).json as { pools: { servers: { requests: number }[] }[] }
  assert.equal(pools.pools[0].servers[0].requests, 5)
})

test('a token is asked for where one is configured, but not for probes', async (t) => {
  const server = await origin(t)
  const balancer = await evener(
    t,
    { ...proxyTo([server.address]), admin: { bind: '127.0.0.1:0', token: '${TEST_TOKEN}' } },
    { env: { TEST_TOKEN: 'sesame-open-now-1' } },
  )
  assert.equal((await balancer.call('GET', '/healthz')).status, 200)
  assert.equal((await balancer.call('GET', '/api/v1/status')).status, 401)
  assert.equal((await balancer.call('GET', '/api/v1/status', undefined, { authorization: 'Bearer wrong' })).status, 401)
  assert.equal((await balancer.call('GET', '/api/v1/status', undefined, { authorization: 'Bearer sesame-open-now-1' })).status, 200)
})

test('a server whose check fails gets no requests, and its recovery is noticed', async (t) => {
  let isHealthy = true
  const a = await origin(t, 'a', (incoming, response) => response.writeHead(incoming.url === '/healthz' && !isHealthy ? 503 : 200).end('a'))
  const b = await origin(t, 'b')
  const balancer = await evener(
    t,
    proxyTo(
      [
        { name: 'a', address: a.address },
        { name: 'b', address: b.address },
      ],
      {
        pool: { check: { http: { path: '/healthz' }, interval: '50ms', timeout: '1s', rise: 1, fall: 2 } },
      },
    ),
  )
  const port = await balancer.port('web')
  assert.match((await balancer.call('GET', '/metrics')).text, /^evener_server_check_duration_seconds\{pool="app",server="a"\} [0-9.e-]+$/m)
  isHealthy = false
  await balancer.printed(/server app\/a is down: http check: status 503/)
  for (let i = 0; i < 6; i++) assert.equal((await request(t, { port }, '/')).body.toString(), 'b')
  isHealthy = true
  await balancer.printed(/is down[\s\S]*server app\/a is up/)
  const seen = new Set<string>()
  for (let i = 0; i < 6; i++) seen.add((await request(t, { port }, '/')).body.toString())
  assert.deepEqual([...seen].sort(), ['a', 'b'])
})

test('the next priority takes over when no server of the first is available', async (t) => {
  const [first, spare] = [await origin(t, 'first'), await origin(t, 'spare')]
  const balancer = await evener(
    t,
    proxyTo([
      { name: 'first', address: first.address },
      { name: 'spare', address: spare.address, priority: 1 },
    ]),
  )
  const port = await balancer.port('web')
  for (let i = 0; i < 4; i++) assert.equal((await request(t, { port }, '/')).body.toString(), 'first')
  await balancer.call('PATCH', '/api/v1/pools/app/servers/first', { admin: 'maintenance' })
  for (let i = 0; i < 4; i++) assert.equal((await request(t, { port }, '/')).body.toString(), 'spare')
})
