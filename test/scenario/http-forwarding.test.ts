import assert from 'node:assert/strict'
import { test } from 'node:test'
import { client, request, requestBytes } from '../support/client.ts'
import { evener, proxyTo } from '../support/evener.ts'
import { answering, origin, rawOrigin } from '../support/origin.ts'
import { fieldValue, fieldValues } from '../support/wire.ts'

test('a request goes to the server and its answer comes back, with Via on both', async (t) => {
  const server = await origin(t, 'hello')
  const balancer = await evener(t, proxyTo([server.address]))
  const response = await request(t, { port: await balancer.port('web') }, '/some/path?q=1')
  assert.equal(response.status, 200)
  assert.equal(response.body.toString(), 'hello')
  assert.match(fieldValue(response, 'via') ?? '', /^1\.1 /)
  assert.equal(server.requests[0].uri, '/some/path?q=1')
  assert.equal(server.requests[0].headers.host, 'test')
  assert.match(String(server.requests[0].headers.via), /^1\.1 /)
})

test('forwarded fields of an untrusted client are replaced', async (t) => {
  const server = await origin(t)
  const balancer = await evener(t, proxyTo([server.address], { http: { forwarded: 'both' } }))
  await request(t, { port: await balancer.port('web') }, '/', {
    fields: { 'X-Forwarded-For': '6.6.6.6', 'X-Forwarded-Proto': 'https', 'X-Forwarded-Host': 'evil', Forwarded: 'for=6.6.6.6' },
  })
  const { headers } = server.requests[0]
  assert.equal(headers['x-forwarded-for'], '127.0.0.1')
  assert.equal(headers['x-forwarded-proto'], 'http')
  assert.equal(headers['x-forwarded-host'], 'test')
  assert.equal(headers.forwarded, 'for=127.0.0.1;proto=http;host="test"')
})

test('forwarded fields of a trusted proxy are kept and added to', async (t) => {
  const server = await origin(t)
  const balancer = await evener(t, proxyTo([server.address], { top: { trustedProxies: ['127.0.0.0/8'] }, http: { forwarded: 'both' } }))
  await request(t, { port: await balancer.port('web') }, '/', {
    fields: {
      'X-Forwarded-For': '203.0.113.9',
      'X-Forwarded-Proto': 'https',
      'X-Forwarded-Host': 'shop.test',
      Forwarded: 'for=203.0.113.9',
    },
  })
  const { headers } = server.requests[0]
  assert.equal(headers['x-forwarded-for'], '203.0.113.9, 127.0.0.1')
  assert.equal(headers['x-forwarded-proto'], 'https')
  assert.equal(headers['x-forwarded-host'], 'shop.test')
  assert.match(String(headers.forwarded), /^for=203\.0\.113\.9, for=127\.0\.0\.1;/)
})

test('hop-by-hop fields and those that Connection names end at the proxy, both ways', async (t) => {
  const server = await rawOrigin(
    t,
    answering('HTTP/1.1 200 OK\r\nConnection: X-Mine\r\nKeep-Alive: timeout=9\r\nX-Mine: 1\r\nX-Stays: 2\r\nContent-Length: 2\r\n\r\nok'),
  )
  const balancer = await evener(t, proxyTo([server.address]))
  const wire = await client(t, { port: await balancer.port('web') })
  await wire.write(
    'GET / HTTP/1.1\r\nHost: test\r\nConnection: keep-alive, X-Secret\r\nX-Secret: 1\r\nKeep-Alive: 5\r\nTE: trailers\r\nX-Kept: 2\r\n\r\n',
  )
  const response = await wire.readResponse()
  assert.deepEqual(fieldValues(response, 'x-mine'), [])
  assert.deepEqual(fieldValues(response, 'keep-alive'), [])
  assert.deepEqual(fieldValues(response, 'x-stays'), ['2'])
})

test('what a server is sent has no hop-by-hop fields', async (t) => {
  const server = await origin(t)
  const balancer = await evener(t, proxyTo([server.address]))
  const wire = await client(t, { port: await balancer.port('web') })
  await wire.write(
    'GET / HTTP/1.1\r\nHost: test\r\nConnection: close, X-Secret\r\nX-Secret: 1\r\nKeep-Alive: 5\r\nTE: trailers\r\nProxy-Authorization: x\r\nX-Kept: 2\r\n\r\n',
  )
  await wire.readResponse()
  const names = server.requests[0].rawHeaders.filter((_, index) => index % 2 === 0).map((name) => name.toLowerCase())
  for (const gone of ['connection', 'x-secret', 'keep-alive', 'te', 'proxy-authorization']) assert.ok(!names.includes(gone), gone)
  assert.ok(names.includes('x-kept'))
})

