import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { it } from 'node:test'
import { EvenerError, formatAddress, type SocketAddress } from '../../src/core/index.ts'
import type { Connection } from '../../src/engine/index.ts'
import { type Backend, type EngineUnderTest, engineFor, LOOPBACK, remoteIp } from '../support/engine.ts'
import { dial, socketFile, witness } from '../support/net.ts'

const isLinux = process.platform === 'linux'
const echo = { received: (connection: Connection, start: number, end: number) => connection.send(start, end) }

export function listening(backend: Backend): void {
  const rejects = async (test: EngineUnderTest, address: SocketAddress, code: string) => {
    await assert.rejects(
      test.engine.listen({ address }, () => undefined),
      (error) => {
        assert.ok(error instanceof EvenerError)
        assert.equal(error.code, code)
        assert.ok(error.message.includes(formatAddress(address)), error.message)
        return true
      },
    )
  }

  for (const [name, address] of [
    ['IPv4', LOOPBACK],
    ['IPv6', { family: 6, host: '::1', port: 0 }],
  ] as const) {
    it(`accepts over ${name} on a port that the kernel chooses, and names both ends`, async (t) => {
      const test = await engineFor(t, backend)
      const { address: bound, accepted, count } = await test.listen(echo, { address })
      assert.ok(bound.family !== 'unix' && bound.port > 0)
      const client = await witness(t, bound)
      client.read().socket.write('hello')
      await client.gets(5)
      await count(1)
      assert.equal(client.text, 'hello')
      const { localAddress, localPort } = client.socket
      assert.deepEqual(accepted[0].connection?.remote, { family: address.family, host: localAddress, port: localPort })
      assert.equal(remoteIp(accepted[0].connection), localAddress)
      assert.deepEqual(accepted[0].connection?.local, bound)
      assert.equal(accepted[0].count('opened'), 0)
    })
  }

  it('names the local address of a connection to a listener on all addresses', async (t) => {
    const test = await engineFor(t, backend)
    const { address, accepted, count } = await test.listen({}, { address: { family: 4, host: '0.0.0.0', port: 0 } })
    assert.ok(address.family === 4)
    await witness(t, { ...address, host: '127.0.0.1' })
    await count(1)
    assert.deepEqual(accepted[0].connection?.local, { family: 4, host: '127.0.0.1', port: address.port })
  })

  it('accepts over a Unix socket', async (t) => {
    const test = await engineFor(t, backend)
    const address = { family: 'unix', path: socketFile(t) } as const
    const { accepted } = await test.listen(echo, { address })
    const client = await witness(t, address)
    client.read().socket.write('hello')
    await client.gets(5)
    assert.deepEqual(accepted[0].connection?.remote, { family: 'unix', path: '' })
    assert.equal(remoteIp(accepted[0].connection), undefined)
    assert.deepEqual(accepted[0].connection?.local, address)
  })

  it('accepts over an abstract Unix socket', { skip: isLinux ? false : 'abstract sockets are a thing of Linux' }, async (t) => {
    const test = await engineFor(t, backend)
    const address = { family: 'unix', path: `@evener-${process.pid}-${backend.kind}` } as const
    await test.listen(echo, { address })
    const client = await witness(t, address)
    client.read().socket.write('hello')
    await client.gets(5)
  })

  it('an IPv6 listener on all addresses leaves the IPv4 port free', async (t) => {
    const test = await engineFor(t, backend)
    const { address } = await test.listen({}, { address: { family: 6, host: '::', port: 0 } })
    assert.ok(address.family === 6)
    await test.listen({}, { address: { family: 4, host: '0.0.0.0', port: address.port } })
  })

  it('says which port is taken', async (t) => {
    const test = await engineFor(t, backend)
    const { address } = await test.listen()
    await rejects(test, address, 'LISTEN_ADDRESS_IN_USE')
    const server = createServer().listen(0, '127.0.0.1')
    t.after(() => server.close())
    await new Promise((resolve) => server.once('listening', resolve))
    const bound = server.address()
    assert.ok(bound !== null && typeof bound !== 'string')
    await rejects(test, { family: 4, host: '127.0.0.1', port: bound.port }, 'LISTEN_ADDRESS_IN_USE')
  })

  it('says which Unix socket is taken', async (t) => {
    const test = await engineFor(t, backend)
    const address = { family: 'unix', path: socketFile(t) } as const
    await test.listen({}, { address })
    await rejects(test, address, 'LISTEN_ADDRESS_IN_USE')
  })

  it('says which address this machine does not have', async (t) => {
    const test = await engineFor(t, backend)
    await rejects(test, { family: 4, host: '192.0.2.77', port: 0 }, 'LISTEN_ADDRESS_UNAVAILABLE')
  })

  it('says which path cannot be listened on', async (t) => {
    const test = await engineFor(t, backend)
    await rejects(test, { family: 'unix', path: `${socketFile(t)}.missing/socket` }, 'LISTEN_FORBIDDEN')
  })

  it('accepts nothing before start()', async (t) => {
    const { createEngine } = await import('../../src/engine/index.ts')
    const { engine } = await createEngine(backend.kind, { blockCount: 1024, receiveBlocks: 64 })
    t.after(() => engine.close())
    let accepted = 0
    const listener = await engine.listen({ address: LOOPBACK }, () => {
      accepted++
      return { opened() {}, received: (connection, start, end) => connection.send(start, end), ended() {}, drained() {}, closed() {} }
    })
    const client = await witness(t, listener.address)
    client.read().socket.write('early')
    assert.equal(accepted, 0)
    engine.start()
    await client.gets(5)
    assert.equal(accepted, 1)
  })

  it('resets a connection that accepted() does not want', async (t) => {
    const test = await engineFor(t, backend)
    const listener = await test.engine.listen({ address: LOOPBACK }, () => undefined)
    assert.equal(await dial(t, listener.address).closed(), 'ECONNRESET')
  })

  it('resets a connection when accepted() throws, and accepts the next', async (t) => {
    const test = await engineFor(t, backend)
    const error = new Error('from accepted()')
    let calls = 0
    const listener = await test.engine.listen({ address: LOOPBACK }, () => {
      if (calls++ === 0) throw error
      return test.recorder(echo)
    })
    assert.equal(await dial(t, listener.address).closed(), 'ECONNRESET')
    assert.deepEqual(test.takeErrors(), [error])
    const second = await witness(t, listener.address)
    second.read().socket.write('hello')
    await second.gets(5)
  })

  it('lets accepted() send, end, close and reset at once', async (t) => {
    const test = await engineFor(t, backend)
    const acts: ((connection: Connection) => void)[] = [
      (connection) => test.write(connection, 'hello'),
      (connection) => connection.end(),
      (connection) => connection.close(),
      (connection) => connection.reset(),
    ]
    let calls = 0
    const listener = await test.engine.listen({ address: LOOPBACK }, (connection) => {
      acts[calls++](connection)
      return test.recorder()
    })
    await dial(t, listener.address).gets(5)
    await dial(t, listener.address).ended()
    await dial(t, listener.address).ended()
    assert.equal(await dial(t, listener.address).closed(), 'ECONNRESET')
  })

  it('resets connections beyond maxConnections and accepts again when one is over', async (t) => {
    const test = await engineFor(t, backend, { maxConnections: 2 })
    const { address, accepted, count } = await test.listen(echo)
    const [first] = [await witness(t, address), await witness(t, address)]
    await count(2)
    assert.equal(await dial(t, address).closed(), 'ECONNRESET')
    assert.equal(accepted.length, 2)
    first.socket.resetAndDestroy()
    await Promise.race(accepted.map((each) => each.over()))
    await test.turns()
    const fourth = (await witness(t, address)).read()
    fourth.socket.write('hello')
    await fourth.gets(5)
  })
}
