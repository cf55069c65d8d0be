/** The PROXY protocol with programs that are not ours at the other end, and headers that few programs send. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import { crc32c } from '../../src/proxy/proxy-protocol/crc32c.ts'
import { selfSigned } from '../support/certificate.ts'
import { client, request } from '../support/client.ts'
import { evener } from '../support/evener.ts'
import { needs, program } from '../support/needs.ts'
import { origin, rawOrigin, refusedPort } from '../support/origin.ts'
import { haproxy, startPeer } from '../support/peers.ts'

const run = promisify(execFile)
const LOOPBACK = { from: '127.0.0.0/8' }
const LOG = { accessLog: { path: 'stdout', format: 'line {listener} {client} {termination}' } }
const NGINX_STREAM = '/usr/lib/nginx/modules/ngx_stream_module.so'

/** A header of version 2: command, family and transport, addresses, TLVs. */
function header2(command: number, family: number, addresses: Buffer, tlvs: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.concat([Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1'), Buffer.from([0x20 | command, family, 0, 0])])
  head.writeUInt16BE(addresses.length + tlvs.length, 14)
  return Buffer.concat([head, addresses, tlvs])
}

const tlv = (type: number, value: Uint8Array) => Buffer.concat([Buffer.from([type, value.length >> 8, value.length & 255]), value])
const IPV4 = Buffer.from([203, 0, 113, 9, 198, 51, 100, 1, 0x12, 0x67, 0x01, 0xbb])

function withChecksum(change = 0): Buffer {
  const whole = header2(1, 0x11, IPV4, tlv(3, Buffer.alloc(4)))
  whole.writeUInt32BE((crc32c(whole, 0, whole.length) + change) >>> 0, whole.length - 4)
  return whole
}

async function accepting(t: TestContext) {
  const server = await origin(t)
  const echo = await rawOrigin(t, async (wire) => {
    for (;;) await wire.write(await wire.read(1))
  })
  const balancer = await evener(t, {
    ...LOG,
    listeners: {
      web: { bind: '127.0.0.1:0', acceptProxyProtocol: LOOPBACK, http: { routes: [{ pool: 'app' }] } },
      raw: { bind: '127.0.0.2:0', acceptProxyProtocol: LOOPBACK, tcp: { pool: 'echo' } },
    },
    pools: { app: { servers: [server.address] }, echo: { algorithm: 'source-hash', servers: [echo.address] } },
  })
  return { balancer, server, web: { port: await balancer.port('web') }, raw: { host: '127.0.0.2', port: await balancer.port('raw') } }
}

const GET = 'GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n'

test('a checksum is verified: one that is right passes, one that is wrong ends the connection', async (t) => {
  const { server, web, raw } = await accepting(t)
  const wire = await client(t, web)
  await wire.write(Buffer.concat([withChecksum(), Buffer.from(GET)]))
  assert.equal((await wire.readResponse()).status, 200)
  assert.equal(server.requests[0].headers['x-forwarded-for'], '203.0.113.9')
  for (const target of [web, raw]) {
    const wrong = await client(t, target)
    await wrong.write(withChecksum(1))
    assert.equal(await wrong.closed(), 'ECONNRESET')
  }
})

test('every byte of a header may come by itself, with the first bytes of the connection close behind', async (t) => {
  const { web, raw } = await accepting(t)
  for (const head of [Buffer.from('PROXY TCP6 2001:db8::9 2001:db8::1 4711 443\r\n'), withChecksum()]) {
    const wire = await client(t, raw)
    for (const byte of head) await wire.write(Buffer.of(byte))
    await wire.write('first')
    assert.equal((await wire.read(5)).toString(), 'first')
    const slow = await client(t, web)
    await slow.writeSlowly(Buffer.concat([head, Buffer.from(GET)]).toString('latin1'))
    assert.equal((await slow.readResponse()).status, 200)
  }
})

test('a client on a Unix socket has no address, and is served', async (t) => {
  const { balancer, server, web, raw } = await accepting(t)
  const paths = Buffer.alloc(216)
  paths.write('/run/client.sock', 0)
  paths.write('/run/front.sock', 108)
  const wire = await client(t, web)
  await wire.write(Buffer.concat([header2(1, 0x31, paths), Buffer.from(GET)]))
  assert.equal((await wire.readResponse()).status, 200)
  assert.notEqual(server.requests[0].headers['x-forwarded-for'], '127.0.0.1')
  const stream = await client(t, raw)
  await stream.write(Buffer.concat([header2(1, 0x31, paths), Buffer.from('hi')]))
  assert.equal((await stream.read(2)).toString(), 'hi')
  stream.end()
  await balancer.printed(/line raw (?!127)\S+ complete/)
})

test('LOCAL speaks for the peer, whatever addresses and TLVs stand behind it', async (t) => {
  const { server, web } = await accepting(t)
  for (const [family, addresses] of [
    [0x11, IPV4],
    [0x00, Buffer.alloc(0)],
    [0x12, IPV4],
  ] as const) {
    const wire = await client(t, web)
    await wire.write(Buffer.concat([header2(0, family, addresses, tlv(0xee, Buffer.from('whatever'))), Buffer.from(GET)]))
    assert.equal((await wire.readResponse()).status, 200)
    assert.equal(server.requests.at(-1)?.headers['x-forwarded-for'], '127.0.0.1')
  }
})

test('datagrams have no place on a listener of connections', async (t) => {
  const { web } = await accepting(t)
  const wire = await client(t, web)
  await wire.write(Buffer.concat([header2(1, 0x12, IPV4), Buffer.from(GET)]))
  assert.equal(await wire.closed(), 'ECONNRESET')
})

test('curl introduces itself', needs('curl'), async (t) => {
  const { server, web } = await accepting(t)
  const { stdout } = await run(program('curl'), ['-s', '--haproxy-protocol', `http://127.0.0.1:${web.port}/`])
  assert.equal(stdout, 'origin')
  assert.equal(server.requests[0].headers['x-forwarded-for'], '127.0.0.1')
  const without = await run(program('curl'), ['-s', `http://127.0.0.1:${web.port}/`]).then(
    () => 0,
    (error: { code: number }) => error.code,
  )
  assert.equal(without, 56)
})

test('nginx introduces clients of its streams, and reads what Evener tells of them', needs('nginx', NGINX_STREAM), async (t) => {
  const server = await origin(t)
  const inner = await refusedPort()
  const peer = await startPeer(t, 2, ([sender, receiver], folder) => {
    const file = join(folder, 'nginx.conf')
    writeFileSync(
      file,
      `load_module ${NGINX_STREAM};
daemon off;
${process.getuid?.() === 0 ? 'user root;' : ''}
error_log stderr warn;
pid ${join(folder, 'nginx.pid')};
events { worker_connections 128; }
stream {
  server { listen 127.0.0.1:${sender}; proxy_bind 127.0.0.8; proxy_protocol on; proxy_pass 127.0.0.1:${inner}; }
  server { listen 127.0.0.1:${receiver} proxy_protocol; return "$proxy_protocol_addr $proxy_protocol_server_addr"; }
}
`,
    )
    return [program('nginx'), '-p', folder, '-e', 'stderr', '-c', file]
  })
  const [sender, receiver] = peer.ports
  const balancer = await evener(t, {
    listeners: {
      web: { bind: `127.0.0.1:${inner}`, acceptProxyProtocol: { from: '127.0.0.8' }, http: { routes: [{ pool: 'app' }] } },
      on: { bind: '127.0.0.3:0', tcp: { pool: 'nginx', proxyProtocol: { version: 'v2', tlvs: ['unique-id', 'checksum'] } } },
    },
    pools: { app: { servers: [server.address] }, nginx: { servers: [`127.0.0.1:${receiver}`] } },
  })
  assert.equal((await request(t, { port: sender }, '/')).body.toString(), 'origin')
  assert.equal(server.requests[0].headers['x-forwarded-for'], '127.0.0.1')
  const wire = await client(t, { host: '127.0.0.3', port: await balancer.port('on') })
  assert.equal((await wire.readToEnd()).toString(), '127.0.0.1 127.0.0.3')
})

test('HAProxy introduces clients of TCP with SNI, by which Evener routes', needs('haproxy', 'openssl'), async (t) => {
  const inner = await refusedPort()
  const named = (name: string) =>
    rawOrigin(t, async (wire) => {
      await wire.write(`${name} ${await wire.readUntil('\n')}`)
      wire.end()
    })
  const [shop, other] = [await named('shop'), await named('other')]
  const certificate = selfSigned(t, 'shop.test')
  const peer = await haproxy(t, {
    config: ([port], folder) => {
      writeFileSync(join(folder, 'both.pem'), readFileSync(certificate.certFile, 'utf8') + readFileSync(certificate.keyFile, 'utf8'))
      return `
defaults
  mode tcp
  timeout connect 5s
  timeout client 10s
  timeout server 10s
listen front
  bind 127.0.0.1:${port} ssl crt ${join(folder, 'both.pem')} alpn h2,acme
  server evener 127.0.0.1:${inner} send-proxy-v2 proxy-v2-options authority,ssl,crc32c
`
    },
  })
  await evener(t, {
    listeners: {
      raw: {
        bind: `127.0.0.1:${inner}`,
        acceptProxyProtocol: LOOPBACK,
        tcp: { routes: [{ match: { sni: 'shop.test' }, pool: 'shop' }, { pool: 'other' }] },
      },
    },
    pools: { shop: { servers: [shop.address] }, other: { servers: [other.address] } },
  })
  const ask = (name: string) =>
    new Promise<string>((resolve, reject) => {
      const child = execFile(
        program('openssl'),
        ['s_client', '-quiet', '-servername', name, '-connect', `127.0.0.1:${peer.ports[0]}`],
        { timeout: 10_000 },
        (error, stdout) => (stdout === '' && error !== null ? reject(error) : resolve(stdout)),
      )
      child.stdin?.write('hello\n')
    })
  assert.equal(await ask('shop.test'), 'shop hello\n')
  assert.equal(await ask('www.test'), 'other hello\n')
})
