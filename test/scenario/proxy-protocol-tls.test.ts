/** The PROXY protocol together with TLS: a header before the handshake with a server, and what a header tells of the client's TLS. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { createServer as createTcp, type Socket } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { type ConnectionOptions, connect } from 'node:tls'
import { temporaryFolder } from '../support/cleanup.ts'
import { evener } from '../support/evener.ts'
import { needs } from '../support/needs.ts'
import { Authority, type IssuedCertificate } from '../support/openssl.ts'
import { haproxy, nginx } from '../support/peers.ts'

const HEADER_FIXED_BYTES = 16
const GET = 'GET / HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n'

/** Sends a request over TLS and returns everything that comes back. */
function ask(t: TestContext, options: ConnectionOptions): Promise<string> {
  const socket = connect({ rejectUnauthorized: false, ...options })
  t.after(() => socket.destroy())
  let text = ''
  socket.on('data', (chunk: Buffer) => (text += chunk))
  socket.on('error', () => {})
  socket.end(GET)
  return new Promise((resolve) => socket.once('close', () => resolve(text.slice(text.indexOf('\r\n\r\n') + 4))))
}

function askPlain(t: TestContext, host: string, port: number): Promise<string> {
  return fetch(`http://${host}:${port}/`, { headers: { connection: 'close' } }).then((response) => {
    t.after(() => void response.body?.cancel().catch(() => {}))
    return response.text()
  })
}

/** What HAProxy takes for a certificate: chain and key in one file. */
function both(t: TestContext, { cert, key }: IssuedCertificate): string {
  const file = join(temporaryFolder(t), 'both.pem')
  writeFileSync(file, cert + key)
  return file
}

/** Servers that demand a header and then speak TLS, behind http and tcp listeners. */
async function behind(t: TestContext, server: string, authority: Authority) {
  const tls = { ca: authority.certFile, name: 'app.test' }
  const check = { https: {}, rise: 1, fall: 1 }
  const pool = { servers: [server], tls, check }
  const balancer = await evener(t, {
    workers: 1,
    listeners: {
      http1: { bind: '127.0.0.2:0', http: { routes: [{ pool: 'one' }] } },
      http2: { bind: '127.0.0.3:0', http: { routes: [{ pool: 'two' }] } },
      tcp1: { bind: '127.0.0.4:0', tcp: { pool: 'one' } },
      tcp2: { bind: '127.0.0.5:0', tcp: { pool: 'plain', proxyProtocol: { tlvs: ['unique-id', 'checksum'] } } },
    },
    pools: {
      one: { ...pool, proxyProtocol: 'v1' },
      two: { ...pool, proxyProtocol: { version: 'v2', tlvs: ['authority', 'alpn', 'unique-id', 'ssl', 'checksum'] } },
      plain: { servers: [server], tls },
    },
  })
  return balancer
}

const LISTENERS = [
  ['http1', '127.0.0.2'],
  ['http2', '127.0.0.3'],
  ['tcp1', '127.0.0.4'],
  ['tcp2', '127.0.0.5'],
] as const

test('nginx reads the header before its TLS, of requests, connections and checks', needs('nginx', 'openssl'), async (t) => {
  const authority = new Authority(t)
  const { certFile, keyFile } = authority.issue({ name: 'app.test' })
  const peer = await nginx(t, {
    config: ([port]) => `server { listen 127.0.0.1:${port} ssl proxy_protocol; ssl_certificate ${certFile}; ssl_certificate_key ${keyFile};
      location / { default_type text/plain; return 200 "$proxy_protocol_addr $proxy_protocol_server_addr $ssl_server_name $ssl_session_reused"; } }`,
  })
  const balancer = await behind(t, `127.0.0.1:${peer.ports[0]}`, authority)
  for (const [name, host] of LISTENERS) {
    const first = await askPlain(t, host, await balancer.port(name))
    assert.match(first, new RegExp(`^127\\.0\\.0\\.1 ${host} app\\.test [.r]$`), name)
    assert.equal(await askPlain(t, host, await balancer.port(name)), `127.0.0.1 ${host} app.test r`, name)
  }
  for (const { name, servers } of (await balancer.status()).pools)
    if (name !== 'plain') assert.equal(servers[0].health, 'up', servers[0].check?.reason)
})

