import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { client, request } from '../support/client.ts'
import { evener } from '../support/evener.ts'
import { needs } from '../support/needs.ts'
import { origin, rawOrigin, refusedPort } from '../support/origin.ts'
import { haproxy, nginx } from '../support/peers.ts'

const LOOPBACK = { from: '127.0.0.0/8' }
const LOG = { accessLog: { path: 'stdout', format: 'line {listener} {client} {termination} {status}' } }
const V1 = 'PROXY TCP4 203.0.113.9 198.51.100.1 4711 443\r\n'
const V2 = '\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c\xcb\x00\x71\x09\xc6\x33\x64\x01\x12\x67\x01\xbb'
const GET = 'GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n'

/** A web listener in front of a server, and one that passes bytes on to an echo. */
async function accepting(t: TestContext, accept: object, more: object = {}) {
  const server = await origin(t)
  const echo = await rawOrigin(t, async (wire) => {
    for (;;) await wire.write(await wire.read(1))
  })
  const balancer = await evener(t, {
    ...LOG,
    listeners: {
      web: {
        bind: '127.0.0.1:0',
        acceptProxyProtocol: accept,
        http: { routes: [{ match: { client: '203.0.113.0/24' }, pool: 'app' }, { respond: { body: 'other' } }] },
      },
      raw: { bind: '127.0.0.2:0', acceptProxyProtocol: accept, tcp: { pool: 'echo', ...more } },
    },
    pools: { app: { servers: [server.address] }, echo: { servers: [echo.address] } },
  })
  return { balancer, server, web: { port: await balancer.port('web') }, raw: { host: '127.0.0.2', port: await balancer.port('raw') } }
}

test('the client that a trusted peer names is the one in routes, forwarded fields and log', async (t) => {
  const { balancer, server, web } = await accepting(t, LOOPBACK)
  for (const [index, header] of [V1, V2].entries()) {
    const wire = await client(t, web)
    await wire.write(header + GET)
    assert.equal((await wire.readResponse()).body.toString(), 'origin')
    assert.equal(server.requests[index].headers['x-forwarded-for'], '203.0.113.9')
  }
  await balancer.printed(/line web 203\.0\.113\.9 complete 200/)
})

test('a header may come in pieces of any size, with the first bytes right behind it', async (t) => {
  const { web, raw } = await accepting(t, LOOPBACK)
  for (const header of [V1, V2]) {
    const slow = await client(t, web)
    await slow.writeSlowly(header + GET)
    assert.equal((await slow.readResponse()).body.toString(), 'origin')
    const wire = await client(t, raw)
    await wire.writeSlowly(header)
    await wire.write('first')
    assert.equal((await wire.read(5)).toString(), 'first')
  }
})

test('a peer that speaks for itself keeps its own address', async (t) => {
  const { web } = await accepting(t, LOOPBACK)
  for (const header of ['PROXY UNKNOWN\r\n', '\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00']) {
    const wire = await client(t, web)
    await wire.write(header + GET)
    assert.equal((await wire.readResponse()).body.toString(), 'other')
  }
})

test('a trusted peer without a header, with a malformed or a late one is cut off, counted and logged', async (t) => {
  const { balancer, web, raw } = await accepting(t, { ...LOOPBACK, timeout: '200ms' })
  for (const target of [web, raw]) {
    for (const bytes of [GET, 'PROXY TCP4 203.0.113.9 1.2.3.4 1 99999\r\n', V2.replace('\x21', '\x22')]) {
      const wire = await client(t, target)
      await wire.write(bytes)
      assert.equal(await wire.closed(), 'ECONNRESET')
    }
    const late = await client(t, target)
    await late.write(V1.slice(0, 20))
    assert.equal(await late.closed(), 'ECONNRESET')
  }
  await balancer.printed(/line raw 127\.0\.0\.1 proxy-header-timeout/)
  const page = (await balancer.call('GET', '/metrics')).text
  for (const listener of ['web', 'raw']) {
    assert.match(page, new RegExp(`evener_proxy_protocol_refused_total\\{listener="${listener}",reason="proxy-header-malformed"\\} 3\n`))
    assert.match(page, new RegExp(`evener_proxy_protocol_refused_total\\{listener="${listener}",reason="proxy-header-timeout"\\} 1\n`))
  }
  assert.deepEqual(
    (await balancer.status()).listeners.map(({ connections }) => connections),
    [0, 0],
  )
})

