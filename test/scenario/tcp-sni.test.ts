import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { createServer } from 'node:tls'
import { temporaryFolder } from '../support/cleanup.ts'
import { client } from '../support/client.ts'
import { clientHello } from '../support/client-hello.ts'
import { type Evener, evener } from '../support/evener.ts'
import { needs, program } from '../support/needs.ts'
import { rawOrigin } from '../support/origin.ts'

const LOG = { accessLog: { path: 'stdout', format: 'line {route} {pool} {termination}' } }

/** A server that says its name and how many bytes have come so far. */
function named(t: TestContext, name: string) {
  return rawOrigin(t, async (wire) => {
    let count = 0
    for (;;) {
      count += (await wire.read(1)).length
      if (wire.pending === '') await wire.write(`${name} ${count};`)
    }
  })
}

const ROUTES = [
  { match: { sni: ['shop.test', '*.shop.test'], alpn: 'h2' }, pool: 'two' },
  { match: { sni: ['shop.test', '*.shop.test'] }, pool: 'one' },
  { match: { client: '192.0.2.0/24' }, pool: 'two' },
  { match: { sni: 'secret.test' }, pool: 'two' },
  { match: { sni: '*.any.test' }, pool: 'one' },
]

async function routed(t: TestContext, routes: readonly object[] = ROUTES, tcp: object = {}): Promise<{ balancer: Evener; port: number }> {
  const [one, two] = [await named(t, 'one'), await named(t, 'two')]
  const balancer = await evener(t, {
    ...LOG,
    listeners: { tls: { bind: '127.0.0.1:0', tcp: { routes, ...tcp } } },
    pools: { one: { servers: [one.address] }, two: { servers: [two.address] } },
  })
  return { balancer, port: await balancer.port('tls') }
}

/** Who answers, once all bytes of the hello have come there. */
async function answer(t: TestContext, port: number, bytes: Buffer, pieceBytes = bytes.length): Promise<string> {
  const wire = await client(t, { port })
  await wire.writeSlowly(bytes, pieceBytes)
  for (;;) {
    const [name, count] = (await wire.readUntil(';')).slice(0, -1).split(' ')
    if (Number(count) === bytes.length) return name
  }
}

test('the name and the protocols of the hello choose the pool, and the server gets every byte of it', async (t) => {
  const { port } = await routed(t)
  assert.equal(await answer(t, port, clientHello({ name: 'shop.test', protocols: ['http/1.1'] })), 'one')
  assert.equal(await answer(t, port, clientHello({ name: 'SHOP.test', protocols: ['h2', 'http/1.1'] })), 'two')
  assert.equal(await answer(t, port, clientHello({ name: 'a.b.shop.test' })), 'one')
  assert.equal(await answer(t, port, clientHello({ name: 'secret.test' })), 'two')
})

test('a hello in many segments and records is put together', async (t) => {
  const { port } = await routed(t)
  const extensions = [[10, Buffer.alloc(1300)]] as const
  for (const recordBytes of [16_384, 100]) {
    const bytes = clientHello({ name: 'shop.test', extensions, recordBytes })
    for (const pieceBytes of [700, 11]) assert.equal(await answer(t, port, bytes, pieceBytes), 'one')
  }
})

test('what matches no route is reset, and so is what begins like TLS and is none', async (t) => {
  const { balancer, port } = await routed(t)
  const ends = async (bytes: Uint8Array | string) => {
    const wire = await client(t, { port })
    await wire.write(bytes)
    return wire.closed()
  }
  assert.equal(await ends(clientHello({ name: 'other.test' })), 'ECONNRESET')
  await balancer.printed(/line - - no-route/)
  assert.equal(await ends('GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n'), 'ECONNRESET')
  assert.equal(await ends(clientHello({ name: 'shop\0.test' })), 'ECONNRESET')
  await balancer.printed(/line - - preface-invalid/)
  assert.equal(await ends(clientHello({ extensions: [[21, Buffer.alloc(20_000)]] })), 'ECONNRESET')
})

