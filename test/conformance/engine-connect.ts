import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { it } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { SocketAddress } from '../../src/core/index.ts'
import { type ConnectionHandler, createEngine } from '../../src/engine/index.ts'
import { deafListener } from '../support/deaf-listener.ts'
import { type Backend, engineFor, LOOPBACK, remoteIp } from '../support/engine.ts'
import { socketFile, witnessServer } from '../support/net.ts'

const isLinux = process.platform === 'linux'

export function connecting(backend: Backend): void {
  for (const [name, address] of [
    ['IPv4', LOOPBACK],
    ['IPv6', { family: 6, host: '::1', port: 0 }],
  ] as const) {
    it(`connects over ${name}, opened() first, and names both ends`, async (t) => {
      const test = await engineFor(t, backend)
      const server = await witnessServer(t, address, ({ socket }) => socket.write('welcome'))
      const client = test.connect(server.address)
      await client.gets(7)
      assert.deepEqual(client.events.slice(0, 2), ['opened', 'received'])
      const { socket } = await server.connection(0)
      assert.deepEqual(client.connection?.remote, server.address)
      assert.equal(remoteIp(client.connection), socket.localAddress)
      assert.deepEqual(client.connection?.local, { family: address.family, host: socket.remoteAddress, port: socket.remotePort })
      assert.equal(client.connection?.isOpen, true)
    })
  }

  it('a preface goes out before all else', async (t) => {
    const test = await engineFor(t, backend)
    const server = await witnessServer(t)
    const client = test.recorder({ opened: (connection) => test.write(connection, 'later') })
    const preface = { room: 100, write: (memory: Uint8Array, at: number) => at + Buffer.from('first ').copy(memory, at) }
    client.connection = test.engine.connect(server.address, { timeoutMs: 20_000, preface }, client)
    test.write(client.connection, 'early ')
    const peer = (await server.connection(0)).read()
    await peer.gets(17)
    assert.equal(peer.text, 'first early later')
    client.connection.reset()
    await client.over()
  })

  it('connects over Unix sockets', async (t) => {
    const test = await engineFor(t, backend)
    const paths = isLinux ? [socketFile(t), `@evener-connect-${process.pid}-${backend.kind}`] : [socketFile(t)]
    for (const path of paths) {
      const server = await witnessServer(t, { family: 'unix', path }, ({ socket }) => socket.write('welcome'))
      const client = test.connect(server.address)
      await client.gets(7)
      assert.deepEqual(client.connection?.remote, server.address)
    }
  })

  it('is refused where nobody listens', async (t) => {
    const test = await engineFor(t, backend)
    const { server, address } = await witnessServer(t)
    await new Promise((resolve) => server.close(resolve))
    const targets: SocketAddress[] = [address, { family: 'unix', path: socketFile(t) }]
    for (const target of targets) {
      const client = test.connect(target)
      assert.equal(await client.over(), 'refused')
      assert.deepEqual(client.events, ['closed'])
    }
  })

  it('is refused by a Unix socket whose server has died', async (t) => {
    const test = await engineFor(t, backend)
    const path = socketFile(t)
    // Killed, so that the file stays without an owner.
    const script = 'require("net").createServer().listen(process.argv[1], () => process.kill(process.pid, "SIGKILL"))'
    spawnSync(process.execPath, ['-e', script, path])
    assert.equal(await test.connect({ family: 'unix', path }).over(), 'refused')
  })

  it('finds a network unreachable', { skip: isLinux ? false : 'needs network namespaces' }, (t) => {
    const script = fileURLToPath(new URL('../support/unreachable.ts', import.meta.url))
    const command = ['--net', '--map-root-user', process.execPath, script, backend.kind, '192.0.2.1']
    const { error, status, stdout, stderr } = spawnSync('unshare', command, { encoding: 'utf8' })
    if (error !== undefined || (status !== 0 && stderr.startsWith('unshare'))) {
      return t.skip(`no network namespace: ${error?.message ?? stderr.trim()}`)
    }
    assert.equal(stdout.trim(), 'unreachable', stderr)
  })

  it('gives up a connect that gets no answer in time', { skip: isLinux ? false : 'needs a full accept queue that drops' }, async (t) => {
    const test = await engineFor(t, backend)
    const address = await deafListener(t)
    const client = test.recorder()
    test.engine.connect(address, { timeoutMs: 50 }, client)
    assert.equal(await client.over(), 'timeout')
    assert.deepEqual(client.events, ['closed'])
  })

  it('close() and reset() end a connect that is under way', {
    skip: isLinux ? false : 'needs a full accept queue that drops',
  }, async (t) => {
    const test = await engineFor(t, backend)
    const address = await deafListener(t)
    for (const how of ['close', 'reset'] as const) {
      for (const turns of [0, 3]) {
        const client = test.connect(address)
        await test.turns(turns)
        assert.deepEqual(client.events, [])
        client.connection?.[how]()
        assert.equal(await client.over(), 'local')
        assert.deepEqual(client.events, ['closed'])
      }
    }
  })

  it('binds the source address', { skip: isLinux ? false : 'only Linux answers on all of 127.0.0.0/8' }, async (t) => {
    const test = await engineFor(t, backend)
    const server = await witnessServer(t)
    const client = test.connect(server.address, {}, { family: 4, host: '127.0.0.2', port: 0 })
    const { socket } = await server.connection(0)
    assert.equal(socket.remoteAddress, '127.0.0.2')
    await client.until(() => client.count('opened') === 1)
    assert.deepEqual(client.connection?.local, { family: 4, host: '127.0.0.2', port: socket.remotePort })
  })

  it('fails with a source address that this machine does not have', async (t) => {
    const test = await engineFor(t, backend)
    const server = await witnessServer(t)
    const client = test.connect(server.address, {}, { family: 4, host: '192.0.2.77', port: 0 })
    assert.equal(await client.over(), 'failed')
  })

  it('never throws: nonsense arrives as closed("failed")', async (t) => {
    const test = await engineFor(t, backend)
    const nonsense: SocketAddress[] = [
      { family: 4, host: 'not an address', port: 80 },
      { family: 6, host: '127.0.0.1', port: 80 },
      { family: 4, host: '127.0.0.1', port: 70_000 },
      { family: 'unix', path: `/${'x'.repeat(200)}` },
    ]
    for (const address of nonsense) {
      const client = test.connect(address)
      assert.deepEqual(client.events, [])
      assert.equal(await client.over(), 'failed')
    }
  })

  it('sends what was queued before opened(), and ends after it', async (t) => {
    const test = await engineFor(t, backend)
    const server = await witnessServer(t, LOOPBACK, (each) => each.read())
    const client = test.connect(server.address, { opened: (connection) => test.write(connection, 'two') })
    test.write(client.connection!, 'one')
    assert.equal(client.connection?.queuedBytes, 3)
    const peer = await server.connection(0)
    await peer.gets(6)
    assert.equal(peer.text, 'onetwo')
    const ending = test.connect(server.address)
    test.write(ending.connection!, 'bye')
    ending.connection?.end()
    const other = await server.connection(1)
    await other.ended()
    assert.equal(other.text, 'bye')
  })

  it('a connect beyond maxConnections is closed("overload")', async (t) => {
    const test = await engineFor(t, backend, { maxConnections: 2 })
    const server = await witnessServer(t)
    const [first, second] = [test.connect(server.address), test.connect(server.address)]
    const third = test.connect(server.address)
    assert.equal(await third.over(), 'overload')
    await Promise.all([first, second].map((each) => each.until(() => each.count('opened') === 1)))
    first.connection?.close()
    await first.over()
    const fourth = test.connect(server.address)
    await fourth.until(() => fourth.count('opened') === 1)
  })

  it('a connect before start() waits for it', async (t) => {
    const { engine } = await createEngine(backend.kind, { blockCount: 1024, receiveBlocks: 64 })
    t.after(() => engine.close())
    const server = await witnessServer(t)
    const opened = Promise.withResolvers<void>()
    let calls = 0
    const handler: ConnectionHandler = {
      opened() {
        calls++
        engine.defer(opened.resolve)
      },
      received() {},
      ended() {},
      drained() {},
      closed() {},
    }
    engine.connect(server.address, { timeoutMs: 20_000 }, handler)
    await new Promise((resolve) => setImmediate(resolve))
    assert.equal(calls, 0)
    engine.start()
    await opened.promise
    assert.equal(calls, 1)
  })

  it('pause() before opened() holds back what the server says', async (t) => {
    const test = await engineFor(t, backend)
    const server = await witnessServer(t, LOOPBACK, ({ socket }) => socket.write('welcome'))
    const client = test.connect(server.address, { opened: (connection) => connection.pause() })
    await client.until(() => client.count('opened') === 1)
    await test.turns(20)
    assert.equal(client.byteCount, 0)
    client.connection?.resume()
    await client.gets(7)
  })

  it('can be pointed at its owner after the call', async (t) => {
    const test = await engineFor(t, backend)
    const server = await witnessServer(t)
    const [first, owner] = [test.recorder(), test.recorder()]
    const connection = test.engine.connect(server.address, { timeoutMs: 20_000 }, first)
    connection.handler = owner
    await owner.until(() => owner.count('opened') === 1)
    assert.deepEqual(first.events, [])
  })
}