test('a peer that is not trusted is cut off; where others are taken as they are, its header is nothing but its first bytes', async (t) => {
  const strict = await accepting(t, { from: '10.0.0.0/8' })
  assert.equal(
    await client(t, strict.web).then(
      (wire) => wire.closed(),
      (error: NodeJS.ErrnoException) => error.code,
    ),
    'ECONNRESET',
  )
  await strict.balancer.printed(/line web 127\.0\.0\.1 proxy-header-untrusted/)
  const open = await accepting(t, { from: '10.0.0.0/8', others: 'direct' })
  assert.equal((await request(t, open.web, '/')).body.toString(), 'other')
  const wire = await client(t, open.web)
  await wire.write(V1 + GET)
  assert.equal((await wire.readResponse()).status, 400)
  const raw = await client(t, open.raw)
  await raw.write(V1)
  assert.equal((await raw.read(V1.length)).toString('latin1'), V1)
})

test('servers are sent the header that the listener or the pool asks for, before the first byte', async (t) => {
  const seen: string[] = []
  const server = await rawOrigin(t, async (wire) => {
    const first = await wire.read(1)
    seen.push(
      first[0] === 0x50 ? first.toString() + (await wire.readUntil('\n')) : Buffer.concat([first, await wire.read(27)]).toString('hex'),
    )
    if (seen.length > 2) await wire.readRequest()
    await wire.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok')
  })
  const balancer = await evener(t, {
    listeners: {
      one: { bind: '127.0.0.2:0', tcp: { pool: 'plain', proxyProtocol: 'v1' } },
      two: { bind: '127.0.0.3:0', tcp: { pool: 'told' } },
      web: { bind: '127.0.0.4:0', http: { routes: [{ pool: 'told' }] } },
    },
    pools: { plain: { servers: [server.address] }, told: { servers: [server.address], proxyProtocol: 'v2' } },
  })
  const ports: Record<string, number> = {}
  for (const [name, host] of [
    ['one', '127.0.0.2'],
    ['two', '127.0.0.3'],
  ]) {
    ports[name] = await balancer.port(name)
    const wire = await client(t, { host, port: ports[name] })
    await wire.readUntil('ok')
    const { localPort = 0 } = wire.socket
    const hex = (port: number) => port.toString(16).padStart(4, '0')
    if (name === 'one') assert.equal(seen[0], `PROXY TCP4 127.0.0.1 ${host} ${localPort} ${ports[name]}\r\n`)
    else assert.equal(seen[1], `0d0a0d0a000d0a515549540a2111000c7f0000017f000003${hex(localPort)}${hex(ports[name])}`)
  }
  // Two requests of two clients: no connection may serve both.
  const web = { host: '127.0.0.4', port: await balancer.port('web') }
  for (let i = 0; i < 2; i++) assert.equal((await request(t, web, '/')).status, 200)
  assert.equal(seen.length, 4)
  assert.match(seen[3], /^0d0a0d0a000d0a515549540a2111000c7f0000017f000004/)
})

test('what a balancer in front told is told on', async (t) => {
  const server = await rawOrigin(t, async (wire) => void (await wire.write(await wire.readUntil('\n'))))
  const balancer = await evener(t, {
    listeners: { raw: { bind: '127.0.0.1:0', acceptProxyProtocol: LOOPBACK, tcp: { pool: 'app', proxyProtocol: 'v1' } } },
    pools: { app: { servers: [server.address] } },
  })
  const wire = await client(t, { port: await balancer.port('raw') })
  await wire.write(V2)
  assert.equal(await wire.readUntil('\n'), V1)
})