test('pipelined requests are answered in order, over one connection', async (t) => {
  const server = await origin(t, 'o', (incoming, response) => response.end(`answer ${incoming.url}`))
  const balancer = await evener(t, proxyTo([server.address]))
  const wire = await client(t, { port: await balancer.port('web') })
  const count = 50
  await wire.write(Buffer.concat(Array.from({ length: count }, (_, i) => requestBytes(`/${i}`))))
  for (let i = 0; i < count; i++) assert.equal((await wire.readResponse()).body.toString(), `answer /${i}`)
})

test('one connection to the server carries many requests', async (t) => {
  const server = await origin(t)
  const balancer = await evener(t, { workers: 1, ...proxyTo([server.address]) })
  const wire = await client(t, { port: await balancer.port('web') })
  for (let i = 0; i < 20; i++) {
    await wire.write(requestBytes('/'))
    await wire.readResponse()
  }
  assert.equal(server.connectionCount, 1)
})

test('an HTTP/1.0 client gets a response without chunks, and close ends it', async (t) => {
  const server = await rawOrigin(t, answering('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n'))
  const balancer = await evener(t, proxyTo([server.address]))
  const wire = await client(t, { port: await balancer.port('web') })
  await wire.write('GET / HTTP/1.0\r\n\r\n')
  const all = (await wire.readToEnd()).toString()
  assert.doesNotMatch(all, /transfer-encoding/i)
  assert.match(all, /\r\n\r\nhello$/)
})

test('an HTTP/1.0 client that asks for it keeps its connection', async (t) => {
  const server = await origin(t, 'ok', (_, response) => response.writeHead(200, { 'content-length': 2 }).end('ok'))
  const balancer = await evener(t, proxyTo([server.address]))
  const wire = await client(t, { port: await balancer.port('web') })
  for (let i = 0; i < 2; i++) {
    await wire.write('GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n')
    const response = await wire.readResponse()
    assert.equal(fieldValue(response, 'connection'), 'keep-alive')
    assert.equal(response.body.toString(), 'ok')
  }
})

test('a server that speaks HTTP/1.0 and ends its body by close is delivered in chunks', async (t) => {
  const server = await rawOrigin(t, async (wire) => {
    await wire.readRequest()
    await wire.write('HTTP/1.0 200 OK\r\n\r\nold times')
    wire.end()
  })
  const balancer = await evener(t, proxyTo([server.address]))
  const wire = await client(t, { port: await balancer.port('web') })
  for (let i = 0; i < 2; i++) {
    await wire.write(requestBytes('/'))
    const response = await wire.readResponse()
    assert.equal(fieldValue(response, 'transfer-encoding'), 'chunked')
    assert.equal(response.body.toString(), 'old times')
  }
})

test('chunks, extensions and trailers pass both ways', async (t) => {
  const seen = Promise.withResolvers<unknown>()
  const server = await rawOrigin(t, async (wire) => {
    const received = await wire.readRequest()
    seen.resolve({ body: received.body.toString(), trailers: received.trailers })
    await wire.write('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n4;a=b\r\nfour\r\n3;"x"\r\n')
    await wire.write('six\r\n0\r\nX-Sum: 7\r\n\r\n')
  })
  const balancer = await evener(t, proxyTo([server.address]))
  const wire = await client(t, { port: await balancer.port('web') })
  await wire.write(
    'POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n5;ext=1\r\nhello\r\n6\r\n world\r\n0\r\nX-Check: 9\r\n\r\n',
  )
  const interim = await Promise.race([seen.promise, server.failure])
  assert.deepEqual(interim, { body: 'hello world', trailers: [['X-Check', '9']] })
  await wire.end()
})

