import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { client, request, requestBytes } from '../support/client.ts'
import { evener, proxyTo } from '../support/evener.ts'
import { type HttpOrigin, origin } from '../support/origin.ts'

/** A pool of a server that answers 503 and one that works, behind a route with this retry. */
async function site(t: TestContext, retry: object, workers = 2): Promise<{ port: number; bad: HttpOrigin; good: HttpOrigin }> {
  const bad = await origin(t, 'bad', (_, response) => response.writeHead(503).end('bad'))
  const good = await origin(t, 'good')
  const balancer = await evener(t, { workers, ...proxyTo([bad.address, good.address], { route: { retry: { on: ['503'], ...retry } } }) })
  return { port: await balancer.port('web'), bad, good }
}

test('after the back-off the request goes to another server, with its body', async (t) => {
  const { port, bad, good } = await site(t, { backOff: '20ms' })
  for (let i = 0; i < 6; i++) {
    const response = await request(t, { port }, '/', { method: 'PUT', body: `body ${i}` })
    assert.equal(response.status, 200)
  }
  assert.ok(bad.requests.length > 0)
  assert.deepEqual(
    good.requests.map(({ body }) => body),
    Array.from({ length: 6 }, (_, i) => `body ${i}`),
  )
})

test('a client that goes away during the back-off takes its retry with it', async (t) => {
  const { port, bad, good } = await site(t, { backOff: '200ms' }, 1)
  for (let i = 0; bad.requests.length === 0; i++) {
    const wire = await client(t, { port })
    await wire.write(requestBytes(`/gone${i}`))
    await Promise.race([wire.readResponse().catch(() => {}), waitFor(() => bad.requests.length > 0)])
    wire.reset()
  }
  for (let i = 0; i < 3; i++) assert.equal((await request(t, { port }, '/stays')).status, 200)
  assert.equal(good.requests.filter(({ uri }) => uri === '/stays').length, 3)
  assert.equal(bad.requests.filter(({ uri }) => uri.startsWith('/gone')).length, 1)
})

test('a body is sent again up to the size of the buffer', async (t) => {
  const body = 'x'.repeat(100_000)
  const large = await site(t, { buffer: '128KiB' })
  for (let i = 0; i < 4; i++) assert.equal((await request(t, { port: large.port }, '/', { method: 'PUT', body })).status, 200)
  assert.deepEqual(new Set(large.good.requests.map((seen) => seen.body)), new Set([body]))
  const small = await site(t, { buffer: '1KiB' })
  const statuses: number[] = []
  for (let i = 0; i < 4; i++) statuses.push((await request(t, { port: small.port }, '/', { method: 'PUT', body })).status)
  assert.deepEqual(statuses.sort(), [200, 200, 503, 503])
})

test('when all servers were tried, the last answer is passed on', async (t) => {
  const server = await origin(t, 'bad', (_, response) => response.writeHead(503).end('x'.repeat(300_000)))
  for (const retry of [{ on: ['503'] }, { on: ['503'], backOff: '5ms' }]) {
    const before = server.requests.length
    const balancer = await evener(t, proxyTo([server.address], { route: { retry: { ...retry, attempts: 3 } } }))
    const response = await request(t, { port: await balancer.port('web') }, '/')
    assert.equal(response.status, 503)
    assert.equal(response.body.length, 300_000)
    assert.equal(server.requests.length - before, 3)
  }
})

async function waitFor(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve))
}
