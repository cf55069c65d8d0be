import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { WebSocket, WebSocketServer } from 'ws'
import { client, request } from '../support/client.ts'
import { evener, proxyTo } from '../support/evener.ts'
import { origin, rawOrigin } from '../support/origin.ts'

async function webSocketServer(t: { after(end: () => void): void }): Promise<string> {
  const server = createServer()
  const sockets = new WebSocketServer({ server })
  sockets.on('connection', (socket) => socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary })))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    for (const socket of sockets.clients) socket.terminate()
    server.close()
  })
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

test('a WebSocket works through the proxy, with small and large messages, and closes in order', async (t) => {
  const balancer = await evener(t, proxyTo([await webSocketServer(t)]))
  const socket = new WebSocket(`ws://127.0.0.1:${await balancer.port('web')}/chat`)
  await once(socket, 'open')
  for (const size of [1, 125, 126, 65_536, 3_000_000]) {
    socket.send(Buffer.alloc(size, size & 255))
    const [data] = (await once(socket, 'message')) as [Buffer]
    assert.equal(data.length, size)
    assert.equal(data[size - 1], size & 255)
  }
  socket.close(1000, 'done')
  const [code] = await once(socket, 'close')
  assert.equal(code, 1000)
})

test('an idle WebSocket outlives the idle time-out of the listener', async (t) => {
  const balancer = await evener(
    t,
    proxyTo([await webSocketServer(t)], {
      http: { timeouts: { idle: '100ms', requestHead: '100ms', requestBody: '100ms' } },
      route: { timeouts: { response: '100ms' } },
    }),
  )
  const port = await balancer.port('web')
  const socket = new WebSocket(`ws://127.0.0.1:${port}/`)
  await once(socket, 'open')
  // A plain connection that starts to idle later is closed by the same time-out: by then the WebSocket has been idle for longer.
  const idle = await client(t, { port })
  assert.equal((await idle.readToEnd()).length, 0)
  socket.send('still there')
  const [data] = (await once(socket, 'message')) as [Buffer]
  assert.equal(data.toString(), 'still there')
  socket.terminate()
})

test('a WebSocket stays open over a reload', async (t) => {
  const config = proxyTo([await webSocketServer(t)])
  const balancer = await evener(t, config)
  const socket = new WebSocket(`ws://127.0.0.1:${await balancer.port('web')}/`)
  await once(socket, 'open')
  assert.equal((await balancer.call('POST', '/api/v1/reload')).status, 200)
  socket.send('after the reload')
  const [data] = (await once(socket, 'message')) as [Buffer]
  assert.equal(data.toString(), 'after the reload')
  socket.terminate()
})

test('an upgrade that the server declines is an ordinary response', async (t) => {
  const server = await origin(t, 'no')
  const balancer = await evener(t, proxyTo([server.address]))
  const response = await request(t, { port: await balancer.port('web') }, '/', {
    fields: { Connection: 'Upgrade, close', Upgrade: 'websocket' },
  })
  assert.equal(response.status, 200)
  assert.equal(server.requests.length, 1)
})

test('an upgrade to h2c is not passed on', async (t) => {
  const server = await rawOrigin(t, async (wire) => {
    const { head } = await wire.readRequest()
    assert.doesNotMatch(head, /upgrade|http2-settings/i)
    await wire.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
  })
  const balancer = await evener(t, proxyTo([server.address]))
  const wire = await client(t, { port: await balancer.port('web') })
  await wire.write(
    'GET / HTTP/1.1\r\nHost: test\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n\r\n',
  )
  assert.equal((await Promise.race([wire.readResponse(), server.failure])).status, 200)
})

test('a server that switches protocols in the middle of a request gets a 502 for it', async (t) => {
  const server = await rawOrigin(t, async (wire) => {
    await wire.readUntil('\r\n\r\n')
    await wire.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: test\r\n\r\n')
  })
  const balancer = await evener(t, proxyTo([server.address]))
  const wire = await client(t, { port: await balancer.port('web') })
  await wire.write('POST / HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe')
  assert.equal((await wire.readResponse('POST')).status, 502)
})
