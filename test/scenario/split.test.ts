import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { request } from '../support/client.ts'
import { type Evener, evener } from '../support/evener.ts'
import { heldOrigin } from '../support/held-origin.ts'
import { type HttpOrigin, origin } from '../support/origin.ts'
import { fieldValues } from '../support/wire.ts'

interface Site {
  readonly balancer: Evener
  readonly port: number
  readonly stable: HttpOrigin
  readonly canary: HttpOrigin
  ask(fields?: Record<string, string>): Promise<{ name: string; setCookie: string[] }>
}

/** One worker, so that shares are exact. */
async function site(t: TestContext, split: object, weights: readonly [number, number] = [19, 1]): Promise<Site> {
  const [stable, canary] = [await origin(t, 'stable'), await origin(t, 'canary')]
  const pools = [
    { pool: 'stable', weight: weights[0] },
    { pool: 'canary', weight: weights[1] },
  ]
  const balancer = await evener(t, {
    workers: 1,
    listeners: { web: { bind: '127.0.0.1:0', http: { routes: [{ split: { pools, ...split } }] } } },
    pools: {
      stable: { servers: [{ name: 'a', address: stable.address }] },
      canary: { servers: [{ name: 'b', address: canary.address }], persistence: { cookie: {} } },
    },
  })
  const port = await balancer.port('web')
  const ask: Site['ask'] = async (fields) => {
    const response = await request(t, { port }, '/', { fields })
    assert.equal(response.status, 200)
    return { name: response.body.toString(), setCookie: fieldValues(response, 'set-cookie') }
  }
  return { balancer, port, stable, canary, ask }
}

test('a canary gets exactly its five percent', async (t) => {
  const { ask, stable, canary } = await site(t, {})
  for (let i = 0; i < 60; i++) await ask()
  assert.deepEqual([stable.requests.length, canary.requests.length], [57, 3])
})

test('a sticky cookie keeps a client with its pool, beside the cookie of the pool itself', async (t) => {
  const { ask, canary } = await site(t, { sticky: { cookie: { maxAge: '1d' } } }, [1, 1])
  const first = await ask()
  const second = await ask()
  assert.notEqual(first.name, second.name)
  const ofCanary = first.name === 'canary' ? first : second
  assert.deepEqual(
    ofCanary.setCookie.map((cookie) => cookie.split('=')[0]),
    ['EVSRV', 'EVSPLIT'],
  )
  const cookie = ofCanary.setCookie.map((each) => each.split(';')[0]).join('; ')
  for (let i = 0; i < 6; i++) assert.deepEqual(await ask({ Cookie: cookie }), { name: 'canary', setCookie: [] })
  assert.match(canary.requests.at(-1)?.headers.cookie ?? '', /^EVSPLIT=[\w-]+$/)
})

test('a sticky key decides without a cookie, by weight', async (t) => {
  const { ask } = await site(t, { sticky: { key: 'header:X-User' } }, [3, 1])
  const counts: Record<string, number> = { stable: 0, canary: 0 }
  for (let i = 0; i < 60; i++) {
    const { name, setCookie } = await ask({ 'X-User': `user${i}` })
    counts[name]++
    assert.deepEqual(
      setCookie.filter((cookie) => cookie.startsWith('EVSPLIT')),
      [],
    )
    if (i % 10 === 0) assert.equal((await ask({ 'X-User': `user${i}` })).name, name)
  }
  assert.ok(counts.canary >= 5 && counts.canary <= 25, `${counts.canary} of 60 for a quarter`)
})

test('while a pool has no server the others get its share', async (t) => {
  const { ask, balancer } = await site(t, {}, [1, 1])
  await balancer.call('PATCH', '/api/v1/pools/canary/servers/b', { admin: 'maintenance' })
  for (let i = 0; i < 4; i++) assert.equal((await ask()).name, 'stable')
})

test('a pool of weight 0 gets nothing new', async (t) => {
  const { ask } = await site(t, {}, [0, 1])
  for (let i = 0; i < 4; i++) assert.equal((await ask()).name, 'canary')
})

test('a request that no server can take gets the sorry page, or goes to the sorry pool', async (t) => {
  const [held, spare] = [await heldOrigin(t), await origin(t, 'spare')]
  const balancer = await evener(t, {
    listeners: {
      web: {
        bind: '127.0.0.1:0',
        http: { routes: [{ match: { path: '/page' }, pool: 'page' }, { match: { path: '/full' }, pool: 'full' }, { pool: 'pool' }] },
      },
    },
    pools: {
      page: {
        servers: [{ address: held.address, admin: 'maintenance' }],
        sorry: { respond: { status: 503, body: '<h1>Back soon</h1>', contentType: 'text/html', headers: { 'Retry-After': '120' } } },
      },
      full: { servers: [held.address], limits: { maxRequests: 1 }, sorry: { pool: 'spare' } },
      pool: { servers: [{ address: held.address, admin: 'maintenance' }], sorry: { pool: 'spare' } },
      spare: { servers: [spare.address] },
    },
  })
  const port = await balancer.port('web')
  const page = await request(t, { port }, '/page')
  assert.deepEqual([page.status, page.body.toString(), fieldValues(page, 'retry-after')], [503, '<h1>Back soon</h1>', ['120']])
  const body = 'with a body'
  assert.equal((await request(t, { port }, '/', { method: 'POST', body })).body.toString(), 'spare')
  assert.equal(spare.requests[0].body, body)
  const first = request(t, { port }, '/full')
  await held.holds(1)
  assert.equal((await request(t, { port }, '/full')).body.toString(), 'spare')
  held.open()
  assert.equal((await first).body.toString(), 'held')
})