test('a client that sends no whole hello in time is reset', async (t) => {
  const { balancer, port } = await routed(t, ROUTES, { timeouts: { preface: '100ms' } })
  const wire = await client(t, { port })
  await wire.write(clientHello({ name: 'shop.test' }).subarray(0, 30))
  assert.equal(await wire.closed(), 'ECONNRESET')
  await balancer.printed(/preface-timeout/)
})

test('what is not TLS goes to the first route that asks for neither name nor protocol', async (t) => {
  const { port } = await routed(t, [{ match: { sni: 'shop.test' }, pool: 'one' }, { pool: 'two' }])
  assert.equal(await answer(t, port, Buffer.from('\x00\x00\x00\x08\x04\xd2\x16\x2f', 'latin1')), 'two')
  assert.equal(await answer(t, port, clientHello({ name: 'shop.test' })), 'one')
  assert.equal(await answer(t, port, clientHello({})), 'two')
})

test('the name may be what a hash goes by', async (t) => {
  const servers = await Promise.all(['a', 'b', 'c', 'd'].map(async (name) => (await named(t, name)).address))
  const balancer = await evener(t, {
    listeners: { tls: { bind: '127.0.0.1:0', tcp: { pool: 'app' } } },
    pools: { app: { algorithm: { name: 'hash', key: 'sni' }, servers } },
  })
  const port = await balancer.port('tls')
  const seen = new Set<string>()
  for (const host of ['a.test', 'b.test', 'c.test', 'd.test', 'e.test', 'f.test']) {
    const first = await answer(t, port, clientHello({ name: host }))
    assert.equal(await answer(t, port, clientHello({ name: host })), first)
    seen.add(first)
  }
  assert.ok(seen.size > 1)
})

test('the name that passes through is told to a server that is sent a header', async (t) => {
  const server = await rawOrigin(t, async (wire) => void (await wire.write(await wire.read(40))))
  const balancer = await evener(t, {
    listeners: { tls: { bind: '127.0.0.1:0', tcp: { pool: 'app', proxyProtocol: { tlvs: ['authority'] } } } },
    pools: { app: { servers: [server.address] } },
  })
  const wire = await client(t, { port: await balancer.port('tls') })
  await wire.write(clientHello({ name: 'shop.test' }))
  assert.equal((await wire.read(40)).subarray(28).toString('latin1'), '\x02\x00\x09shop.test')
})

test('openssl s_client reaches the certificate of the name that it asks for', needs('openssl'), async (t) => {
  const folder = temporaryFolder(t)
  const secured = async (name: string) => {
    const [key, cert] = [join(folder, `${name}.key`), join(folder, `${name}.pem`)]
    const subject = ['-subj', `/CN=${name}`, '-addext', `subjectAltName=DNS:${name}`]
    execFileSync(
      program('openssl'),
      [
        'req',
        '-x509',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:P-256',
        '-nodes',
        '-days',
        '1',
        '-keyout',
        key,
        '-out',
        cert,
        ...subject,
      ],
      { stdio: 'ignore' },
    )
    const server = createServer({ key: readFileSync(key), cert: readFileSync(cert), ALPNProtocols: ['h2', 'http/1.1'] }, (socket) => {
      socket.on('error', () => {})
      socket.end(`this is ${name}\n`)
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    t.after(() => server.close())
    return `127.0.0.1:${(server.address() as AddressInfo).port}`
  }
  const balancer = await evener(t, {
    listeners: {
      tls: {
        bind: '127.0.0.1:0',
        tcp: {
          routes: [
            { match: { sni: 'one.test' }, pool: 'one' },
            { match: { sni: '*.two.test' }, pool: 'two' },
          ],
        },
      },
    },
    pools: { one: { servers: [await secured('one.test')] }, two: { servers: [await secured('www.two.test')] } },
  })
  const port = await balancer.port('tls')
  for (const name of ['one.test', 'www.two.test']) {
    const child = spawn(program('openssl'), ['s_client', '-connect', `127.0.0.1:${port}`, '-servername', name, '-alpn', 'h2', '-ign_eof'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    let output = ''
    child.stdout.on('data', (chunk: Buffer) => (output += chunk))
    await once(child, 'close')
    assert.match(output, new RegExp(`subject=CN ?= ?${name}`))
    assert.match(output, new RegExp(`this is ${name}`))
  }
})