test('HEAD, 204 and 304 have no body, whatever their fields say', async (t) => {
  const server = await rawOrigin(t, async (wire) => {
    for (;;) {
      const { target } = await wire.readRequest()
      const status = target === '/304' ? '304 Not Modified' : target === '/204' ? '204 No Content' : '200 OK'
      await wire.write(`HTTP/1.1 ${status}\r\n${target === '/204' ? '' : 'Content-Length: 100\r\n'}\r\n`)
    }
  })
  const balancer = await evener(t, proxyTo([server.address]))
  const wire = await client(t, { port: await balancer.port('web') })
  for (const [method, target] of [
    ['HEAD', '/'],
    ['GET', '/304'],
    ['GET', '/204'],
    ['HEAD', '/'],
  ] as const) {
    await wire.write(requestBytes(target, { method }))
    const response = await wire.readResponse(method)
    assert.equal(response.body.length, 0)
    if (target !== '/204') assert.equal(fieldValue(response, 'content-length'), '100')
  }
})

test('Expect: 100-continue is passed on, and so is the 100', async (t) => {
  const server = await rawOrigin(t, async (wire) => {
    const head = await wire.readUntil('\r\n\r\n')
    assert.match(head, /expect: 100-continue/i)
    await wire.write('HTTP/1.1 100 Continue\r\n\r\n')
    const body = await wire.read(4)
    await wire.write(`HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n${body}`)
  })
  const balancer = await evener(t, proxyTo([server.address]))
  const wire = await client(t, { port: await balancer.port('web') })
  await wire.write('POST / HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n')
  assert.match(await wire.readUntil('\r\n\r\n'), /^HTTP\/1\.1 100 /)
  await wire.write('data')
  assert.equal((await wire.readResponse('POST')).body.toString(), 'data')
})

test('103 Early Hints reach an HTTP/1.1 client and no HTTP/1.0 client', async (t) => {
  const server = await rawOrigin(
    t,
    answering('HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'),
  )
  const balancer = await evener(t, proxyTo([server.address]))
  const port = await balancer.port('web')
  const wire = await client(t, { port })
  await wire.write(requestBytes('/'))
  const interim: Awaited<ReturnType<typeof wire.readResponse>>[] = []
  await wire.readResponse('GET', interim)
  assert.equal(interim[0].status, 103)
  const old = await client(t, { port })
  await old.write('GET / HTTP/1.0\r\n\r\n')
  assert.match((await old.readToEnd()).toString(), /^HTTP\/1\.1 200 /)
})

test('CONNECT is refused; TRACE and OPTIONS stop where Max-Forwards says', async (t) => {
  const server = await origin(t)
  const balancer = await evener(t, proxyTo([server.address]))
  const port = await balancer.port('web')
  const wire = await client(t, { port })
  await wire.write('CONNECT other.test:443 HTTP/1.1\r\nHost: other.test:443\r\n\r\n')
  assert.equal((await wire.readResponse()).status, 405)
  const options = await request(t, { port }, '*', { method: 'OPTIONS', fields: { 'Max-Forwards': '0' } })
  assert.equal(options.status, 200)
  assert.match(fieldValue(options, 'allow') ?? '', /GET/)
  assert.equal(server.requests.length, 0)
  await request(t, { port }, '/', { method: 'OPTIONS', fields: { 'Max-Forwards': '7' } })
  assert.equal(server.requests[0].headers['max-forwards'], '6')
})

test('absolute-form becomes origin-form, and its authority wins over Host', async (t) => {
  const server = await origin(t)
  const balancer = await evener(t, proxyTo([server.address]))
  const wire = await client(t, { port: await balancer.port('web') })
  await wire.write('GET http://real.test/p?q HTTP/1.1\r\nHost: other.test\r\n\r\n')
  await wire.readResponse()
  assert.equal(server.requests[0].uri, '/p?q')
  assert.equal(server.requests[0].headers.host, 'real.test')
})

test('a response without content is forwarded without a length', async (t) => {
  const server = await rawOrigin(t, answering('HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n'))
  const balancer = await evener(t, proxyTo([server.address]))
  const response = await request(t, { port: await balancer.port('web') }, '/')
  assert.equal(response.status, 204)
  assert.deepEqual(fieldValues(response, 'content-length'), [])
})

test('a request for https that came in the clear is refused', async (t) => {
  const server = await origin(t)
  const balancer = await evener(t, proxyTo([server.address]))
  const wire = await client(t, { port: await balancer.port('web') })
  await wire.write('GET https://test/ HTTP/1.1\r\nHost: test\r\n\r\n')
  assert.equal((await wire.readResponse()).status, 421)
  assert.equal(server.requests.length, 0)
})
