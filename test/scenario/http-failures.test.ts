import assert from 'node:assert/strict'
import { test } from 'node:test'
import { client, request, requestBytes } from '../support/client.ts'
import { evener, proxyTo } from '../support/evener.ts'
import { answering, origin, rawOrigin, refusedPort } from '../support/origin.ts'
import { fieldValue } from '../support/wire.ts'

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'

test('a server that refuses connections costs no request: another one answers', async (t) => {
  const server = await origin(t, 'alive')
  const balancer = await evener(t, proxyTo([`127.0.0.1:${await refusedPort()}`, server.address]))
  const port = await balancer.port('web')
  for (let i = 0; i < 10; i++) {
    const response = await request(t, { port }, '/', { method: i % 2 === 0 ? 'GET' : 'POST', body: i % 2 === 0 ? undefined : 'body' })
    assert.equal(response.body.toString(), 'alive')
  }
})

test('when every server refuses, the answer is 502', async (t) => {
  const balancer = await evener(t, proxyTo([`127.0.0.1:${await refusedPort()}`]))
  assert.equal((await request(t, { port: await balancer.port('web') }, '/')).status, 502)
})

test('when no server is available, the answer is 503', async (t) => {
  const server = await origin(t)
  const balancer = await evener(t, proxyTo([{ name: 'a', address: server.address, admin: 'maintenance' }]))
  assert.equal((await request(t, { port: await balancer.port('web') }, '/')).status, 503)
})

test('an idempotent request is sent again when its reused connection turns out dead', async (t) => {
  const server = await rawOrigin(t, async (wire, index) => {
    await wire.readRequest()
    await wire.write(OK)
    if (index > 0) return answering(OK)(wire)
    await wire.readUntil('\r\n\r\n')
    wire.reset()
  })
  const balancer = await evener(t, { workers: 1, ...proxyTo([server.address]) })
  const wire = await client(t, { port: await balancer.port('web') })
  for (let i = 0; i < 3; i++) {
    await wire.write(requestBytes('/'))
    assert.equal((await wire.readResponse()).status, 200)
  }
})

test('a reused connection that dies in the middle of an answer was not dead before: nothing is sent again', async (t) => {
  const server = await rawOrigin(t, async (wire) => {
    await wire.readRequest()
    await wire.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
    await wire.readRequest()
    await wire.write('HTTP/1.1 200 OK\r\nContent-Le')
    wire.end()
  })
  const balancer = await evener(t, { workers: 1, ...proxyTo([server.address]) })
  const port = await balancer.port('web')
  assert.equal((await request(t, { port }, '/1')).status, 200)
  assert.equal((await request(t, { port }, '/2')).status, 502)
  assert.equal(server.wires.length, 1)
})

test('a POST that a reused connection swallowed is not sent twice', async (t) => {
  let requests = 0
  const server = await rawOrigin(t, async (wire, index) => {
    await wire.readRequest()
    requests++
    await wire.write(OK)
    if (index > 0) return answering(OK)(wire)
    await wire.readRequest()
    requests++
    wire.reset()
  })
  const balancer = await evener(t, { workers: 1, ...proxyTo([server.address]) })
  const wire = await client(t, { port: await balancer.port('web') })
  await wire.write(requestBytes('/'))
  await wire.readResponse()
  await wire.write(requestBytes('/', { method: 'POST', body: 'pay' }))
  assert.equal((await wire.readResponse('POST')).status, 502)
  assert.equal(requests, 2)
})

test('a server that closes without an answer gives 502, and is not asked again', async (t) => {
  const server = await rawOrigin(t, async (wire) => {
    await wire.readRequest()
    wire.end()
  })
  const balancer = await evener(t, proxyTo([server.address]))
  assert.equal((await request(t, { port: await balancer.port('web') }, '/')).status, 502)
  assert.equal(server.connectionCount, 1)
})