test('HAProxy reads the header before its TLS, with TLVs', needs('haproxy', 'openssl'), async (t) => {
  const authority = new Authority(t)
  const issued = authority.issue({ name: 'app.test' })
  const file = both(t, issued)
  const peer = await haproxy(t, {
    config: ([port]) => `
defaults
  mode http
  timeout connect 5s
  timeout client 10s
  timeout server 10s
frontend accept
  bind 127.0.0.1:${port} accept-proxy ssl crt ${file}
  http-request return status 200 content-type text/plain lf-string "%[src] %[dst] %[ssl_fc_sni] %[fc_pp_authority] %[fc_pp_unique_id,length]"
`,
  })
  const certificates = { cert: issued.certFile, key: issued.keyFile }
  const balancer = await behind(t, `127.0.0.1:${peer.ports[0]}`, authority)
  const ids = { http1: '', http2: '16', tcp1: '', tcp2: '16' }
  for (const [name, host] of LISTENERS)
    assert.equal((await askPlain(t, host, await balancer.port(name))).trim(), `127.0.0.1 ${host} app.test  ${ids[name]}`.trim(), name)

  const tlvs = ['authority', 'alpn', 'unique-id', 'ssl', 'checksum']
  const secure = await evener(t, {
    listeners: {
      web: { bind: '127.0.0.2:0', tls: { certificates }, http: { routes: [{ pool: 'app' }] } },
      raw: { bind: '127.0.0.3:0', tls: { certificates }, tcp: { pool: 'app' } },
    },
    pools: {
      app: {
        servers: [`127.0.0.1:${peer.ports[0]}`],
        tls: { ca: authority.certFile, name: 'app.test' },
        proxyProtocol: { version: 'v2', tlvs },
      },
    },
  })
  for (const [name, host] of [
    ['web', '127.0.0.2'],
    ['raw', '127.0.0.3'],
  ])
    assert.equal(
      await ask(t, { host, port: await secure.port(name), servername: 'shop.test' }),
      `127.0.0.1 ${host} app.test shop.test 16`,
      name,
    )
})

