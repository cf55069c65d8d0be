import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { client, requestBytes } from '../support/client.ts'
import { type Evener, evener, proxyTo } from '../support/evener.ts'
import { answering, origin, rawOrigin } from '../support/origin.ts'
import { fieldValue } from '../support/wire.ts'

const MIB = 1024 * 1024

test('a large body reaches the server whole, and its answer comes back whole', async (t) => {
  const server = await origin(t, 'echo', (_, response) => {
    response.end(
      createHash('sha256')
        .update(Buffer.from(server.requests.at(-1)?.body ?? '', 'latin1'))
        .digest('hex'),
    )
  })
  const balancer = await evener(t, proxyTo([server.address]))
  const wire = await client(t, { port: await balancer.port('web') })
  const body = randomBytes(5 * MIB + 17)
  await wire.write(requestBytes('/', { method: 'POST', body }))
  assert.equal((await wire.readResponse('POST')).body.toString(), createHash('sha256').update(body).digest('hex'))
})

test('a response of 64 MiB is delivered byte for byte', async (t) => {
  const piece = randomBytes(MIB)
  const server = await origin(t, 'big', (_, response) => {
    response.writeHead(200, { 'content-length': 64 * MIB })
    let sent = 0
    const feed = (): void => {
      if (sent === 64) response.end()
      else {
        sent++
        response.write(piece, feed)
      }
    }
    feed()
  })
  const balancer = await evener(t, proxyTo([server.address]))
  const wire = await client(t, { port: await balancer.port('web') })
  await wire.write(requestBytes('/'))
  await wire.readUntil('\r\n\r\n')
  for (let i = 0; i < 64; i++) assert.ok((await wire.read(MIB)).equals(piece), `MiB ${i}`)
})

test('a client that stops reading stops its server, and no other client', async (t) => {
  let written = 0
  const server = await rawOrigin(t, async (wire) => {
    while ((await wire.readRequest()).target !== '/endless') await wire.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
    await wire.write(`HTTP/1.1 200 OK\r\nContent-Length: ${1024 * MIB}\r\n\r\n`)
    const piece = Buffer.alloc(256 * 1024)
    while (!wire.socket.destroyed) {
      await wire.write(piece)
      written += piece.length
    }
  })
  const balancer = await evener(t, { workers: 1, ...proxyTo([server.address]) })
  const port = await balancer.port('web')
  const slow = await client(t, { port })
  slow.pause()
  await slow.write(requestBytes('/endless'))
  await server.connection(0)
  // Others are served while the slow one's bytes pile up, until they stop to.
  let before = -1
  while (written !== before || written === 0) {
    before = written
    for (let i = 0; i < 200; i++) {
      const wire = await client(t, { port })
      await wire.write(requestBytes('/'))
      assert.equal((await wire.readResponse()).body.toString(), 'ok')
      wire.socket.destroy()
    }
  }
  assert.ok(written < 64 * MIB, `the server wrote ${written} bytes to a client that reads none`)
})

