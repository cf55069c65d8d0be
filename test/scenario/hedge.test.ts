import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { client, request, requestBytes } from '../support/client.ts'
import { type Evener, evener, proxyTo } from '../support/evener.ts'
import { heldOrigin } from '../support/held-origin.ts'
import { origin, rawOrigin } from '../support/origin.ts'

/** The first server is asked first, the second one only by hedging. */
async function site(t: TestContext, first: string, second: string, pool: object = {}): Promise<{ balancer: Evener; port: number }> {
  const servers = [
    { name: 'first', address: first, priority: 0 },
    { name: 'second', address: second, priority: 0 },
  ]
  const balancer = await evener(t, {
    workers: 1,
    ...proxyTo(servers, { pool: { algorithm: 'first', ...pool }, route: { hedge: { after: '50ms' } } }),
  })
  return { balancer, port: await balancer.port('web') }
}

async function active(balancer: Evener): Promise<number[]> {
  return (await balancer.status()).pools[0].servers.map((server) => server.active)
}

test('a server that takes its time is overtaken by another, and its request taken back', async (t) => {
  const [slow, fast] = [await heldOrigin(t, 'slow'), await origin(t, 'fast')]
  const { balancer, port } = await site(t, slow.address, fast.address)
  const wire = await client(t, { port })
  for (let i = 1; i <= 3; i++) {
    await wire.write(requestBytes(`/${i}`))
    assert.equal((await wire.readResponse()).body.toString(), 'fast')
    assert.equal(slow.requests.length, i)
  }
  assert.deepEqual(await active(balancer), [0, 0])
  const metrics = (await balancer.call('GET', '/metrics')).text
  assert.match(metrics, /^evener_pool_hedges_total\{pool="app"\} 3$/m)
  assert.match(metrics, /^evener_pool_hedges_won_total\{pool="app"\} 3$/m)
})

test('the first server may still win', async (t) => {
  const [slow, held] = [await heldOrigin(t, 'slow'), await heldOrigin(t, 'second')]
  const { balancer, port } = await site(t, slow.address, held.address)
  const answer = request(t, { port }, '/')
  await held.holds(1)
  slow.open()
  assert.equal((await answer).body.toString(), 'slow')
  assert.deepEqual(await active(balancer), [0, 0])
})

test('one of two that fails leaves the other to answer', async (t) => {
  for (const loser of ['first', 'second']) {
    const held = await heldOrigin(t, 'held')
    const arrived = Promise.withResolvers<() => void>()
    const failing = await rawOrigin(t, async (wire) => {
      await wire.readRequest()
      const fail = Promise.withResolvers<void>()
      arrived.resolve(fail.resolve)
      await fail.promise
      wire.reset()
    })
    const order = loser === 'first' ? [failing.address, held.address] : [held.address, failing.address]
    const { balancer, port } = await site(t, order[0], order[1])
    const answer = request(t, { port }, '/')
    await held.holds(1)
    ;(await arrived.promise)()
    while (Math.min(...(await active(balancer))) > 0);
    held.open()
    assert.equal((await answer).body.toString(), 'held')
    assert.deepEqual(await active(balancer), [0, 0])
  }
})

test('a request with effects goes to one server only, and so does one whose client has gone', async (t) => {
  const [held, other] = [await heldOrigin(t, 'held'), await heldOrigin(t, 'other')]
  const { balancer, port } = await site(t, held.address, other.address)
  const post = request(t, { port }, '/', { method: 'POST', body: 'x' })
  await held.holds(1)
  const gone = await client(t, { port })
  await gone.write(requestBytes('/gone'))
  await other.holds(1)
  gone.reset()
  while ((await active(balancer)).join() !== '1,0');
  held.open()
  assert.equal((await post).body.toString(), 'held')
  assert.deepEqual(
    other.requests.map(({ uri }) => uri),
    ['/gone'],
  )
})

test('without another server nobody is asked twice', async (t) => {
  const server = await heldOrigin(t)
  const balancer = await evener(t, proxyTo([server.address], { route: { hedge: { after: '1ms' } } }))
  const answers = [request(t, { port: await balancer.port('web') }, '/a'), request(t, { port: await balancer.port('web') }, '/b')]
  await server.holds(2)
  while (!/evener_http_requests_total/.test((await balancer.call('GET', '/metrics')).text));
  server.open()
  await Promise.all(answers)
  assert.equal(server.requests.length, 2)
})

test('a protocol is switched to on one server only', async (t) => {
  const [slow, fast] = [await heldOrigin(t, 'slow'), await origin(t, 'fast')]
  const { port } = await site(t, slow.address, fast.address)
  const [upgrading, later] = [await client(t, { port }), await client(t, { port })]
  await upgrading.write(requestBytes('/upgrade', { fields: { Connection: 'Upgrade', Upgrade: 'websocket' } }))
  await slow.holds(1)
  await later.write(requestBytes('/later'))
  assert.equal((await later.readResponse()).body.toString(), 'fast')
  assert.deepEqual(
    fast.requests.map(({ uri }) => uri),
    ['/later'],
  )
  slow.open()
  assert.equal((await upgrading.readResponse()).body.toString(), 'slow')
})
