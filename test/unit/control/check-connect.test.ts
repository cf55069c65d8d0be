import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { createServer as createTlsServer, TLSSocket } from 'node:tls'
import { checkConnect } from '../../../src/control/check-connect.ts'
import type { CheckSocket, CheckTarget } from '../../../src/pool/index.ts'
import { type Certificate, selfSigned } from '../../support/certificate.ts'
import { CHECK_TLS } from '../../support/check.ts'
import { temporaryFolder } from '../../support/cleanup.ts'
import { needs } from '../../support/needs.ts'
import { refusedPort } from '../../support/origin.ts'

const LOCAL = { family: 4, host: '127.0.0.1' } as const

/** Connects and resolves with the first thing that happens; later ones go to `seen`. */
function dial(t: TestContext, target: Partial<CheckTarget> & { address: CheckTarget['address'] }) {
  const seen: string[] = []
  const events = new EventTarget()
  const tell = (what: string) => {
    seen.push(what)
    events.dispatchEvent(new Event('seen'))
  }
  const socket: CheckSocket = checkConnect(
    { transport: 'tcp', tls: undefined, alpn: [], ...target },
    {
      opened: () => tell('opened'),
      received: (bytes) => tell(`received ${Buffer.from(bytes)}`),
      ended: () => tell('ended'),
      failed: (reason) => tell(`failed: ${reason}`),
    },
  )
  t.after(() => socket.close())
  const until = async (count: number) => {
    while (seen.length < count) await once(events, 'seen')
    return seen
  }
  return { socket, until }
}