for (const connection of ['keep-alive', 'close']) {
  test(`responses of a known length are spliced where the engine can, one after the other (${connection})`, async (t) => {
    const body = randomBytes(3 * MIB + 5)
    const server = await rawOrigin(t, async (wire) => {
      for (;;) {
        await wire.readRequest()
        await wire.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\nConnection: ${connection}\r\n\r\n`)
        await wire.write(body)
        if (connection === 'close') {
          wire.end()
          return
        }
      }
    })
    const balancer = await evener(t, { workers: 1, ...proxyTo([server.address]) })
    const wire = await client(t, { port: await balancer.port('web') })
    for (let i = 0; i < 6; i++) {
      await wire.write(requestBytes('/'))
      assert.ok((await wire.readResponse()).body.equals(body), `response ${i}`)
    }
    const page = (await balancer.call('GET', '/metrics')).text
    const spliced = Number(/evener_http_spliced_bytes_total\{listener="web"\} (\S+)/.exec(page)?.[1])
    assert.match(page, new RegExp(`evener_http_response_body_bytes_total\\{listener="web"\\} ${6 * body.length}\n`))
    if (process.env.EVENER_TEST_ENGINE === 'portable') assert.equal(spliced, 0)
    else assert.ok(spliced > 0 && spliced <= 6 * body.length, `${spliced} bytes were spliced`)
    if (connection === 'keep-alive') assert.equal(server.wires.length, 1)
  })
}

test('a small response is taken off its server although the client does not read', async (t) => {
  const server = await rawOrigin(t, answering(`HTTP/1.1 200 OK\r\nContent-Length: ${MIB}\r\n\r\n${'x'.repeat(MIB)}`))
  const balancer = await evener(t, { workers: 1, ...proxyTo([server.address]) })
  const port = await balancer.port('web')
  const slow = await client(t, { port })
  slow.pause()
  await slow.write(requestBytes('/'))
  const other = await client(t, { port })
  for (let i = 0; i < 3; i++) {
    await other.write(requestBytes('/'))
    await other.readResponse()
  }
  for (;;) {
    const { active } = (await balancer.status()).pools[0].servers[0]
    if (active === 0) break
  }
})

test('a body above the limit is refused with 413, announced or not', async (t) => {
  const server = await origin(t)
  const balancer = await evener(t, proxyTo([server.address], { http: { limits: { body: '1KiB' } } }))
  const port = await balancer.port('web')
  const announced = await client(t, { port })
  await announced.write('POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 1025\r\n\r\n')
  assert.equal((await announced.readResponse()).status, 413)
  const chunked = await client(t, { port })
  await chunked.write(`POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n401\r\n${'x'.repeat(1025)}\r\n0\r\n\r\n`)
  assert.equal((await chunked.readResponse()).status, 413)
  assert.equal(server.requests.length, 0)
})

test('a request body that arrives one byte at a time arrives', async (t) => {
  const server = await origin(t)
  const balancer = await evener(t, proxyTo([server.address]))
  const wire = await client(t, { port: await balancer.port('web') })
  await wire.writeSlowly('POST /slow HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n')
  assert.equal((await wire.readResponse('POST')).status, 200)
  assert.equal(server.requests[0].body, 'abcde')
})

test('a client that is slower than its connection is kept open for still gets the whole of its last answer', async (t) => {
  const body = randomBytes(3 * MIB)
  const server = await rawOrigin(t, async (wire) => {
    await wire.readUntil('\r\n\r\n')
    await wire.write(`HTTP/1.1 200 OK\r\nContent-Length: ${body.length}\r\n\r\n`)
    await wire.write(body)
  })
  const balancer = await evener(t, { workers: 1, ...proxyTo([server.address]) })
  const port = await balancer.port('web')
  const saysClose = await client(t, { port })
  const owesBody = await client(t, { port })
  for (const slow of [saysClose, owesBody]) slow.pause()
  await saysClose.write(requestBytes('/', { fields: { Connection: 'close' } }))
  await owesBody.write('POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 10\r\n\r\nhello')
  // Clients that are refused and do not go are closed in the end, twice; the slow ones would have been too.
  for (let i = 0; i < 2; i++) {
    const refused = await client(t, { port })
    await refused.write('nonsense\r\n\r\n')
    await refused.readToEnd()
    const open = await connections(balancer)
    while ((await connections(balancer)) === open);
  }
  for (const slow of [saysClose, owesBody]) {
    slow.resume()
    await slow.readUntil('\r\n\r\n')
    assert.ok((await slow.readToEnd()).equals(body))
  }
})

async function connections(balancer: Evener): Promise<number> {
  const { text } = await balancer.call('GET', '/metrics')
  return Number(/^evener_connections\{.*\} (\d+)$/m.exec(text)?.[1])
}

test('an answer that comes before the body has ends the connection, and what follows is no request', async (t) => {
  const server = await rawOrigin(t, async (wire) => {
    await wire.readUntil('\r\n\r\n')
    await wire.write('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno')
  })
  const balancer = await evener(t, proxyTo([server.address]))
  const wire = await client(t, { port: await balancer.port('web') })
  await wire.write('POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 40\r\n\r\n')
  const answer = await wire.readResponse('POST')
  assert.equal(answer.status, 403)
  assert.equal(fieldValue(answer, 'connection'), 'close')
  await wire.write('GET /smuggled HTTP/1.1\r\nHost: test\r\n\r\n')
  assert.equal((await wire.readToEnd()).length, 0)
  await (await server.connection(0)).closed()
  assert.equal(server.wires.length, 1)
})

test('a client that has sent its whole request and FIN still gets its answer', async (t) => {
  const server = await rawOrigin(t, async (wire) => {
    await wire.readRequest()
    asked.resolve()
    await answers.promise
    await wire.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate')
  })
  const [asked, answers] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const balancer = await evener(t, proxyTo([server.address]))
  const wire = await client(t, { port: await balancer.port('web') })
  await wire.write(requestBytes('/', { method: 'POST', body: 'whole' }))
  wire.end()
  await asked.promise
  answers.resolve()
  assert.equal((await wire.readResponse('POST')).body.toString(), 'late')
  assert.equal((await wire.readToEnd()).length, 0)
})
