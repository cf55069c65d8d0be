import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { it } from 'node:test'
import { slicedClient } from '../support/ciphertext.ts'
import { type Backend, engineFor } from '../support/engine.ts'
import { needs } from '../support/needs.ts'
import { dial, witness, witnessServer } from '../support/net.ts'
import { clientOptions, dialSecure, OTHER, secureWitness, secureWitnessServer, serverOptions } from '../support/tls.ts'
import { listenSecure } from './engine-tls.ts'

/** What TLS refuses, and what that looks like to both sides. */
export function tlsRefusals(backend: Backend): void {
  it('a handshake that is too slow is reset', async (t) => {
    const test = await engineFor(t, backend)
    const failures: string[] = []
    const options = { handshakeFailed: (reason: string) => failures.push(reason) }
    const { address, accepted } = await listenSecure(test, {}, { handshakeTimeoutMs: 100 }, options)
    const silent = dial(t, address)
    const stuck = dial(t, address)
    // The beginning of a ClientHello, and then nothing.
    stuck.socket.write(Buffer.from('1603010200010001fc0303', 'hex'))
    await Promise.all([silent.closed(), stuck.closed()])
    await test.until(() => failures.length === 2)
    assert.equal(accepted.length, 0)
  })

  it('of too many handshakes at a time the oldest gives way', async (t) => {
    const test = await engineFor(t, backend)
    const failures: string[] = []
    const options = { handshakeFailed: (reason: string) => failures.push(reason) }
    const { address, count } = await listenSecure(test, {}, { maxHandshakes: 3 }, options)
    const idle = [await witness(t, address), await witness(t, address), await witness(t, address)]
    for (const each of idle) each.read()
    await test.turns(5)
    const client = await secureWitness(t, address)
    await count(1)
    assert.equal(await idle[0].closed(), 'ECONNRESET')
    assert.deepEqual(failures, ['too many handshakes at a time'])
    assert.equal(client.error, undefined)
    assert.equal(idle[2].isClosed, false)
  })

  it('renegotiation is refused', needs('openssl'), async (t) => {
    const test = await engineFor(t, backend)
    const { address, accepted, count } = await listenSecure(test, {}, { maxVersion: '1.2' })
    const { port } = address as { port: number }
    const child = execFile('openssl', ['s_client', '-connect', `127.0.0.1:${port}`, '-tls1_2'])
    t.after(() => void child.kill('SIGKILL'))
    let output = ''
    child.stderr?.on('data', (chunk: string) => (output += chunk))
    child.stdout?.on('data', (chunk: string) => (output += chunk))
    await count(1)
    child.stdin?.write('R\n')
    await new Promise((resolve) => child.once('exit', resolve))
    assert.match(output, /RENEGOTIATING[\s\S]*(no renegotiation|handshake failure|unexpected message)/)
    await accepted[0].over()
  })

  it('what is no TLS is handed over as it is, or reset', async (t) => {
    const test = await engineFor(t, backend)
    const taken = test.recorder({ received: (connection) => connection.close() })
    let isWanted = true
    const { address, accepted } = await listenSecure(test, {}, {}, { plaintext: () => (isWanted ? taken : undefined) })
    const client = dial(t, address)
    client.socket.write('GET / HTTP/1.1\r\n\r\n')
    await client.ended()
    assert.equal(taken.text, 'GET / HTTP/1.1\r\n\r\n')
    assert.equal(taken.connection?.secure, null)
    isWanted = false
    const other = dial(t, address)
    other.socket.write('GET / HTTP/1.1\r\n\r\n')
    assert.equal(await other.closed(), 'ECONNRESET')
    assert.equal(accepted.length, 0)
  })

  it('a version that is not offered is refused with an alert, and told', async (t) => {
    const test = await engineFor(t, backend)
    const failures: string[] = []
    const options = { handshakeFailed: (reason: string) => failures.push(reason) }
    const { address } = await listenSecure(test, {}, { minVersion: '1.3' }, options)
    const client = dialSecure(t, address, { maxVersion: 'TLSv1.2' })
    assert.match(String(await client.closed()), /PROTOCOL_VERSION|ECONNRESET/)
    await test.until(() => failures.length === 1)
    assert.match(failures[0], /unsupported protocol|version/)
  })

  it('a certificate that is not good closes a connect with "handshake" and the reason', async (t) => {
    const test = await engineFor(t, backend)
    const server = await secureWitnessServer(t)
    const cases = [
      { verify: { authorities: OTHER.cert, name: 'shop.test' }, reason: /self.signed certificate/ },
      { verify: { name: 'wrong.test' }, reason: /hostname mismatch|altnames/ },
    ]
    for (const { verify, reason } of cases) {
      const base = clientOptions()
      const tls = test.engine.tlsClient({ ...base, verify: { ...base.verify!, ...verify } })
      const client = test.recorder()
      client.connection = test.engine.connect(server.address, { timeoutMs: 20_000, tls }, client)
      assert.equal(await client.over(), 'handshake')
      assert.match(client.connection.secure?.failure ?? '', reason)
      assert.deepEqual(client.events, ['closed'])
    }
  })

  it('a server that does not answer the handshake is a connect that timed out', async (t) => {
    const test = await engineFor(t, backend)
    const server = await witnessServer(t)
    const client = test.recorder()
    const tls = test.engine.tlsClient(clientOptions())
    client.connection = test.engine.connect(server.address, { timeoutMs: 100, tls }, client)
    assert.equal(await client.over(), 'timeout')
  })

  it('FIN without close_notify is no end', { skip: backend.kind === 'portable' ? 'node:tls does not tell' : false }, async (t) => {
    const test = await engineFor(t, backend)
    const { address, accepted, count } = await listenSecure(test)
    const client = await secureWitness(t, address)
    client.socket.write('half')
    await count(1)
    await accepted[0].gets(4)
    client.socket.destroy()
    assert.match(await accepted[0].over(), /truncated|reset/)
    assert.equal(accepted[0].count('ended'), 0)
  })

  it('a handshake that makes no sense is no connection', async (t) => {
    const test = await engineFor(t, backend)
    const { address, accepted } = await listenSecure(test)
    const client = dial(t, address)
    client.socket.write(Buffer.concat([Buffer.from('1603030004', 'hex'), Buffer.alloc(2000, 0xff)]))
    await client.until(() => client.hasEnded || client.isClosed)
    assert.equal(accepted.length, 0)
  })

  it('what makes no sense on a connection that stands ends it', async (t) => {
    const test = await engineFor(t, backend)
    const { address, accepted, count } = await listenSecure(test)
    for (const [index, garbage] of ['GET / HTTP/1.1\r\n\r\n', Buffer.from('1703030020', 'hex') + '\xff'.repeat(32)].entries()) {
      const client = await slicedClient(t, address)
      await count(index + 1)
      await client.send(Buffer.from(garbage, 'latin1'))
      assert.equal(await accepted[index].over(), 'failed')
      await client.wire.until(() => client.wire.hasEnded || client.wire.isClosed)
    }
  })

  it('options that OpenSSL does not accept are errors with its words', async (t) => {
    const test = await engineFor(t, backend)
    const { engine } = test
    const wrong = { chain: OTHER.cert, key: serverOptions().certificates[0].key }
    assert.throws(() => engine.tlsServer(serverOptions({ certificates: [wrong] })), { code: 'TLS_INVALID', message: /key values mismatch/ })
    assert.throws(() => engine.tlsServer(serverOptions({ ciphers: 'ROT13' })), { code: 'TLS_INVALID' })
    assert.throws(() => engine.tlsServer(serverOptions({ groups: 'P-257' })), { code: 'TLS_INVALID' })
    assert.throws(() => engine.tlsClient(clientOptions({ verify: { authorities: 'no PEM', name: 'x' } })), { code: 'TLS_INVALID' })
  })
}
