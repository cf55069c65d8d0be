import assert from 'node:assert/strict'
import { test } from 'node:test'
import { client, requestBytes } from '../support/client.ts'
import { evener, proxyTo } from '../support/evener.ts'
import { origin, rawOrigin } from '../support/origin.ts'
import { WireClosed } from '../support/wire.ts'

/** Requests that two parsers could read differently, each with a second request hidden in it. */
const SMUGGLED = 'GET /smuggled HTTP/1.1\r\nHost: test\r\n\r\n'
const AMBIGUOUS: Readonly<Record<string, string>> = {
  'CL.TE': `POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${SMUGGLED}`,
  'TE.CL': `POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n5c\r\n${SMUGGLED}`,
  'TE.TE, an unknown coding': `POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0\r\n\r\n${SMUGGLED}`,
  'TE with a tab': `POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: x\tchunked\r\n\r\n0\r\n\r\n${SMUGGLED}`,
  'TE in HTTP/1.0': `POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${SMUGGLED}`,
  'two lengths': `POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\nContent-Length: 43\r\n\r\n${SMUGGLED}`,
  'two equal lengths': `POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n${SMUGGLED}`,
  'a list of lengths': `POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 0, 43\r\n\r\n${SMUGGLED}`,
  'a signed length': `POST / HTTP/1.1\r\nHost: test\r\nContent-Length: +0\r\n\r\n${SMUGGLED}`,
  'white space before the colon': `POST / HTTP/1.1\r\nHost: test\r\nContent-Length : 43\r\n\r\n${SMUGGLED}`,
  'a folded field': `POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n${SMUGGLED}`,
  'bare LF between lines': `POST / HTTP/1.1\nHost: test\nContent-Length: 0\n\n${SMUGGLED}`,
  'bare CR in a value': `GET / HTTP/1.1\r\nHost: test\r\nX: a\rContent-Length: 43\r\n\r\n${SMUGGLED}`,
  'NUL in a value': `GET / HTTP/1.1\r\nHost: test\r\nX: a\0b\r\n\r\n${SMUGGLED}`,
  'an underscore for a hyphen': `POST / HTTP/1.1\r\nHost: test\r\nContent_Length: 43\r\n\r\n${SMUGGLED}`,
  'two hosts': `GET / HTTP/1.1\r\nHost: a.test\r\nHost: b.test\r\n\r\n${SMUGGLED}`,
  'no host': `GET / HTTP/1.1\r\n\r\n${SMUGGLED}`,
  'a chunk size in hexadecimal notation': `POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n${SMUGGLED}`,
  'a chunk size with white space': `POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n0 \r\n\r\n${SMUGGLED}`,
  'a chunk ended by LF': `POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n1\nx\r\n0\r\n\r\n${SMUGGLED}`,
  'a chunk size that overflows': `POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000000\r\n${SMUGGLED}`,
  'HTTP/0.9': 'GET /\r\n',
  'a space in the target': `GET /a b HTTP/1.1\r\nHost: test\r\n\r\n${SMUGGLED}`,
}

for (const [name, bytes] of Object.entries(AMBIGUOUS)) {
  test(`refused with 400, and nothing behind it is read: ${name}`, async (t) => {
    const server = await origin(t)
    const balancer = await evener(t, { workers: 1, ...proxyTo([server.address]) })
    const wire = await client(t, { port: await balancer.port('web') })
    await wire.write(bytes)
    const response = await wire.readResponse()
    assert.ok(response.status === 400 || response.status === 501, `${response.status}`)
    assert.equal((await wire.readToEnd()).length, 0)
    assert.deepEqual(
      server.requests.map(({ uri }) => uri).filter((uri) => uri === '/smuggled'),
      [],
    )
  })
}

test('the server never sees more requests than were answered, however the bytes come', async (t) => {
  let seen = 0
  const server = await rawOrigin(t, async (wire) => {
    for (;;) {
      await wire.readRequest()
      seen++
      await wire.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n')
    }
  })
  const balancer = await evener(t, { workers: 1, ...proxyTo([server.address]) })
  const port = await balancer.port('web')
  let answered = 0
  for (const bytes of Object.values(AMBIGUOUS)) {
    for (const size of [1, 7, 64, bytes.length]) {
      const wire = await client(t, { port })
      await wire.writeSlowly(bytes, size).catch(() => {})
      wire.end()
      try {
        for (;;) if ((await wire.readResponse()).status === 200) answered++
      } catch (error) {
        if (!(error instanceof WireClosed)) throw error
      }
    }
  }
  await Promise.race([Promise.resolve(), server.failure])
  assert.equal(seen, answered)
})

test('limits have their own statuses: 414 for the target, 431 for the head', async (t) => {
  const server = await origin(t)
  const balancer = await evener(t, proxyTo([server.address]))
  const port = await balancer.port('web')
  const target = await client(t, { port })
  await target.write(requestBytes(`/${'x'.repeat(20_000)}`))
  assert.equal((await target.readResponse()).status, 414)
  const head = await client(t, { port })
  await head.write(requestBytes('/', { fields: Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`X-${i}`, 'x'.repeat(1000)])) }))
  assert.equal((await head.readResponse()).status, 431)
  const fields = await client(t, { port })
  await fields.write(requestBytes('/', { fields: Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`X-${i}`, '1'])) }))
  assert.equal((await fields.readResponse()).status, 431)
})

test('a thousand clients that send one byte and wait hold nobody up', async (t) => {
  const server = await origin(t, 'ok')
  const balancer = await evener(t, { workers: 1, ...proxyTo([server.address]) })
  const port = await balancer.port('web')
  const slow = await Promise.all(Array.from({ length: 1000 }, () => client(t, { port })))
  await Promise.all(slow.map((wire) => wire.write('G')))
  const wire = await client(t, { port })
  await wire.write(requestBytes('/'))
  assert.equal((await wire.readResponse()).body.toString(), 'ok')
  for (const each of slow) each.socket.destroy()
})
