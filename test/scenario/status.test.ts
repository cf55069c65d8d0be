import assert from 'node:assert/strict'
import { test } from 'node:test'
import { request } from '../support/client.ts'
import { command } from '../support/command.ts'
import { type Evener, evener, proxyTo } from '../support/evener.ts'
import { heldOrigin } from '../support/held-origin.ts'
import { origin } from '../support/origin.ts'

interface PoolState {
  readonly queue: { readonly length: number; readonly size: number } | null
  readonly breaker: string | null
  readonly active: number
  readonly available: number
  readonly sessions: number | null
  readonly servers: readonly { readonly ejected: boolean; readonly slowStartPercent: number | null; readonly sessions: number }[]
}

async function poolState(balancer: Evener): Promise<PoolState> {
  return (await balancer.call('GET', '/api/v1/pools/app')).json as PoolState
}

async function metric(balancer: Evener, line: string): Promise<void> {
  const { text } = await balancer.call('GET', '/metrics')
  assert.ok(
    text.split('\n').includes(line),
    `${line}\n${text
      .split('\n')
      .filter((each) => each.startsWith(line.split('{')[0]))
      .join('\n')}`,
  )
}

test('requests that wait are seen in the status and in the metrics', async (t) => {
  const server = await heldOrigin(t)
  const balancer = await evener(t, proxyTo([server.address], { pool: { limits: { maxRequests: 1, queue: { size: 9 } } } }))
  const target = { port: await balancer.port('web') }
  const answers = [0, 1, 2].map(() => request(t, target, '/'))
  await server.holds(1)
  while ((await poolState(balancer)).queue?.length !== 2);
  const { queue, active, breaker } = await poolState(balancer)
  assert.deepEqual({ queue, active, breaker }, { queue: { length: 2, size: 9 }, active: 1, breaker: null })
  await metric(balancer, 'evener_pool_queued_requests{pool="app"} 2')
  await metric(balancer, 'evener_pool_active_requests{pool="app"} 1')
  assert.match((await command(t, ['status', '--admin', balancer.admin])).stdout, /^pool app \(round-robin\): queue 2\/9$/m)
  server.open()
  server.release()
  await Promise.all(answers)
})

test('a breaker that opens is logged with its reason, and seen', async (t) => {
  const server = await origin(t, 'a', (_, response) => response.writeHead(500).end())
  const breaker = { failures: 50, minRequests: 2, open: '1m' }
  const balancer = await evener(t, proxyTo([server.address], { pool: { breaker } }))
  const target = { port: await balancer.port('web') }
  for (let i = 0; i < 2; i++) await request(t, target, '/')
  await balancer.printed(/the breaker of pool app is open: too many requests failed/)
  assert.equal((await poolState(balancer)).breaker, 'open')
  await metric(balancer, 'evener_pool_breaker_state{pool="app"} 2')
})

test('an ejected server, and one in its slow start, are seen', async (t) => {
  const [good, bad] = [await origin(t, 'good'), await origin(t, 'bad', (_, response) => response.writeHead(500).end())]
  const servers = [
    { name: 'good', address: good.address },
    { name: 'bad', address: bad.address },
  ]
  const pool = { outliers: { consecutiveFailures: 1, ejection: '200ms' }, slowStart: '1m' }
  const balancer = await evener(t, proxyTo(servers, { pool }))
  const target = { port: await balancer.port('web') }
  for (let i = 0; i < 2; i++) await request(t, target, '/')
  assert.deepEqual(
    (await poolState(balancer)).servers.map(({ ejected }) => ejected),
    [false, true],
  )
  await metric(balancer, 'evener_server_ejected{pool="app",server="bad"} 1')
  await metric(balancer, 'evener_pool_available_servers{pool="app"} 1')
  await balancer.printed(/server app\/bad takes part again: back after/)
  const { servers: states } = await poolState(balancer)
  assert.equal(states[0].slowStartPercent, null)
  assert.ok((states[1].slowStartPercent ?? 100) < 50)
})

test('sessions are shown, and cleared for one server or all', async (t) => {
  const servers = await Promise.all(['a', 'b'].map(async (name) => ({ name, address: (await origin(t, name)).address })))
  const balancer = await evener(t, proxyTo(servers, { pool: { persistence: { table: { key: 'header:X-User' } } } }))
  const target = { port: await balancer.port('web') }
  const ask = async (user: string) => (await request(t, target, '/', { fields: { 'X-User': user } })).body.toString()
  for (let user = 0; user < 6; user++) await ask(`user-${user}`)
  assert.equal((await poolState(balancer)).sessions, 6)
  await metric(balancer, 'evener_server_sessions{pool="app",server="a"} 3')
  const run = async (...words: string[]) => (await command(t, ['sessions', 'app', ...words, '--admin', balancer.admin])).stdout
  const shown = await run()
  assert.match(shown, /^app: 6 sessions, 6 shown$/m)
  assert.equal(shown.match(/^a +\d{4}-/gm)?.length, 3)
  assert.equal(await run('--clear', '--server', 'a'), 'app: 3 sessions cleared\n')
  assert.equal(await run('--clear'), 'app: 3 sessions cleared\n')
  assert.equal((await poolState(balancer)).sessions, 0)
  assert.match(balancer.output, /3 sessions of server app\/a cleared by the admin API/)
})

test('a server that two pools have, checked in the same way, is checked once for all pools and workers', async (t) => {
  let checks = 0
  const server = await origin(t, 'a', (incoming, response) => {
    if (incoming.url === '/healthz') checks++
    response.end()
  })
  const pool = { servers: [server.address], check: { http: { path: '/healthz' }, interval: '1h' } }
  const balancer = await evener(t, {
    listeners: { web: { bind: '127.0.0.1:0', http: { routes: [{ match: { path: '/a' }, pool: 'one' }, { pool: 'two' }] } } },
    pools: { one: pool, two: pool },
  })
  for (const name of ['one', 'two']) {
    const { servers } = (await balancer.call('GET', `/api/v1/pools/${name}`)).json as { servers: { health: string }[] }
    assert.equal(servers[0].health, 'up')
  }
  assert.equal(checks, 1)
})
