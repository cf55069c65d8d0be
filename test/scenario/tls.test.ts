import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { copyFileSync } from 'node:fs'
import { connect } from 'node:net'
import { test } from 'node:test'
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls'
import { client, request } from '../support/client.ts'
import { type Evener, evener, proxyTo } from '../support/evener.ts'
import { needs } from '../support/needs.ts'
import { Authority, type IssuedCertificate } from '../support/openssl.ts'
import { origin } from '../support/origin.ts'
import { Wire } from '../support/wire.ts'

const openssl = needs('openssl')

function files(...issued: IssuedCertificate[]): { cert: string; key: string }[] {
  return issued.map(({ certFile, keyFile }) => ({ cert: certFile, key: keyFile }))
}

/** One request over a new TLS connection that is closed afterwards. */
async function ask(port: number, options: ConnectionOptions, head = ''): Promise<{ text: string; socket: TLSSocket }> {
  const socket = connectTls({ host: '127.0.0.1', port, servername: 'shop.test', ...options })
  let text = ''
  socket.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')))
  socket.write(`GET / HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n${head}\r\n`)
  await new Promise<void>((resolve, reject) => {
    socket.once('end', resolve)
    socket.once('error', reject)
  })
  return { text, socket }
}

function curl(...rest: string[]): Promise<string> {
  return new Promise((resolve) => execFile('curl', ['-sS', '-m', '10', ...rest], (_, stdout, stderr) => resolve(stdout + stderr)))
}

async function counter(running: Evener, name: string): Promise<number> {
  const { text } = await running.call('GET', '/metrics')
  const line = text.split('\n').find((each) => each.startsWith(name))
  return Number(line?.slice(line.lastIndexOf(' ') + 1))
}

test('curl is served over HTTPS, and the server learns so', needs('openssl', 'curl'), async (t) => {
  const authority = new Authority(t)
  const issued = authority.issue({ name: 'shop.test' })
  const app = await origin(t)
  const running = await evener(t, proxyTo([app.address], { listener: { tls: { certificates: files(issued) } } }))
  const port = await running.port('web')
  const url = `https://shop.test:${port}/hello`
  const output = await curl('--cacert', authority.certFile, '--resolve', `shop.test:${port}:127.0.0.1`, url, url, '-d', 'x'.repeat(100_000))
  assert.equal(output, 'originorigin')
  assert.equal(app.requests[0].headers['x-forwarded-proto'], 'https')
  assert.equal(app.requests[1].body.length, 100_000)
  assert.equal(await counter(running, 'evener_tls_handshakes_total{listener="web",result="full"}'), 1)
})

test('a request target with https is for this listener, and goes on in origin-form', openssl, async (t) => {
  const app = await origin(t)
  const issued = new Authority(t).issue({ name: 'shop.test' })
  const running = await evener(t, proxyTo([app.address], { listener: { tls: { certificates: files(issued) } } }))
  const socket = connectTls({ host: '127.0.0.1', port: await running.port('web'), rejectUnauthorized: false })
  const wire = new Wire(socket)
  await wire.write('GET https://other.test/x?y HTTP/1.1\r\nHost: shop.test\r\n\r\n')
  assert.equal((await wire.readResponse()).status, 200)
  socket.destroy()
  assert.equal(app.requests[0].uri, '/x?y')
  assert.equal(app.requests[0].headers.host, 'other.test')
  assert.equal(app.requests[0].headers['x-forwarded-proto'], 'https')
})