/** Servers in the clear that keep the header of each connection. */
async function headerKeeper(t: TestContext): Promise<{ port: number; next(): Promise<Buffer> }> {
  const headers: Buffer[] = []
  const waiting: ((header: Buffer) => void)[] = []
  const sockets = new Set<Socket>()
  const server = createTcp((socket) => {
    sockets.add(socket)
    let bytes = Buffer.alloc(0)
    socket.on('error', () => {})
    socket.on('data', (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk])
      if (bytes.length < HEADER_FIXED_BYTES) return
      const length = HEADER_FIXED_BYTES + bytes.readUInt16BE(14)
      if (!bytes.subarray(length).toString('latin1').includes('\r\n\r\n')) return
      socket.end('HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok')
      const header = bytes.subarray(0, length)
      const wake = waiting.shift()
      if (wake === undefined) headers.push(header)
      else wake(header)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  const next = () => {
    const header = headers.shift()
    return header === undefined ? new Promise<Buffer>((resolve) => waiting.push(resolve)) : Promise.resolve(header)
  }
  return { port: (server.address() as { port: number }).port, next }
}

type Tlvs = Readonly<Record<number, string>>

/** TLVs of a header, or inside of the one for TLS, by type. */
function tlvsIn(bytes: Buffer): Tlvs {
  const found: Record<number, string> = {}
  for (let at = 0; at < bytes.length; ) {
    const end = at + 3 + bytes.readUInt16BE(at + 1)
    found[bytes[at]] = bytes.subarray(at + 3, end).toString('latin1')
    at = end
  }
  return found
}

function sslOf(header: Buffer): { flags: number; isVerified: boolean; tlvs: Tlvs } {
  const ssl = Buffer.from(tlvsIn(header.subarray(HEADER_FIXED_BYTES + 12))[0x20], 'latin1')
  return { flags: ssl[0], isVerified: ssl.readUInt32BE(1) === 0, tlvs: tlvsIn(ssl.subarray(5)) }
}

const VERSION = 0x21
const COMMON_NAME = 0x22
const CIPHER = 0x23

test(
  'HAProxy and Evener tell the same of a TLS connection, and Evener tells on what HAProxy told',
  needs('haproxy', 'openssl'),
  async (t) => {
    const authority = new Authority(t)
    const issued = authority.issue({ name: 'shop.test' })
    const alice = authority.issue({ name: 'alice' })
    const keeper = await headerKeeper(t)
    const tls = {
      certificates: { cert: issued.certFile, key: issued.keyFile },
      clientCertificates: { mode: 'request', ca: authority.certFile },
      ciphers: ['TLS_AES_256_GCM_SHA384', 'ECDHE-ECDSA-AES256-GCM-SHA384'],
      alpn: ['http/1.1'],
    }
    const proxyProtocol = { version: 'v2', tlvs: ['authority', 'alpn', 'unique-id', 'ssl', 'checksum'] }
    const balancer = await evener(t, {
      listeners: {
        web: { bind: '127.0.0.2:0', tls, http: { routes: [{ pool: 'app' }] } },
        raw: { bind: '127.0.0.3:0', tls, tcp: { pool: 'app' } },
        told: { bind: '127.0.0.4:0', acceptProxyProtocol: { from: '127.0.0.0/8' }, http: { routes: [{ pool: 'app' }] } },
      },
      pools: { app: { servers: [`127.0.0.1:${keeper.port}`], proxyProtocol } },
    })
    const told = await balancer.port('told')
    const peer = await haproxy(t, {
      portCount: 2,
      config: ([direct, through]) => `
defaults
  mode tcp
  timeout connect 5s
  timeout client 10s
  timeout server 10s
listen direct
  bind 127.0.0.1:${direct} ssl crt ${both(t, issued)} alpn http/1.1 ca-file ${authority.certFile} verify optional ciphersuites TLS_AES_256_GCM_SHA384 ciphers ECDHE-ECDSA-AES256-GCM-SHA384
  server keeper 127.0.0.1:${keeper.port} send-proxy-v2 proxy-v2-options ssl,cert-cn,ssl-cipher,authority
listen through
  bind 127.0.0.1:${through} ssl crt ${both(t, issued)} alpn http/1.1 ca-file ${authority.certFile} verify optional ciphersuites TLS_AES_256_GCM_SHA384 ciphers ECDHE-ECDSA-AES256-GCM-SHA384
  server evener 127.0.0.4:${told} send-proxy-v2 proxy-v2-options ssl,cert-cn,ssl-cipher,authority
`,
    })
    const [direct, through] = peer.ports
    const places = [
      ['127.0.0.1', direct],
      ['127.0.0.1', through],
      ['127.0.0.2', await balancer.port('web')],
      ['127.0.0.3', await balancer.port('raw')],
    ] as const
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      for (const shown of [undefined, alice]) {
        for (const [host, port] of places) {
          const options = { minVersion: version, maxVersion: version, servername: 'shop.test', cert: shown?.cert, key: shown?.key }
          const answer = ask(t, { host, port, ALPNProtocols: ['http/1.1'], ...options })
          const header = await keeper.next()
          await answer
          const { flags, isVerified, tlvs } = sslOf(header)
          assert.equal(flags, shown === undefined ? 1 : 7, `${host}:${port} ${version}`)
          // The protocol's text says 0 for a certificate that was verified; HAProxy says it also where none was shown.
          if (shown !== undefined || !host.endsWith('.1')) assert.equal(isVerified, shown !== undefined)
          assert.equal(tlvs[VERSION], version)
          assert.equal(tlvs[CIPHER], version === 'TLSv1.3' ? 'TLS_AES_256_GCM_SHA384' : 'ECDHE-ECDSA-AES256-GCM-SHA384')
          assert.equal(tlvs[COMMON_NAME], shown === undefined ? undefined : 'alice')
          const outer = tlvsIn(header.subarray(HEADER_FIXED_BYTES + 12))
          assert.equal(outer[2], 'shop.test')
          if (!host.endsWith('.1')) assert.equal(outer[1], 'http/1.1')
          if (!host.endsWith('.1')) assert.equal(outer[5]?.length, 16)
        }
      }
    }
  },
)
