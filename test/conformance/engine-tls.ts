import assert from 'node:assert/strict'
import { it } from 'node:test'
import { TLSSocket } from 'node:tls'
import type { CloseReason, Connection, ConnectionHandler, ListenOptions, TlsServerOptions } from '../../src/engine/index.ts'
import { Sequence } from '../support/bytes.ts'
import { helloInPieces } from '../support/ciphertext.ts'
import { type Backend, type EngineUnderTest, engineFor, type Recorder, type TestListener } from '../support/engine.ts'
import { witness, witnessServer } from '../support/net.ts'
import { clientOptions, OTHER, SHOP, secureWitness, secureWitnessServer, serverOptions } from '../support/tls.ts'

const MEGABYTE = 1 << 20
const IDLE: ConnectionHandler = { opened() {}, received() {}, ended() {}, drained() {}, closed() {} }

export function listenSecure(
  test: EngineUnderTest,
  does: Partial<ConnectionHandler> = {},
  tls: Partial<TlsServerOptions> = {},
  options: Partial<ListenOptions> = {},
): Promise<TestListener> {
  return test.listen(does, { tls: test.engine.tlsServer(serverOptions(tls)), ...options })
}

/** The same promises over TLS, against peers of node:tls. */
export function tls(backend: Backend): void {
  it('bytes arrive whole and in order, both ways, however long', async (t) => {
    const test = await engineFor(t, backend)
    const { address, accepted } = await listenSecure(test, { received: (connection, start, end) => connection.send(start, end) })
    const client = await secureWitness(t, address)
    const check = new Sequence()
    client.read((chunk) => check.check(chunk))
    const all = Buffer.alloc(6 * MEGABYTE)
    new Sequence().fill(all)
    client.socket.write(all)
    await client.gets(all.length)
    client.socket.end()
    await test.until(() => accepted[0].count('ended') === 1)
    accepted[0].connection?.close()
    assert.equal(await accepted[0].over(), 'done')
  })

  it('short pieces that are sent in one turn arrive in order with long ones between', async (t) => {
    const test = await engineFor(t, backend)
    const all = Buffer.alloc(400_000)
    new Sequence().fill(all)
    const lengths = [1, 7, 16_288, 16_289, 32_768, 3, 16_384, 20_000, 5, 1]
    const { address } = await listenSecure(test, {
      received(connection) {
        let at = 0
        for (let i = 0; at < all.length; i++) {
          const length = Math.min(lengths[i % lengths.length], all.length - at)
          test.write(connection, all.subarray(at, at + length))
          at += length
        }
        connection.close()
      },
    })
    const client = await secureWitness(t, address)
    const check = new Sequence()
    client.read((chunk) => check.check(chunk))
    client.socket.write('?')
    await client.ended()
    assert.equal(check.position, all.length)
  })

  it('a connection to a server over TLS opens when the handshake is done, and tells what was agreed on', async (t) => {
    const test = await engineFor(t, backend)
    const server = await secureWitnessServer(t, { ALPNProtocols: ['b', 'a'] })
    const tlsClient = test.engine.tlsClient(clientOptions({ protocols: ['a'] }))
    const client = test.recorder()
    client.connection = test.engine.connect(server.address, { timeoutMs: 20_000, tls: tlsClient }, client)
    test.write(client.connection, 'early')
    const peer = (await server.connection(0)).read()
    await peer.gets(5)
    const { secure } = client.connection
    assert.equal(secure?.version, 'TLSv1.3')
    assert.equal(secure?.cipher, 'TLS_AES_128_GCM_SHA256')
    assert.equal(secure?.protocol, 'a')
    assert.equal(secure?.isResumed, false)
    assert.equal(peer.socket.servername, 'shop.test')
    peer.socket.end('answer')
    await client.until(() => client.count('ended') === 1)
    assert.equal(client.text, 'answer')
    client.connection.end()
    assert.equal(await client.over(), 'done')
    assert.equal(client.events[0], 'opened')
  })

  it('a preface goes out in the clear, before the handshake', async (t) => {
    const test = await engineFor(t, backend)
    const server = await witnessServer(t)
    const tlsClient = test.engine.tlsClient(clientOptions())
    const client = test.recorder()
    const preface = { room: 100, write: (memory: Uint8Array, at: number) => at + Buffer.from('who it is\n').copy(memory, at) }
    client.connection = test.engine.connect(server.address, { timeoutMs: 20_000, tls: tlsClient, preface }, client)
    test.write(client.connection, 'early')
    const peer = await server.connection(0)
    const first = await new Promise<Buffer>((resolve) => peer.socket.once('data', resolve))
    peer.socket.pause()
    assert.equal(first.subarray(0, 10).toString(), 'who it is\n')
    peer.socket.unshift(first.subarray(10))
    const secured = new TLSSocket(peer.socket, { isServer: true, cert: SHOP.cert, key: SHOP.key })
    const text = await new Promise<Buffer>((resolve) => secured.once('data', resolve))
    assert.equal(text.toString(), 'early')
    assert.equal(client.connection.secure?.version, 'TLSv1.3')
    secured.destroy()
    client.connection.reset()
    await client.over()
  })

  it('the second connection to a server resumes the session of the first', async (t) => {
    const test = await engineFor(t, backend)
    const server = await secureWitnessServer(t)
    const tlsClient = test.engine.tlsClient(clientOptions())
    for (const isResumed of [false, true, true]) {
      const client = test.recorder()
      client.connection = test.engine.connect(server.address, { timeoutMs: 20_000, tls: tlsClient }, client)
      const peer = await server.connection(isResumed ? 1 : 0)
      peer.socket.write('x')
      await client.gets(1)
      assert.equal(client.connection.secure?.isResumed, isResumed)
      client.connection.reset()
      await client.over()
      if (isResumed) return
    }
  })

  it('half-close: close_notify of the peer leaves sending open', async (t) => {
    const test = await engineFor(t, backend)
    const { address, accepted } = await listenSecure(test)
    const client = (await secureWitness(t, address)).read()
    client.socket.end('question')
    await test.until(() => accepted[0]?.count('ended') === 1)
    assert.equal(accepted[0].text, 'question')
    await test.turns(10)
    assert.equal(accepted[0].connection?.isOpen, true)
    test.write(accepted[0].connection!, 'answer')
    accepted[0].connection?.end()
    await client.ended()
    assert.equal(client.text, 'answer')
    assert.equal(await accepted[0].over(), 'done')
  })

  it('half-close: our end() leaves receiving open', async (t) => {
    const test = await engineFor(t, backend)
    const { address, accepted, count } = await listenSecure(test)
    const client = (await secureWitness(t, address)).read()
    await count(1)
    const { connection } = accepted[0]
    test.write(connection!, 'last words')
    connection?.end()
    await client.ended()
    assert.equal(client.text, 'last words')
    client.socket.write('still here')
    await accepted[0].gets(10)
    client.socket.end()
    assert.equal(await accepted[0].over(), 'done')
  })

  it('reset() is a RST, and close() flushes first', async (t) => {
    const test = await engineFor(t, backend)
    const { address, accepted, count } = await listenSecure(test)
    const first = (await secureWitness(t, address)).read()
    await count(1)
    accepted[0].connection?.reset()
    assert.equal(await accepted[0].over(), 'local')
    assert.equal(await first.closed(), 'ECONNRESET')
    const second = await secureWitness(t, address)
    await count(2)
    const all = Buffer.alloc(4 * MEGABYTE)
    new Sequence().fill(all)
    test.write(accepted[1].connection!, all)
    accepted[1].connection?.close()
    await test.turns(20)
    const check = new Sequence()
    second.read((chunk) => check.check(chunk))
    await second.ended()
    assert.equal(check.position, all.length)
    assert.equal(await accepted[1].over(), 'done')
  })

  it("the peer's RST is told", async (t) => {
    const test = await engineFor(t, backend)
    const { address, accepted, count } = await listenSecure(test)
    const raw = await witness(t, address)
    const client = await secureWitness(t, address, { socket: raw.socket })
    await count(1)
    client.socket.on('error', () => {})
    raw.socket.resetAndDestroy()
    assert.equal(await accepted[0].over(), 'reset')
  })

  it('a slow reader makes the connection congested, and drained() follows', async (t) => {
    const test = await engineFor(t, backend, { highWaterBytes: 256 * 1024, lowWaterBytes: 64 * 1024 })
    let left = 64
    const more = (connection: Connection): void => {
      while (left > 0 && !connection.isCongested) {
        left--
        test.write(connection, Buffer.alloc(256 * 1024, left))
      }
      if (left === 0) connection.end()
    }
    const { address, accepted, count } = await listenSecure(test, { received: more, drained: more })
    const client = await secureWitness(t, address)
    client.socket.write('go')
    await count(1)
    await test.until(() => accepted[0].connection?.isCongested === true)
    await test.turns(50)
    assert.ok(left > 0, 'the sender was held back')
    client.read(() => {})
    await client.ended()
    assert.equal(client.byteCount, 64 * 256 * 1024)
    assert.ok(accepted[0].count('drained') > 0)
  })

  it('pause() holds a fast sender back by TCP, and resume() brings all that it sent', async (t) => {
    const test = await engineFor(t, backend)
    const check = new Sequence()
    const { address, accepted, count } = await listenSecure(test, {
      received: (_, start, end) => check.check(test.engine.memory.subarray(start, end)),
    })
    const client = await secureWitness(t, address)
    await count(1)
    accepted[0].keepsBytes = false
    accepted[0].connection?.pause()
    const all = Buffer.alloc(16 * MEGABYTE)
    new Sequence().fill(all)
    client.socket.end(all)
    await test.quiet([accepted[0]])
    assert.ok(accepted[0].byteCount < all.length / 2, `${accepted[0].byteCount} bytes came through a pause`)
    accepted[0].connection?.resume()
    await accepted[0].gets(all.length)
    await accepted[0].until(() => accepted[0].count('ended') === 1)
  })

  it('a session is resumed on its own listener, and on no other', async (t) => {
    const test = await engineFor(t, backend)
    const [one, other] = [await listenSecure(test), await listenSecure(test, {}, { id: 'other' })]
    const first = await secureWitness(t, one.address)
    const session = await new Promise<Buffer>((resolve) => first.socket.once('session', resolve))
    const again = await secureWitness(t, one.address, { session })
    assert.equal(again.socket.isSessionReused(), true)
    const elsewhere = await secureWitness(t, other.address, { session })
    assert.equal(elsewhere.socket.isSessionReused(), false)
  })

  it('TLS may begin behind bytes in the clear, in the same piece or later', async (t) => {
    const test = await engineFor(t, backend)
    const tlsServer = test.engine.tlsServer(serverOptions())
    const secured: Recorder[] = []
    const failures: string[] = []
    let clearText = ''
    let taken: ConnectionHandler | undefined
    const { address } = await test.listen({
      received(connection, start, end) {
        const behind = start + 'hello\n'.length
        connection.handler = test.engine.secure(connection, tlsServer, Math.min(behind, end), end, {
          accepted: () => {
            const recorder = test.recorder({ received: (each, from, to) => each.send(from, to) })
            secured.push(recorder)
            return recorder
          },
          plaintext: () => taken,
          failed: (reason, isTaken) => failures.push(`${reason}: ${isTaken ? 'taken' : 'lost'}`),
        })
      },
    })
    for (const isTogether of [false, true]) {
      const raw = await witness(t, address)
      if (isTogether) raw.socket.cork()
      raw.socket.write('hello\n')
      const opening = secureWitness(t, address, { socket: raw.socket })
      if (isTogether) setImmediate(() => raw.socket.uncork())
      else await test.turns(5)
      const client = (await opening).read()
      client.socket.write('secret')
      await client.gets(6)
      assert.equal(client.text, 'secret')
      client.socket.end()
    }
    await test.until(() => secured.length === 2 && secured.every((each) => each.count('ended') === 1))
    for (const each of secured) each.connection?.close()
    const wrong = await witness(t, address)
    wrong.read().socket.write('hello\nno TLS')
    await wrong.closed()
    assert.deepEqual(failures, ['no TLS: lost'])
    taken = {
      ...IDLE,
      received(connection, start, end) {
        clearText += test.bytes(start, end)
        connection.close()
      },
    }
    const clear = await witness(t, address)
    clear.read().socket.write('hello\nstill in the clear')
    await clear.ended()
    assert.equal(clearText, 'still in the clear')
    assert.deepEqual(failures.slice(1), ['no TLS: taken'])
  })

  it('every block comes back when the connections are over', async (t) => {
    const test = await engineFor(t, backend)
    const { address, accepted, count } = await listenSecure(test, { received: (connection, start, end) => connection.send(start, end) })
    const reasons: CloseReason[] = []
    for (let i = 0; i < 20; i++) {
      const client = (await secureWitness(t, address)).read()
      client.socket.write(Buffer.alloc(10_000 * i + 1))
      await client.gets(10_000 * i + 1)
      await count(i + 1)
      if (i % 2 === 0) accepted[i].connection?.reset()
      else accepted[i].connection?.close()
      reasons.push(await accepted[i].over())
    }
    assert.equal(reasons.length, 20)
    await test.until(() => test.engine.blocks.free >= test.idleBlocks - 2)
  })

  it('an exception of a handler closes that connection only', async (t) => {
    const test = await engineFor(t, backend)
    const { address, accepted, count } = await listenSecure(test, {
      received() {
        throw new Error('of the handler')
      },
    })
    const [one, other] = [await secureWitness(t, address), await secureWitness(t, address)]
    await count(2)
    one.socket.write('x')
    const failed = await Promise.race(accepted.map((each) => each.until(() => each.reason !== undefined).then(() => each)))
    assert.equal(failed.reason, 'failed')
    assert.equal(test.takeErrors().length, 1)
    assert.equal(accepted.filter((each) => each.reason === undefined).length, 1)
    other.socket.destroy()
  })

  it('a ClientHello in pieces, of segments or of records, is read whole before a certificate is chosen', async (t) => {
    const test = await engineFor(t, backend)
    const certificates = [SHOP, OTHER].map(({ cert, key }) => ({ chain: cert, key }))
    const { address } = await listenSecure(test, {}, { certificates, fingerprints: true })
    const segments = (hello: Buffer) => Array.from({ length: Math.ceil(hello.length / 7) }, (_, i) => hello.subarray(7 * i, 7 * i + 7))
    const records = (hello: Buffer) => {
      const message = hello.subarray(5)
      return Array.from({ length: Math.ceil(message.length / 50) }, (_, i) => {
        const part = message.subarray(50 * i, 50 * i + 50)
        return Buffer.concat([Buffer.of(22, 3, 1, 0, part.length), part])
      })
    }
    const together = (hello: Buffer) => [Buffer.concat(records(hello))]
    for (const cut of [segments, records, together]) assert.equal(await helloInPieces(t, address, 'www.other.test', cut), 'CN=other.test')
  })

  it('who was accepted before the certificates change still gets the one for its name', async (t) => {
    const test = await engineFor(t, backend)
    const certificates = [SHOP, OTHER].map(({ cert, key }) => ({ chain: cert, key }))
    const before = test.engine.tlsServer(serverOptions({ certificates }))
    const { address, listener, count } = await test.listen({}, { tls: before })
    const waiting = await witness(t, address)
    const gone = await witness(t, address)
    await test.turns(10)
    listener.secure(test.engine.tlsServer(serverOptions()))
    before.close()
    gone.socket.destroy()
    const client = await secureWitness(t, address, { socket: waiting.socket, servername: 'www.other.test', rejectUnauthorized: false })
    assert.equal(client.socket.getPeerX509Certificate()?.subject, 'CN=other.test')
    await count(1)
  })

  it('a certificate is chosen by name; the listener changes its certificates while connections stay', async (t) => {
    const test = await engineFor(t, backend)
    const both = [SHOP, OTHER].map(({ cert, key }) => ({ chain: cert, key }))
    const { address, listener, accepted, count } = await listenSecure(test, {}, { certificates: both })
    const named = async (servername: string): Promise<string | undefined> => {
      const client = await secureWitness(t, address, { servername, rejectUnauthorized: false })
      return client.socket.getPeerX509Certificate()?.subject
    }
    assert.equal(await named('shop.test'), 'CN=shop.test')
    assert.equal(await named('www.other.test'), 'CN=other.test')
    assert.equal(await named('nobody.test'), 'CN=shop.test')
    await count(3)
    listener.secure(test.engine.tlsServer(serverOptions({ certificates: [both[1]] })))
    assert.equal(await named('shop.test'), 'CN=other.test')
    assert.equal(accepted[0].reason, undefined)
    await count(4)
    listener.secure(undefined)
    const plain = await witness(t, address)
    plain.socket.write('in the clear')
    await count(5)
    await accepted[4].gets(12)
    assert.equal(accepted[4].connection?.secure, null)
  })
}
