import assert from 'node:assert/strict'
import type { IncomingMessage } from 'node:http'
import { createServer as createHttps, type ServerOptions } from 'node:https'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { createServer as createTls, type TLSSocket } from 'node:tls'
import type { Cleanup } from '../support/cleanup.ts'
import { evener, proxyTo } from '../support/evener.ts'
import { needs } from '../support/needs.ts'
import { Authority } from '../support/openssl.ts'

const openssl = needs('openssl')

interface SecureOrigin {
  readonly address: string
  readonly sockets: readonly TLSSocket[]
  /** Of each connection, whether a session was resumed. */
  readonly resumed: readonly boolean[]
  readonly requests: readonly IncomingMessage[]
}

async function secureOrigin(t: Cleanup, options: ServerOptions): Promise<SecureOrigin> {
  const sockets: TLSSocket[] = []
  const requests: IncomingMessage[] = []
  const resumed: boolean[] = []
  const server = createHttps(options, (request, response) => {
    requests.push(request)
    request.resume().once('end', () => response.end('secure'))
  })
  server.on('secureConnection', (socket: TLSSocket) => {
    sockets.push(socket)
    resumed.push(socket.isSessionReused())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => {
    server.close()
    server.closeAllConnections()
  })
  return { address: `127.0.0.1:${(server.address() as AddressInfo).port}`, sockets, resumed, requests }
}

async function get(port: number, init: RequestInit = {}): Promise<{ status: number; text: string }> {
  const response = await fetch(`http://127.0.0.1:${port}/`, init)
  return { status: response.status, text: await response.text() }
}

test('servers are reached over TLS, by name and SNI, with a client certificate, and connections are kept', openssl, async (t) => {
  const authority = new Authority(t)
  const [issued, own] = [authority.issue({ name: 'app.test' }), authority.issue({ name: 'balancer' })]
  const app = await secureOrigin(t, {
    cert: issued.cert,
    key: issued.key,
    requestCert: true,
    ca: authority.cert,
    ALPNProtocols: ['http/1.1'],
  })
  const certificate = { cert: own.certFile, key: own.keyFile }
  const tls = { ca: authority.certFile, name: 'app.test', certificate, alpn: ['http/1.1'] }
  const running = await evener(t, proxyTo([app.address], { pool: { tls }, top: { workers: 1 } }))
  const port = await running.port('web')
  for (let i = 0; i < 3; i++) assert.deepEqual(await get(port), { status: 200, text: 'secure' })
  assert.equal((await get(port, { method: 'POST', body: 'x'.repeat(300_000) })).status, 200)
  const [socket] = app.sockets
  assert.equal(app.sockets.length, 1)
  assert.equal(socket.servername, 'app.test')
  assert.equal(socket.alpnProtocol, 'http/1.1')
  assert.equal(socket.getPeerX509Certificate()?.subject, 'O=Test\nCN=balancer')
})

test('a new connection resumes the session of the one before', openssl, async (t) => {
  const authority = new Authority(t)
  const issued = authority.issue({ name: 'app.test' })
  const app = await secureOrigin(t, { cert: issued.cert, key: issued.key })
  const tls = { ca: authority.certFile, name: 'app.test' }
  const running = await evener(t, proxyTo([app.address], { pool: { tls, keepAlive: { idle: 0 } }, top: { workers: 1 } }))
  const port = await running.port('web')
  for (let i = 0; i < 3; i++) assert.equal((await get(port)).status, 200)
  assert.deepEqual(app.resumed, [false, true, true])
})

test('a certificate that is not good is a 502, with the reason in the log', openssl, async (t) => {
  const authority = new Authority(t)
  const stranger = new Authority(t, 'Elsewhere').issue({ name: 'app.test' })
  const other = authority.issue({ name: 'other.test' })
  const expired = authority.issue({ name: 'app.test', days: -1 })
  const cases = [
    { certificate: stranger, reason: /unable to get local issuer certificate|unable to verify the first certificate/ },
    { certificate: other, reason: /hostname mismatch|not in the cert's altnames/ },
    { certificate: expired, reason: /certificate has expired/ },
  ]
  for (const { certificate, reason } of cases) {
    const app = await secureOrigin(t, { cert: certificate.cert, key: certificate.key })
    const tls = { ca: authority.certFile, name: 'app.test' }
    const running = await evener(t, proxyTo([app.address], { pool: { tls }, route: { retry: { attempts: 1 } } }))
    const { status, text } = await get(await running.port('web'))
    assert.equal(status, 502)
    assert.match(text, /could not be reached over TLS/)
    await running.printed(/server app\/[\d.:]+: no TLS connection: /)
    assert.match(running.output, reason)
    assert.equal(app.requests.length, 0)
  }
})

test('verify: false takes whatever certificate there is', openssl, async (t) => {
  const issued = new Authority(t).issue({ name: 'other.test' })
  const app = await secureOrigin(t, { cert: issued.cert, key: issued.key })
  const running = await evener(t, proxyTo([app.address], { pool: { tls: { verify: false } } }))
  assert.equal((await get(await running.port('web'))).status, 200)
})

test('an answer that only the end of the connection ends is broken off by a FIN without close_notify', openssl, async (t) => {
  if (process.env.EVENER_TEST_ENGINE === 'portable') return t.skip('node:tls does not tell')
  const authority = new Authority(t)
  const issued = authority.issue({ name: 'app.test' })
  const server = createTls({ cert: issued.cert, key: issued.key }, (socket) => {
    socket.on('error', () => {})
    socket.once('data', () => {
      socket.write('HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhalf of it', () => {
        // FIN of the socket beneath, without a word of TLS.
        ;(socket as unknown as { _parent: { end(): void } })._parent.end()
      })
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => void server.close())
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`
  const running = await evener(t, proxyTo([address], { pool: { tls: { ca: authority.certFile, name: 'app.test' } } }))
  await assert.rejects(get(await running.port('web')))
})

test('a tcp listener ends TLS on both sides', openssl, async (t) => {
  const authority = new Authority(t)
  const issued = authority.issue({ name: 'app.test' })
  const app = await secureOrigin(t, { cert: issued.cert, key: issued.key })
  const running = await evener(t, {
    listeners: {
      db: { bind: '127.0.0.1:0', tls: { certificates: { cert: issued.certFile, key: issued.keyFile } }, tcp: { pool: 'app' } },
    },
    pools: { app: { servers: [app.address], tls: { ca: authority.certFile, name: 'app.test' } } },
  })
  const { connect } = await import('node:tls')
  const socket = connect({ host: '127.0.0.1', port: await running.port('db'), servername: 'app.test', ca: authority.cert })
  socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
  let text = ''
  socket.on('data', (chunk: Buffer) => (text += chunk.toString()))
  await new Promise((resolve) => socket.once('end', resolve))
  assert.match(text, /^HTTP\/1\.1 200 [\s\S]*secure/)
})