test('the name that a client asks for chooses the certificate, wildcards and key types included', openssl, async (t) => {
  const authority = new Authority(t)
  const certificates = [
    authority.issue({ name: 'shop.test' }),
    authority.issue({ name: 'shop.test', key: 'rsa' }),
    authority.issue({ name: '*.shop.test' }),
    authority.issue({ name: 'other.test' }),
  ]
  const app = await origin(t)
  const running = await evener(t, proxyTo([app.address], { listener: { tls: { certificates: files(...certificates) } } }))
  const port = await running.port('web')
  const shown = async (servername: string, more: ConnectionOptions = {}): Promise<string | undefined> => {
    const socket = connectTls({ host: '127.0.0.1', port, servername, rejectUnauthorized: false, ...more })
    await new Promise((resolve, reject) => {
      socket.once('secureConnect', resolve)
      socket.once('error', reject)
    })
    const certificate = socket.getPeerX509Certificate()
    socket.destroy()
    return `${certificate?.subject.split('\n').at(-1)} ${certificate?.publicKey.asymmetricKeyType}`
  }
  assert.equal(await shown('shop.test'), 'CN=shop.test ec')
  assert.equal(await shown('shop.test', { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-RSA-AES128-GCM-SHA256' }), 'CN=shop.test rsa')
  assert.equal(await shown('img.shop.test'), 'CN=*.shop.test ec')
  assert.equal(await shown('OTHER.test'), 'CN=other.test ec')
  assert.equal(await shown('a.b.shop.test'), 'CN=shop.test ec')
  assert.equal(await shown(''), 'CN=shop.test ec')
})

test('a request in the clear on a TLS port is answered with 400', openssl, async (t) => {
  const issued = new Authority(t).issue({ name: 'shop.test' })
  const app = await origin(t)
  const running = await evener(t, proxyTo([app.address], { listener: { tls: { certificates: files(issued) } } }))
  const socket = connect(await running.port('web'), '127.0.0.1')
  let text = ''
  socket.on('data', (chunk: Buffer) => (text += chunk.toString()))
  socket.write('GET / HTTP/1.1\r\nHost: shop.test\r\n\r\n')
  await new Promise((resolve) => socket.once('end', resolve))
  socket.destroy()
  assert.match(text, /^HTTP\/1\.1 400 /)
  assert.match(text, /use https:/)
  assert.equal(app.requests.length, 0)
})

test('versions below the lowest and protocols that are not offered fail the handshake', openssl, async (t) => {
  const issued = new Authority(t).issue({ name: 'shop.test' })
  const app = await origin(t)
  const tls = { certificates: files(issued), minVersion: '1.3', alpn: ['http/1.1'] }
  const running = await evener(t, proxyTo([app.address], { listener: { tls } }))
  const port = await running.port('web')
  await assert.rejects(ask(port, { rejectUnauthorized: false, maxVersion: 'TLSv1.2' }), /protocol version|ECONNRESET/)
  await assert.rejects(ask(port, { rejectUnauthorized: false, ALPNProtocols: ['smtp'] }), /no application protocol|ECONNRESET/)
  const { text } = await ask(port, { rejectUnauthorized: false, ALPNProtocols: ['h2', 'http/1.1'] })
  assert.match(text, /^HTTP\/1\.1 200 /)
  assert.equal(await counter(running, 'evener_tls_handshakes_total{listener="web",result="failed"}'), 2)
})

test('a session that one worker began is resumed by any other', openssl, async (t) => {
  const issued = new Authority(t).issue({ name: 'shop.test' })
  const app = await origin(t)
  const running = await evener(t, proxyTo([app.address], { listener: { tls: { certificates: files(issued) } } }))
  const port = await running.port('web')
  const socket = connectTls({ host: '127.0.0.1', port, servername: 'shop.test', rejectUnauthorized: false })
  const session = await new Promise<Buffer>((resolve) => socket.once('session', resolve))
  socket.destroy()
  for (let i = 0; i < 8; i++) {
    const again = await ask(port, { rejectUnauthorized: false, session })
    assert.equal(again.socket.isSessionReused(), true)
  }
  assert.equal(await counter(running, 'evener_tls_handshakes_total{listener="web",result="resumed"}'), 8)
})

test('a client certificate is demanded, and its subject told to the server in a field that clients cannot send', openssl, async (t) => {
  const authority = new Authority(t)
  const [issued, alice] = [authority.issue({ name: 'shop.test' }), authority.issue({ name: 'alice' })]
  const stranger = new Authority(t, 'Elsewhere').issue({ name: 'mallory' })
  const trailers: unknown[] = []
  const app = await origin(t, 'app', (request, response) => {
    trailers.push(request.trailers)
    response.end()
  })
  const listener = (host: string, mode: string) => ({
    bind: `${host}:0`,
    tls: { certificates: files(issued), clientCertificates: { mode, ca: authority.certFile } },
    http: { routes: [{ pool: 'app' }] },
  })
  const running = await evener(t, {
    listeners: {
      must: listener('127.0.0.1', 'require'),
      may: listener('127.0.0.2', 'request'),
      plain: { bind: '127.0.0.3:0', http: { routes: [{ pool: 'app' }] } },
    },
    pools: { app: { servers: [app.address] } },
  })
  const base = { ca: authority.cert }
  const forged = 'X-Client-Subject: CN=root\r\nX_Client_Subject: CN=root\r\n'
  const [must, may] = [await running.port('must'), await running.port('may')]
  await ask(must, { ...base, cert: alice.cert, key: alice.key }, forged)
  assert.equal(app.requests.at(-1)?.headers['x-client-subject'], 'CN=alice,O=Test')
  await assert.rejects(ask(must, base), /certificate required|handshake failure|ECONNRESET/)
  const refused = await ask(may, { ...base, host: '127.0.0.2', cert: stranger.cert, key: stranger.key }).catch(() => undefined)
  assert.equal(refused?.text ?? '', '')
  await ask(may, { ...base, host: '127.0.0.2' }, forged)
  assert.equal(app.requests.at(-1)?.headers['x-client-subject'], undefined)
  assert.equal(app.requests.at(-1)?.headers.x_client_subject, undefined)
  const plain = { host: '127.0.0.3', port: await running.port('plain') }
  await request(t, plain, '/', { fields: { 'X-Client-Subject': 'CN=root' } })
  assert.equal(app.requests.at(-1)?.headers['x-client-subject'], undefined)
  const wire = await client(t, plain)
  await wire.write(`POST / HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Sum: 1\r\n${forged}\r\n`)
  assert.equal((await wire.readResponse('POST')).status, 200)
  assert.deepEqual(trailers.at(-1), { 'x-sum': '1' })
})

test('a session of a client certificate is not resumed when other authorities count', openssl, async (t) => {
  const [authority, other] = [new Authority(t), new Authority(t, 'Other Root')]
  const [issued, alice] = [authority.issue({ name: 'shop.test' }), authority.issue({ name: 'alice' })]
  const app = await origin(t)
  const config = (ca: string) =>
    proxyTo([app.address], { listener: { tls: { certificates: files(issued), clientCertificates: { ca } } }, top: { workers: 1 } })
  const running = await evener(t, config(authority.certFile))
  const port = await running.port('web')
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
    const base = { ca: authority.cert, cert: alice.cert, key: alice.key, maxVersion }
    const first = connectTls({ host: '127.0.0.1', port, servername: 'shop.test', ...base })
    const session = await new Promise<Buffer>((resolve) => first.once('session', resolve))
    first.destroy()
    assert.equal((await ask(port, { ...base, session })).socket.isSessionReused(), true)
    running.configure(config(other.certFile))
    assert.equal((await running.call('POST', '/api/v1/reload')).status, 200)
    const refused = await ask(port, { ...base, session }).catch(() => undefined)
    assert.equal(refused?.text ?? '', '')
    running.configure(config(authority.certFile))
    assert.equal((await running.call('POST', '/api/v1/reload')).status, 200)
  }
})

test('a certificate file that changes is taken up without a reload, and connections stay', openssl, async (t) => {
  const authority = new Authority(t)
  const [first, second] = [authority.issue({ name: 'shop.test' }), authority.issue({ name: 'shop.test', names: ['new.test'] })]
  const app = await origin(t)
  const running = await evener(t, proxyTo([app.address], { listener: { tls: { certificates: files(first) } } }))
  const port = await running.port('web')
  const names = (status: unknown): string => JSON.stringify((status as { certificates: unknown }).certificates)
  assert.doesNotMatch(names(await running.status()), /new\.test/)
  const open = connectTls({ host: '127.0.0.1', port, servername: 'shop.test', ca: authority.cert })
  t.after(() => void open.destroy())
  await new Promise((resolve) => open.once('secureConnect', resolve))
  copyFileSync(second.certFile, first.certFile)
  copyFileSync(second.keyFile, first.keyFile)
  await running.printed(/certificates were read again/)
  assert.match(names(await running.status()), /new\.test/)
  const { socket } = await ask(port, { ca: authority.cert })
  assert.match(String(socket.getPeerX509Certificate()?.subjectAltName), /new\.test/)
  open.write('GET / HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n')
  const answer = await new Promise<Buffer>((resolve) => open.once('data', resolve))
  assert.match(answer.toString(), /^HTTP\/1\.1 200 /)
})

test('an OCSP response is stapled, and expiry is in the metrics', openssl, async (t) => {
  const authority = new Authority(t)
  const issued = authority.issue({ name: 'shop.test' })
  const response = authority.staple(issued)
  const app = await origin(t)
  const certificates = [{ cert: issued.certFile, key: issued.keyFile, ocsp: `${authority.folder}/ocsp.der` }]
  const running = await evener(t, proxyTo([app.address], { listener: { tls: { certificates } } }))
  const socket = connectTls({
    host: '127.0.0.1',
    port: await running.port('web'),
    servername: 'shop.test',
    ca: authority.cert,
    requestOCSP: true,
  })
  const stapled = await new Promise<Buffer>((resolve, reject) => {
    socket.once('OCSPResponse', resolve)
    socket.once('error', reject)
  })
  socket.destroy()
  assert.deepEqual(stapled, response)
  const expires = await counter(running, 'evener_certificate_expiry_timestamp_seconds{')
  assert.ok(expires > Date.now() / 1000)
})

test('a self-signed certificate serves to try things out', openssl, async (t) => {
  const app = await origin(t)
  const running = await evener(t, proxyTo([app.address], { listener: { tls: { selfSigned: ['localhost', '127.0.0.1'] } } }))
  const { text, socket } = await ask(await running.port('web'), { rejectUnauthorized: false, servername: 'localhost' })
  assert.match(text, /^HTTP\/1\.1 200 /)
  assert.match(String(socket.getPeerX509Certificate()?.subjectAltName), /DNS:localhost, IP Address:127\.0\.0\.1/)
})

test('routes and the access log are told what TLS says of a connection', openssl, async (t) => {
  const issued = new Authority(t).issue({ name: 'shop.test' })
  const app = await origin(t)
  const respond = (body: string) => ({ respond: { status: 200, body } })
  const routes = [
    { match: { tls: { version: 'TLSv1.2' } }, ...respond('old') },
    { match: { tls: { ja4: { regex: '^t13d' }, serverName: 'shop.test' } }, ...respond('new') },
    { match: { tls: { version: { present: false } } }, ...respond('plain') },
    { pool: 'app' },
  ]
  const tls = { certificates: files(issued) }
  const running = await evener(t, {
    accessLog: { path: 'stdout', format: 'seen {tlsVersion} {tlsCipher} {serverName} {ja3} {ja4} end' },
    listeners: { web: { bind: '127.0.0.1:0', tls, http: { routes } }, plain: { bind: '127.0.0.2:0', http: { routes } } },
    pools: { app: { servers: [app.address] } },
  })
  const port = await running.port('web')
  const base = { rejectUnauthorized: false }
  assert.match((await ask(port, base)).text, /new$/)
  await running.printed(/seen TLSv1\.3 TLS_AES_128_GCM_SHA256 shop\.test [0-9a-f]{32} t13d\w+_\w{12}_\w{12} end/)
  assert.match((await ask(port, { ...base, maxVersion: 'TLSv1.2' })).text, /old$/)
  const plain = await fetch(`http://127.0.0.2:${await running.port('plain')}/`)
  assert.equal(await plain.text(), 'plain')
  await running.printed(/seen - - - - - end/)
})

test('a header of the PROXY protocol comes before the handshake', openssl, async (t) => {
  const issued = new Authority(t).issue({ name: 'shop.test' })
  const app = await origin(t)
  const listener = { tls: { certificates: files(issued) }, acceptProxyProtocol: { from: ['127.0.0.0/8'], others: 'direct' } }
  const running = await evener(t, proxyTo([app.address], { listener }))
  const port = await running.port('web')
  const introduced = async (header: string, pause: boolean): Promise<string> => {
    const socket = connect(port, '127.0.0.1')
    if (pause) await new Promise((resolve) => socket.write(header, resolve))
    else {
      socket.cork()
      socket.write(header)
    }
    const answer = ask(port, { socket, rejectUnauthorized: false })
    if (!pause) setImmediate(() => socket.uncork())
    return (await answer).text
  }
  assert.match(await introduced('PROXY TCP4 192.0.2.7 192.0.2.1 4711 443\r\n', true), /^HTTP\/1\.1 200 /)
  assert.equal(app.requests.at(-1)?.headers['x-forwarded-for'], '192.0.2.7')
  assert.equal(app.requests.at(-1)?.headers['x-forwarded-proto'], 'https')
  assert.match(await introduced('PROXY TCP4 192.0.2.8 192.0.2.1 4711 443\r\n', false), /^HTTP\/1\.1 200 /)
  assert.equal(app.requests.at(-1)?.headers['x-forwarded-for'], '192.0.2.8')
  const plain = connect(port, '127.0.0.1')
  plain.on('error', () => {})
  plain.write('PROXY TCP4 192.0.2.9 192.0.2.1 4711 443\r\nGET / HTTP/1.1\r\n\r\n')
  let answer = ''
  plain.on('data', (chunk: Buffer) => (answer += chunk))
  await new Promise((resolve) => plain.once('close', resolve))
  assert.match(answer, /^HTTP\/1\.1 400 [\s\S]*speaks HTTPS/)
  assert.equal(app.requests.length, 2)
  // Each connection is counted once, also those whose handshake failed.
  while ((await running.status()).listeners[0].connections !== 0);
})
