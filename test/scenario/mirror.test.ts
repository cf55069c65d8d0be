import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { client, request, requestBytes } from '../support/client.ts'
import { type Evener, evener } from '../support/evener.ts'
import { heldOrigin } from '../support/held-origin.ts'
import { type HttpOrigin, origin, rawOrigin, refusedPort } from '../support/origin.ts'

interface Site {
  readonly balancer: Evener
  readonly port: number
}

async function site(t: TestContext, main: HttpOrigin, shadow: string, mirror: object = {}, pool: object = {}): Promise<Site> {
  const balancer = await evener(t, {
    workers: 1,
    listeners: { web: { bind: '127.0.0.1:0', http: { routes: [{ pool: 'app', mirror: { pool: 'shadow', ...mirror } }] } } },
    pools: { app: { servers: [main.address] }, shadow: { servers: [shadow], ...pool } },
  })
  return { balancer, port: await balancer.port('web') }
}

/** Resolves when so many copies were answered and lost. */
async function copies({ balancer }: Site, answered: number, lost = 0): Promise<void> {
  for (;;) {
    const text = (await balancer.call('GET', '/metrics')).text
    const value = (name: string): number => Number(new RegExp(`^${name}\\{pool="shadow"\\} (\\d+)$`, 'm').exec(text)?.[1] ?? 0)
    if (value('evener_pool_mirrored_total') === answered && value('evener_pool_mirrors_lost_total') === lost) return
  }
}

test('the share of requests that is mirrored arrives whole, and clients see nothing of it', async (t) => {
  const [main, shadow] = [await origin(t, 'main'), await origin(t, 'shadow', (_, response) => response.writeHead(500).end('shadow'))]
  const balanced = await site(t, main, shadow.address, { percent: 50 })
  const body = 'x'.repeat(200_000)
  for (let i = 0; i < 6; i++) {
    const response = await request(t, balanced, `/${i}?q`, { method: 'POST', body: `${i}${body}`, fields: { 'X-Test': 'yes' } })
    assert.equal(response.body.toString(), 'main')
  }
  await copies(balanced, 3)
  assert.deepEqual(
    shadow.requests.map(({ method, uri }) => `${method} ${uri}`),
    ['POST /1?q', 'POST /3?q', 'POST /5?q'],
  )
  assert.equal(shadow.requests[0].body, `1${body}`)
  assert.equal(shadow.requests[0].headers['x-test'], 'yes')
  assert.equal(shadow.connectionCount, 1)
})

test('a chunked body is mirrored too', async (t) => {
  const [main, shadow] = [await origin(t, 'main'), await origin(t, 'shadow')]
  const balanced = await site(t, main, shadow.address)
  const wire = await client(t, balanced)
  await wire.write('POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n')
  await wire.write('5\r\nhello\r\n')
  await wire.write('6\r\n world\r\n0\r\n\r\n')
  assert.equal((await wire.readResponse('POST')).body.toString(), 'main')
  await copies(balanced, 1)
  assert.equal(shadow.requests[0].body, 'hello world')
})

test('nobody waits for a mirror that does not answer, and a full one gets no more', async (t) => {
  const [main, shadow] = [await origin(t, 'main'), await heldOrigin(t, 'shadow')]
  const balanced = await site(t, main, shadow.address, {}, { limits: { maxRequests: 2 } })
  for (let i = 0; i < 5; i++) assert.equal((await request(t, balanced, '/')).body.toString(), 'main')
  await shadow.holds(2)
  await copies(balanced, 0, 3)
  shadow.open()
  await copies(balanced, 2, 3)
})

test('a mirror that is not there costs nothing but its copies', async (t) => {
  const main = await origin(t, 'main')
  const balanced = await site(t, main, `127.0.0.1:${await refusedPort()}`)
  for (let i = 0; i < 5; i++) {
    const wire = await client(t, balanced)
    await wire.write(requestBytes('/', { method: 'PUT', body: 'x'.repeat(100_000) }))
    assert.equal((await wire.readResponse('PUT')).status, 200)
  }
  await copies(balanced, 0, 5)
})

test('what still comes of a body after the mirror has answered goes into no other copy', async (t) => {
  const main = await origin(t, 'main')
  const bodies: string[] = []
  const shadow = await rawOrigin(t, async (wire, index) => {
    await wire.readUntil('\r\n\r\n')
    if (index > 0) bodies.push((await wire.read(5)).toString())
    await wire.write('HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n')
  })
  const balanced = await site(t, main, shadow.address)
  const [first, second] = [await client(t, balanced), await client(t, balanced)]
  const post = 'POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\n'
  await first.write(post)
  await copies(balanced, 1)
  await second.write(post)
  await shadow.connection(1)
  await first.write('first')
  assert.equal((await first.readResponse('POST')).status, 200)
  await second.write('other')
  assert.equal((await second.readResponse('POST')).status, 200)
  await copies(balanced, 2)
  assert.deepEqual(bodies, ['other'])
})