test('HAProxy and Evener introduce clients to each other, in both versions and with TLVs', needs('haproxy'), async (t) => {
  const server = await origin(t)
  const inner = await refusedPort()
  const peer = await haproxy(t, {
    portCount: 4,
    config: ([v1, v2, accept, answer]) => `
defaults
  mode http
  timeout connect 5s
  timeout client 10s
  timeout server 10s
listen v1
  bind 127.0.0.1:${v1}
  server evener 127.0.0.1:${inner} send-proxy
listen v2
  bind 127.0.0.1:${v2}
  server evener 127.0.0.1:${inner} send-proxy-v2 proxy-v2-options crc32c,unique-id
  unique-id-format %{+X}o\\ %ci:%cp
frontend accept
  bind 127.0.0.1:${accept} accept-proxy
  http-request return status 200 content-type text/plain lf-string "%[src]:%[src_port] %[dst] %[fc_pp_authority] %[fc_pp_unique_id]"
frontend answer
  bind 127.0.0.1:${answer}
  http-request return status 200 content-type text/plain string plain
`,
  })
  const [v1, v2, accept] = peer.ports
  const balancer = await evener(t, {
    listeners: {
      web: { bind: `127.0.0.1:${inner}`, acceptProxyProtocol: LOOPBACK, http: { routes: [{ pool: 'app' }] } },
      told: {
        bind: '127.0.0.2:0',
        acceptProxyProtocol: LOOPBACK,
        tcp: { pool: 'haproxy', proxyProtocol: { version: 'v2', tlvs: ['authority', 'unique-id', 'checksum'] } },
      },
      line: { bind: '127.0.0.3:0', tcp: { pool: 'haproxy', proxyProtocol: 'v1' } },
      web2: { bind: '127.0.0.4:0', http: { routes: [{ pool: 'haproxy2' }] } },
    },
    pools: {
      app: { servers: [server.address] },
      haproxy: { servers: [`127.0.0.1:${accept}`] },
      haproxy2: { servers: [`127.0.0.1:${accept}`], proxyProtocol: 'v2' },
    },
  })
  for (const port of [v1, v2]) {
    assert.equal((await request(t, { port, host: '127.0.0.1' }, '/')).body.toString(), 'origin')
    assert.equal(server.requests.at(-1)?.headers['x-forwarded-for'], '127.0.0.1')
  }
  const told = await client(t, { host: '127.0.0.2', port: await balancer.port('told') })
  await told.write(
    '\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x1d\xcb\x00\x71\x09\xc6\x33\x64\x01\x12\x67\x01\xbb\x02\x00\x09shop.test\x05\x00\x02id',
  )
  await told.write(GET)
  assert.equal((await told.readResponse()).body.toString(), '203.0.113.9:4711 198.51.100.1 shop.test id')
  assert.match(
    (await request(t, { host: '127.0.0.3', port: await balancer.port('line') }, '/')).body.toString(),
    /^127\.0\.0\.1:\d+ 127\.0\.0\.3 /,
  )
  assert.match(
    (await request(t, { host: '127.0.0.4', port: await balancer.port('web2') }, '/')).body.toString(),
    /^127\.0\.0\.1:\d+ 127\.0\.0\.4 /,
  )
})

test('nginx reads the headers that Evener sends, and checks introduce themselves too', needs('nginx'), async (t) => {
  const peer = await nginx(t, {
    config: ([port]) =>
      `server { listen 127.0.0.1:${port} proxy_protocol; location / { default_type text/plain; return 200 "$proxy_protocol_addr $proxy_protocol_server_addr"; } }`,
  })
  const pool = { servers: [`127.0.0.1:${peer.ports[0]}`], check: { http: {}, rise: 1, fall: 1 } }
  const balancer = await evener(t, {
    listeners: {
      one: { bind: '127.0.0.2:0', tcp: { pool: 'v1' } },
      two: { bind: '127.0.0.3:0', tcp: { pool: 'v2' } },
    },
    pools: { v1: { ...pool, proxyProtocol: 'v1' }, v2: { ...pool, proxyProtocol: 'v2' } },
  })
  for (const [name, host] of [
    ['one', '127.0.0.2'],
    ['two', '127.0.0.3'],
  ])
    assert.equal((await request(t, { host, port: await balancer.port(name) }, '/')).body.toString(), `127.0.0.1 ${host}`)
  for (const { servers } of (await balancer.status()).pools) assert.equal(servers[0].health, 'up', servers[0].check?.reason)
})
