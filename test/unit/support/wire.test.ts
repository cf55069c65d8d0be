import assert from 'node:assert/strict'
import { test } from 'node:test'
import { client, request, requestBytes } from '../../support/client.ts'
import { needs } from '../../support/needs.ts'
import { answering, origin, rawOrigin, refusedPort } from '../../support/origin.ts'
import { haproxy, nginx } from '../../support/peers.ts'
import { fieldValue, fieldValues, WireClosed } from '../../support/wire.ts'

test('a raw client and a raw origin exchange pipelined messages', async (t) => {
  const server = await rawOrigin(t, async (wire) => {
    const first = await wire.readRequest()
    const second = await wire.readRequest()
    assert.deepEqual([first.body.toString(), second.target], ['hello', '/b'])
    await wire.write('HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nT: 1\r\n\r\n')
    await wire.write('HTTP/1.0 404 Not here\r\nA: 1\r\na: 2\r\n\r\nuntil the end')
    wire.end()
  })
  const wire = await client(t, server)
  await wire.write(Buffer.concat([requestBytes('/a', { method: 'POST', body: 'hello' }), requestBytes('/b')]))
  const interim: { status: number }[] = []
  const first = await wire.readResponse('POST', interim as never)
  assert.deepEqual([interim[0].status, first.body.toString(), first.trailers], [100, 'abc', [['T', '1']]])
  const second = await wire.readResponse()
  assert.deepEqual(
    [second.status, second.reason, second.body.toString(), fieldValues(second, 'A')],
    [404, 'Not here', 'until the end', ['1', '2']],
  )
  assert.throws(() => fieldValue(second, 'a'), /2 times/)
})

test('a read that the peer leaves unanswered says what had come', async (t) => {
  const server = await rawOrigin(t, async (wire) => {
    await wire.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc')
    wire.end()
  })
  const wire = await client(t, server)
  await assert.rejects(wire.readResponse(), (error) => error instanceof WireClosed && error.received === 'abc')
  assert.equal(await wire.closed(), undefined)
})

test('a reset is told from an orderly end', async (t) => {
  const server = await rawOrigin(t, async (wire) => {
    await wire.readRequest()
    wire.reset()
  })
  const wire = await client(t, server)
  await wire.writeSlowly(requestBytes('/'))
  assert.equal(await wire.closed(), 'ECONNRESET')
})

test('an origin remembers its requests, and refuses once it is stopped', async (t) => {
  const server = await origin(t, 'a')
  const response = await request(t, server, '/x?y', { method: 'PUT', body: 'content', fields: { 'X-Test': '1' } })
  assert.equal(response.body.toString(), 'a')
  assert.equal(server.requests[0].headers['x-test'], '1')
  assert.deepEqual([server.requests[0].uri, server.requests[0].body, server.connectionCount], ['/x?y', 'content', 1])
  await server.stop()
  await assert.rejects(client(t, server), /ECONNREFUSED/)
  await assert.rejects(client(t, { port: await refusedPort() }), /ECONNREFUSED/)
})

test('nginx runs as a peer', needs('nginx'), async (t) => {
  const peer = await nginx(t, { config: ([port]) => `server { listen 127.0.0.1:${port}; location / { return 200 "nginx $uri"; } }` })
  assert.equal((await request(t, { port: peer.ports[0] }, '/x')).body.toString(), 'nginx /x')
})

test('HAProxy runs as a peer', needs('haproxy'), async (t) => {
  const server = await rawOrigin(t, answering('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'))
  const peer = await haproxy(t, {
    config: ([port]) => `
defaults
  mode http
  timeout connect 5s
  timeout client 5s
  timeout server 5s
listen web
  bind 127.0.0.1:${port}
  server a ${server.address}
`,
  })
  assert.equal((await request(t, { port: peer.ports[0] }, '/')).body.toString(), 'ok')
  await peer.stop()
  await assert.rejects(client(t, { port: peer.ports[0] }), /ECONNREFUSED/)
})