async function serve(t: TestContext, server: Server, where: object = { host: '127.0.0.1', port: 0 }): Promise<number> {
  server.listen(where)
  await once(server, 'listening')
  const sockets: Socket[] = []
  server.on('connection', (socket) => sockets.push(socket))
  t.after(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return (server.address() as AddressInfo).port
}

/** How the server's side of the connection ends. */
async function ending(socket: Socket): Promise<string> {
  const result = Promise.withResolvers<string>()
  socket.resume()
  socket.on('error', (error: NodeJS.ErrnoException) => result.resolve(String(error.code)))
  socket.on('close', () => result.resolve('closed'))
  return result.promise
}

test('over TCP bytes go both ways, and close() resets', async (t) => {
  const server = createServer((socket) => socket.on('data', (bytes) => socket.write(`got ${bytes}`)))
  const accepted = once(server, 'connection')
  const { socket, until } = dial(t, { address: { ...LOCAL, port: await serve(t, server) } })
  await until(1)
  socket.write(Buffer.from('hello'))
  assert.deepEqual(await until(2), ['opened', 'received got hello'])
  const end = ending((await accepted)[0])
  socket.close()
  assert.equal(await end, 'ECONNRESET')
})

test('a server that closes is told as that, one that is not there as refused', async (t) => {
  const port = await serve(
    t,
    createServer((socket) => socket.end('bye')),
  )
  assert.deepEqual(await dial(t, { address: { ...LOCAL, port } }).until(3), ['opened', 'received bye', 'ended'])
  const refused = dial(t, { address: { ...LOCAL, port: await refusedPort() } })
  assert.deepEqual(await refused.until(1), ['failed: connection refused'])
})

test('a Unix socket is connected to and let go of', async (t) => {
  const path = join(temporaryFolder(t), 'socket')
  const server = createServer()
  const accepted = once(server, 'connection')
  await serve(t, server, { path })
  const { socket, until } = dial(t, { address: { family: 'unix', path } })
  assert.deepEqual(await until(1), ['opened'])
  const end = ending((await accepted)[0])
  socket.close()
  assert.match(await end, /^closed|ECONNRESET$/)
  const nobody = dial(t, { address: { family: 'unix', path: `${path}x` } })
  assert.deepEqual(await nobody.until(1), ['failed: no such socket'])
})

test('TLS: the handshake, a certificate that does not verify, and one that does', needs('openssl'), async (t) => {
  const certificate = selfSigned(t)
  const server = createTlsServer(certificate, (socket) => socket.end(`SNI ${String(socket.servername)}`))
  server.on('tlsClientError', () => {})
  const address = { ...LOCAL, port: await serve(t, server) }
  const tls = { ...CHECK_TLS, serverName: 'app.test', name: 'app.test' }
  const plain = CHECK_TLS
  assert.deepEqual((await dial(t, { address, transport: 'tls', tls: plain }).until(2)).slice(0, 2), ['opened', 'received SNI false'])
  assert.deepEqual((await dial(t, { address, transport: 'tls', tls }).until(2)).slice(0, 2), ['opened', 'received SNI app.test'])
  const strict = { ...tls, verify: true }
  assert.deepEqual(await dial(t, { address, transport: 'tls', tls: strict }).until(1), ['failed: self-signed certificate'])
  const trusting = { ...strict, ca: certificate.certFile }
  assert.equal((await dial(t, { address, transport: 'tls', tls: trusting }).until(1))[0], 'opened')
  const other = await dial(t, { address, transport: 'tls', tls: { ...trusting, name: 'other.test' } }).until(1)
  assert.match(other[0], /^failed: .*other\.test/)
  // Without a name the address is what the certificate must be for.
  assert.equal((await dial(t, { address, transport: 'tls', tls: { ...trusting, serverName: '', name: undefined } }).until(1))[0], 'opened')
  const lost = { ...tls, ca: '/nonexistent/ca.pem' }
  assert.deepEqual(await dial(t, { address, transport: 'tls', tls: lost }).until(1), ['failed: /nonexistent/ca.pem cannot be read: ENOENT'])
})

test('a client certificate is shown to a server that asks for one', needs('openssl'), async (t) => {
  const [own, client] = [selfSigned(t), selfSigned(t, 'balancer.test')]
  const server = createTlsServer({ ...own, requestCert: true, ca: client.cert }, (socket) =>
    socket.end(String(socket.getPeerCertificate().subject?.CN)),
  )
  server.on('tlsClientError', () => {})
  const address = { ...LOCAL, port: await serve(t, server) }
  const certificate = { cert: client.certFile, key: client.keyFile }
  assert.equal((await dial(t, { address, transport: 'tls', tls: { ...CHECK_TLS, certificate } }).until(2))[1], 'received balancer.test')
})

test('a connection goes on in TLS where the protocol asks for it', needs('openssl'), async (t) => {
  const certificate = selfSigned(t)
  const server = createServer((socket) => startTlsServer(socket, certificate))
  const tls = CHECK_TLS
  const { socket, until } = dial(t, { address: { ...LOCAL, port: await serve(t, server) }, tls })
  await until(2)
  socket.secure()
  await until(3)
  socket.write(Buffer.from('x'))
  assert.deepEqual(await until(4), ['opened', 'received plain', 'opened', 'received secure'])
})

function startTlsServer(socket: Socket, certificate: Certificate): void {
  socket.write('plain', () => {
    const secure = new TLSSocket(socket, { isServer: true, ...certificate })
    secure.on('error', () => {})
    secure.once('data', () => secure.write('secure'))
  })
}

test('TLS towards a server that speaks something else fails', async (t) => {
  const port = await serve(
    t,
    createServer((socket) => socket.end('220 hello\r\n')),
  )
  const tls = CHECK_TLS
  const [what] = await dial(t, { address: { ...LOCAL, port }, transport: 'tls', tls }).until(1)
  assert.match(what, /^failed: /)
})

test('datagrams go both ways, and a closed port is told', async (t) => {
  const server = createSocket('udp4')
  server.bind(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  server.on('message', (bytes, from) => server.send(`got ${bytes}`, from.port, from.address))
  const { socket, until } = dial(t, { address: { ...LOCAL, port: server.address().port }, transport: 'udp' })
  await until(1)
  socket.write(Buffer.from('hello'))
  assert.deepEqual(await until(2), ['opened', 'received got hello'])

  const closed = createSocket('udp4')
  closed.bind(0, '127.0.0.1')
  await once(closed, 'listening')
  const { port } = closed.address()
  closed.close()
  await once(closed, 'close')
  const nobody = dial(t, { address: { ...LOCAL, port }, transport: 'udp' })
  await nobody.until(1)
  nobody.socket.write(Buffer.from('hello'))
  assert.deepEqual(await nobody.until(2), ['opened', 'failed: port unreachable'])
})

test('datagrams that cannot be sent anywhere are a failure of the check and nothing else', async (t) => {
  // Nobody may connect to a broadcast address, as to a network without a route to it.
  const { until } = dial(t, { transport: 'udp', address: { family: 4, host: '255.255.255.255', port: 9 } })
  assert.deepEqual(await until(1), ['failed: permission denied'])
})