test('a retry on a status goes to another server', async (t) => {
  const bad = await origin(t, 'bad', (_, response) => response.writeHead(503).end('bad'))
  const good = await origin(t, 'good')
  const balancer = await evener(t, proxyTo([bad.address, good.address], { route: { retry: { attempts: 2, on: ['503'] } } }))
  const port = await balancer.port('web')
  for (let i = 0; i < 4; i++) assert.equal((await request(t, { port }, '/')).body.toString(), 'good')
  const post = [
    await request(t, { port }, '/', { method: 'POST', body: 'x' }),
    await request(t, { port }, '/', { method: 'POST', body: 'x' }),
  ]
  assert.deepEqual(post.map((response) => response.status).sort(), [200, 503])
})

test('a body that was sent to the first server is sent again to the second', async (t) => {
  const bad = await origin(t, 'bad', (_, response) => response.writeHead(502).end())
  const good = await origin(t, 'good')
  const balancer = await evener(t, proxyTo([bad.address, good.address], { route: { retry: { attempts: 2, on: ['502'] } } }))
  const port = await balancer.port('web')
  for (let i = 0; i < 2; i++) await request(t, { port }, '/', { method: 'PUT', body: 'the whole body' })
  assert.deepEqual(
    good.requests.map(({ body }) => body),
    ['the whole body', 'the whole body'],
  )
})

const INVALID_ANSWERS: Readonly<Record<string, string>> = {
  'no HTTP at all': 'hello there\r\n\r\n',
  'Transfer-Encoding beside Content-Length': 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  'two lengths': 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc',
  'a folded field': 'HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n',
  'a bare LF': 'HTTP/1.1 200 OK\nContent-Length: 0\n\n',
  '101 without being asked': 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n',
  'a head that never ends': `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(40_000)}\r\n\r\n`,
}

for (const [name, answer] of Object.entries(INVALID_ANSWERS)) {
  test(`a bad response is a 502 and its connection is dropped: ${name}`, async (t) => {
    const server = await rawOrigin(t, async (wire) => {
      await wire.readRequest()
      await wire.write(answer)
      await wire.closed()
    })
    const balancer = await evener(t, { workers: 1, ...proxyTo([server.address]) })
    const port = await balancer.port('web')
    assert.equal((await request(t, { port }, '/')).status, 502)
    const wire = await server.connection(0)
    await wire.closed()
  })
}

test('bytes behind a response are never taken for the next one', async (t) => {
  const server = await rawOrigin(t, async (wire) => {
    await wire.readRequest()
    await wire.write(`${OK}HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison`)
    await wire.closed()
  })
  const balancer = await evener(t, { workers: 1, ...proxyTo([server.address]) })
  const wire = await client(t, { port: await balancer.port('web') })
  for (let i = 0; i < 3; i++) {
    await wire.write(requestBytes('/'))
    assert.equal((await wire.readResponse()).body.toString(), 'ok')
  }
  assert.equal(server.connectionCount, 3)
})

test('a response that breaks off is broken for the client too', async (t) => {
  const server = await rawOrigin(t, async (wire) => {
    const { target } = await wire.readRequest()
    await wire.write(
      target === '/length'
        ? 'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf'
        : 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n',
    )
    wire.end()
  })
  const balancer = await evener(t, proxyTo([server.address]))
  const port = await balancer.port('web')
  for (const target of ['/length', '/chunked']) {
    const wire = await client(t, { port })
    await wire.write(requestBytes(target))
    await assert.rejects(wire.readResponse(), { name: 'WireClosed' })
  }
  // An HTTP/1.0 client has only the end of the connection to tell a whole body: it must see a reset.
  const old = await client(t, { port })
  await old.write('GET /chunked HTTP/1.0\r\n\r\n')
  assert.equal(await old.closed(), 'ECONNRESET')
})

test('a server that does not answer in time gives 504', async (t) => {
  const server = await rawOrigin(t, async (wire) => {
    await wire.readRequest()
    await wire.closed()
  })
  const balancer = await evener(t, proxyTo([server.address], { route: { timeouts: { response: '100ms' } } }))
  assert.equal((await request(t, { port: await balancer.port('web') }, '/')).status, 504)
})

