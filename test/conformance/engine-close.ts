import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { Connection } from '../../src/engine/index.ts'
import { Sequence } from '../support/bytes.ts'
import { type Backend, engineFor, LOOPBACK } from '../support/engine.ts'
import { socketFile, witness, witnessServer } from '../support/net.ts'

const MEGABYTE = 1 << 20

/** How a connection ends: by halves, in peace, by force, and only once. */
export function closing(backend: Backend): void {
  for (const [name, isUnix] of [
    ['TCP', false],
    ['a Unix socket', true],
  ] as const) {
    it(`half-close over ${name}: the peer's FIN leaves sending open`, async (t) => {
      const test = await engineFor(t, backend)
      const { address, accepted } = await test.listen({}, { address: isUnix ? { family: 'unix', path: socketFile(t) } : LOOPBACK })
      const client = (await witness(t, address)).read()
      client.socket.end('question')
      await test.until(() => accepted[0]?.count('ended') === 1)
      const { connection } = accepted[0]
      assert.equal(accepted[0].text, 'question')
      await test.turns(10)
      assert.equal(connection?.isOpen, true)
      test.write(connection!, 'answer')
      connection?.end()
      await client.ended()
      assert.equal(client.text, 'answer')
      assert.equal(await accepted[0].over(), 'done')
      assert.equal(await client.closed(), undefined)
      assert.deepEqual(accepted[0].events, ['received', 'ended', 'closed'])
    })

    it(`half-close over ${name}: our FIN leaves receiving open`, async (t) => {
      const test = await engineFor(t, backend)
      const server = await witnessServer(t, isUnix ? { family: 'unix', path: socketFile(t) } : LOOPBACK, (each) => each.read())
      const client = test.connect(server.address)
      test.write(client.connection!, 'question')
      client.connection?.end()
      const peer = await server.connection(0)
      await peer.ended()
      assert.equal(peer.text, 'question')
      await test.turns(10)
      assert.equal(client.reason, undefined)
      peer.socket.write('ans')
      await client.gets(3)
      peer.socket.end('wer')
      assert.equal(await client.over(), 'done')
      assert.equal(client.text, 'answer')
      assert.deepEqual([client.events[0], ...client.events.slice(-2)], ['opened', 'ended', 'closed'])
    })
  }

  it('end() flushes what is queued first, and nothing can be sent after it', async (t) => {
    const test = await engineFor(t, backend)
    const server = await witnessServer(t)
    const client = test.connect(server.address)
    const all = Buffer.alloc(8 * MEGABYTE)
    new Sequence().fill(all)
    test.write(client.connection!, all)
    client.connection?.end()
    client.connection?.end()
    const at = client.connection!.reserve(4)
    client.connection?.commit(4)
    client.connection?.send(at, at + 4)
    const check = new Sequence()
    const peer = await server.connection(0)
    peer.read((chunk) => check.check(chunk))
    await peer.ended()
    assert.equal(check.position, all.length)
  })

  it('close() flushes what is queued to a slow peer, then sends FIN', async (t) => {
    const test = await engineFor(t, backend)
    const server = await witnessServer(t)
    const client = test.connect(server.address)
    const all = Buffer.alloc(8 * MEGABYTE)
    new Sequence().fill(all)
    await client.until(() => client.count('opened') === 1)
    test.write(client.connection!, all)
    client.connection?.close()
    client.connection?.close()
    assert.equal(client.connection?.isOpen, false)
    await test.turns(20)
    assert.equal(client.reason, undefined, 'closed() must wait for the flush')
    const check = new Sequence()
    const peer = await server.connection(0)
    peer.read((chunk) => check.check(chunk))
    await peer.ended()
    assert.equal(check.position, all.length)
    assert.equal(await client.over(), 'done')
    peer.socket.end()
    assert.equal(await peer.closed(), undefined)
  })

  it('an answer followed by close() reaches a peer that has half-closed', async (t) => {
    const test = await engineFor(t, backend)
    const { address, accepted } = await test.listen({
      ended(connection) {
        test.write(connection, 'answer')
        connection.close()
      },
    })
    for (let i = 0; i < 20; i++) {
      const client = (await witness(t, address)).read()
      client.socket.end('question')
      assert.equal(await client.closed(), undefined)
      assert.equal(client.text, 'answer')
      assert.equal(await accepted[i].over(), 'done')
    }
  })

  it('close() after end() closes, and end() after close() does nothing', async (t) => {
    const test = await engineFor(t, backend)
    const server = await witnessServer(t, LOOPBACK, (each) => each.read())
    const first = test.connect(server.address)
    await first.until(() => first.count('opened') === 1)
    first.connection?.end()
    await (await server.connection(0)).ended()
    first.connection?.close()
    assert.equal(await first.over(), 'done')
    const second = test.connect(server.address)
    await second.until(() => second.count('opened') === 1)
    second.connection?.close()
    second.connection?.end()
    assert.equal(await second.over(), 'done')
  })

  it("the peer's RST arrives as closed('reset')", async (t) => {
    const test = await engineFor(t, backend)
    const { address, accepted, count } = await test.listen()
    for (const howMany of [0, 1]) {
      const client = await witness(t, address)
      await count(howMany + 1)
      if (howMany === 1) client.socket.write('x'.repeat(1000))
      await test.turns(5)
      client.socket.resetAndDestroy()
      assert.equal(await accepted[howMany].over(), 'reset')
      assert.equal(accepted[howMany].count('ended'), 0)
    }
  })

  it("the peer's RST ends a congested connection", async (t) => {
    const test = await engineFor(t, backend)
    const server = await witnessServer(t)
    const client = test.connect(server.address)
    await client.until(() => client.count('opened') === 1)
    test.write(client.connection!, Buffer.alloc(16 * MEGABYTE))
    await test.turns(10)
    assert.equal(client.connection?.isCongested, true)
    const peer = await server.connection(0)
    peer.socket.resetAndDestroy()
    assert.equal(await client.over(), 'reset')
    assert.equal(client.connection?.queuedBytes, 0)
  })

  it("sending to a peer that has gone ends in closed('reset')", async (t) => {
    const test = await engineFor(t, backend)
    const { address, accepted } = await test.listen()
    const client = await witness(t, address)
    client.socket.end('bye')
    await test.until(() => accepted[0]?.count('ended') === 1)
    client.socket.destroy()
    await client.closed()
    // The first is answered with RST, a later one finds it.
    while (accepted[0].reason === undefined) {
      test.write(accepted[0].connection!, 'anybody there?')
      await test.turns()
    }
    assert.equal(accepted[0].reason, 'reset')
  })

  it('reset() sends RST, drops what is queued, and closed() follows', async (t) => {
    const test = await engineFor(t, backend)
    const server = await witnessServer(t, LOOPBACK, (each) => each.read())
    for (const isSending of [false, true]) {
      const client = test.connect(server.address)
      await client.until(() => client.count('opened') === 1)
      const peer = await server.connection(isSending ? 1 : 0)
      if (isSending) test.write(client.connection!, Buffer.alloc(16 * MEGABYTE))
      client.connection?.reset()
      assert.equal(client.connection?.isOpen, false)
      assert.equal(client.reason, undefined, 'closed() came inside of reset()')
      assert.equal(await peer.closed(), 'ECONNRESET')
      assert.equal(await client.over(), 'local')
    }
  })

  it('reset() works right after end() and close()', async (t) => {
    const test = await engineFor(t, backend)
    const server = await witnessServer(t, LOOPBACK, (each) => each.read(() => {}))
    for (const first of ['end', 'close'] as const) {
      for (const bytes of [0, 16 * MEGABYTE]) {
        for (const turns of [0, 1, 2]) {
          const client = test.connect(server.address)
          await client.until(() => client.count('opened') === 1)
          if (bytes > 0) test.write(client.connection!, Buffer.alloc(bytes))
          client.connection?.[first]()
          await test.turns(turns)
          client.connection?.reset()
          const reason = await client.over()
          assert.ok(reason === 'local' || (first === 'close' && reason === 'done'), `${first}, ${bytes} bytes: ${reason}`)
        }
      }
    }
  })

  const acts = ['end', 'close', 'reset'] as const
  for (const event of ['opened', 'received', 'ended', 'drained'] as const) {
    for (const act of acts) {
      it(`${act}() inside of ${event}()`, async (t) => {
        const test = await engineFor(t, backend)
        const server = await witnessServer(t, LOOPBACK, ({ socket }) => socket.end('welcome'))
        const client = test.connect(server.address, {
          // Overridden when `event` is opened.
          opened: (connection) => event === 'drained' && test.write(connection, Buffer.alloc(4 * MEGABYTE)),
          [event]: (connection: Connection) => connection[act](),
        })
        ;(await server.connection(0)).read(() => {})
        const reason = await client.over()
        assert.ok(reason === (act === 'reset' ? 'local' : 'done') || reason === 'reset', reason)
        if (act !== 'end') assert.equal(client.events.at(-2), event, 'nothing comes between the call and closed()')
      })
    }
  }

  it('after closed() every method does nothing', async (t) => {
    const test = await engineFor(t, backend)
    const server = await witnessServer(t, LOOPBACK, (each) => each.read())
    const client = test.connect(server.address)
    await client.until(() => client.count('opened') === 1)
    const connection = client.connection!
    connection.close()
    await client.over()
    poke(connection)
    await test.turns(10)
    assert.deepEqual(client.events, ['opened', 'closed'])
    assert.equal(connection.queuedBytes, 0)
    assert.equal((await server.connection(0)).byteCount, 0)
    assert.ok(test.engine.blocks.free >= test.idleBlocks - 2)
  })

  it('after reset() every method does nothing, and what still arrives is not delivered', async (t) => {
    const test = await engineFor(t, backend)
    const { address, accepted, count } = await test.listen({
      received(connection) {
        connection.reset()
        poke(connection)
      },
    })
    const client = await witness(t, address)
    client.socket.write(Buffer.alloc(4 * MEGABYTE))
    await count(1)
    assert.equal(await accepted[0].over(), 'local')
    assert.deepEqual(accepted[0].events, ['received', 'closed'])
  })

  it('closed() gives back all that the connection held', async (t) => {
    const test = await engineFor(t, backend)
    const server = await witnessServer(t, LOOPBACK, ({ socket }) => socket.write('x'.repeat(5000)))
    const clients = Array.from({ length: 40 }, () => test.connect(server.address))
    await Promise.all(clients.map((client) => client.gets(5000)))
    for (const [i, client] of clients.entries()) {
      test.write(client.connection!, Buffer.alloc(1_000_000))
      if (i % 2 === 0) client.connection?.reset()
      else (await server.connection(i)).socket.resetAndDestroy()
    }
    for (const client of clients) client.connection?.reset()
    await Promise.all(clients.map((client) => client.over()))
    await test.turns(3)
    assert.ok(test.engine.blocks.free >= test.idleBlocks - 2, `${test.idleBlocks - test.engine.blocks.free} blocks are missing`)
  })

  function poke(connection: Connection): void {
    connection.pause()
    connection.resume()
    connection.send(0, 100)
    connection.end()
    connection.close()
    connection.reset()
    assert.equal(connection.isOpen, false)
  }
}