test('a server that stops taking the body of a request is given up', async (t) => {
  const server = await rawOrigin(t, async (wire) => wire.pause())
  const balancer = await evener(t, proxyTo([server.address], { route: { timeouts: { response: '200ms' } } }))
  const wire = await client(t, { port: await balancer.port('web') })
  await wire.write('POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 67108864\r\n\r\n')
  void wire.write(Buffer.alloc(64 * 1024 * 1024))
  const isGivenUp = async () => /termination="response-timeout"\} 1$/m.test((await balancer.call('GET', '/metrics')).text)
  while (!(await isGivenUp()));
  assert.equal((await balancer.status()).pools[0].servers[0].active, 0)
})

test('a client that does not finish its head in time is told 408', async (t) => {
  const server = await origin(t)
  const balancer = await evener(
    t,
    proxyTo([server.address], { http: { timeouts: { requestHead: '100ms', requestBody: '100ms', idle: '100ms' } } }),
  )
  const port = await balancer.port('web')
  const head = await client(t, { port })
  await head.write('GET / HTTP/1.1\r\nHost: te')
  assert.equal((await head.readResponse()).status, 408)
  const body = await client(t, { port })
  await body.write('POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 10\r\n\r\nabc')
  assert.equal((await body.readResponse()).status, 408)
  const idle = await client(t, { port })
  await idle.write(requestBytes('/'))
  await idle.readResponse()
  assert.equal((await idle.readToEnd()).length, 0)
})

test('errors are a page for browsers and JSON for clients that ask for it', async (t) => {
  const balancer = await evener(t, {
    ...proxyTo([`127.0.0.1:${await refusedPort()}`]),
    errorPages: { '502': { body: '<h1>Back soon</h1>' } },
  })
  const port = await balancer.port('web')
  const page = await request(t, { port }, '/', { fields: { Accept: 'text/html,*/*' } })
  assert.match(fieldValue(page, 'content-type') ?? '', /^text\/html/)
  assert.equal(page.body.toString(), '<h1>Back soon</h1>')
  const json = await request(t, { port }, '/', { fields: { Accept: 'application/json' } })
  assert.equal(fieldValue(json, 'content-type'), 'application/json')
  assert.equal(JSON.parse(json.body.toString()).status, 502)
})

test('a client that goes away takes its request to the server with it', async (t) => {
  const server = await rawOrigin(t, async (wire) => {
    await wire.readRequest()
    await wire.closed()
  })
  const balancer = await evener(t, proxyTo([server.address]))
  const wire = await client(t, { port: await balancer.port('web') })
  await wire.write(requestBytes('/'))
  const upstream = await server.connection(0)
  wire.reset()
  assert.equal(await upstream.closed(), 'ECONNRESET')
})

for (const how of ['stops', 'ends', 'resets'] as const) {
  test(`a server that ${how} in the middle of a long body breaks the response off`, async (t) => {
    const server = await rawOrigin(t, async (wire) => {
      await wire.readRequest()
      await wire.write(`HTTP/1.1 200 OK\r\nContent-Length: ${8 << 20}\r\n\r\n`)
      await wire.write(Buffer.alloc(4 << 20, 'x'))
      if (how === 'ends') wire.end()
      else if (how === 'resets') wire.reset()
      await wire.readToEnd()
    })
    const config = proxyTo([server.address], { route: { timeouts: { response: '300ms' } } })
    const balancer = await evener(t, { workers: 1, ...config, accessLog: { path: 'stdout', format: 'line {termination}' } })
    const wire = await client(t, { port: await balancer.port('web') })
    await wire.write(requestBytes('/'))
    await assert.rejects(wire.readResponse())
    await balancer.printed(how === 'stops' ? /line response-timeout/ : /line response-truncated/)
  })
}
