import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { createEngine, Timer } from '../../src/engine/index.ts'
import { type Backend, engineFor, LOOPBACK } from '../support/engine.ts'
import { engineThread } from '../support/engine-thread.ts'
import { dial, witness, witnessServer } from '../support/net.ts'

/** The end of an engine: by close(), and with its thread. */
export function shutdown(backend: Backend): void {
  it('close() resets what is open, tells every handler once, and stops listening', async (t) => {
    const test = await engineFor(t, backend)
    const server = await witnessServer(t, LOOPBACK, (each) => each.read())
    const { address, accepted, count } = await test.listen()
    const clients = await Promise.all(Array.from({ length: 10 }, () => witness(t, address)))
    await count(10)
    const idle = test.connect(server.address)
    const congested = test.connect(server.address)
    const ending = test.connect(server.address)
    const mine = [idle, congested, ending]
    await Promise.all(mine.map((each) => each.until(() => each.count('opened') === 1)))
    test.write(congested.connection!, Buffer.alloc(8 << 20))
    ending.connection?.end()
    const connecting = test.connect(server.address)
    const first = test.engine.close()
    assert.equal(await test.engine.close(), await first)
    for (const each of [...accepted, idle, congested, ending, connecting]) {
      assert.equal(each.reason, 'local')
      assert.equal(each.count('closed'), 1)
    }
    for (const client of clients) assert.equal(await client.read().closed(), 'ECONNRESET')
    assert.equal(await dial(t, address).closed(), 'ECONNREFUSED')
  })

  it('close() of an engine that was never started, and of one with nothing in it', async () => {
    for (const isStarted of [false, true]) {
      const { engine } = await createEngine(backend.kind, { blockCount: 256, receiveBlocks: 64 })
      if (isStarted) engine.start()
      await engine.close()
    }
  })

  it('nothing can be opened after close()', async (t) => {
    const test = await engineFor(t, backend)
    const server = await witnessServer(t)
    await test.engine.close()
    await assert.rejects(
      test.engine.listen({ address: LOOPBACK }, () => undefined),
      { code: 'LISTEN_FAILED' },
    )
    const { promise, resolve } = Promise.withResolvers<string>()
    const handler = { opened() {}, received() {}, ended() {}, drained() {}, closed: (_: unknown, reason: string) => resolve(reason) }
    test.engine.connect(server.address, { timeoutMs: 20_000 }, handler)
    assert.equal(await promise, 'overload')
  })

  it('timers and deferred callbacks do not run after close()', async (t) => {
    const test = await engineFor(t, backend)
    let runs = 0
    const timer = new Timer({ expired: () => runs++ })
    test.engine.timers.arm(timer, 1)
    await test.engine.close()
    const before = runs
    test.engine.defer(() => runs++)
    // What another engine does of the same, and later, has been done.
    const other = await engineFor(t, backend)
    await new Promise<void>((resolve) => {
      other.engine.timers.arm(new Timer({ expired: () => other.engine.defer(resolve) }), 1)
    })
    assert.equal(runs, before)
  })

  it('a started engine keeps the process alive, and a closed one does not', () => {
    const script = fileURLToPath(new URL('../support/lone-engine.ts', import.meta.url))
    const { status, stdout, stderr } = spawnSync(process.execPath, [script, backend.kind], { encoding: 'utf8' })
    assert.equal(stdout, 'alive\n', stderr)
    assert.equal(status, 0)
  })

  it('an address can be listened on again after close()', async (t) => {
    const first = await engineFor(t, backend)
    const { address } = await first.listen()
    await first.engine.close()
    const second = await engineFor(t, backend)
    const again = await second.listen({}, { address })
    assert.deepEqual(again.address, address)
  })

  it('an engine whose thread is terminated takes its connections along and nothing else', async (t) => {
    const here = await engineFor(t, backend)
    const local = await here.listen({ received: (connection, start, end) => connection.send(start, end) })
    const thread = await engineThread(t, backend, LOOPBACK)
    const clients = await Promise.all(Array.from({ length: 20 }, () => witness(t, thread.address)))
    for (const client of clients) client.read().socket.write('hello')
    await Promise.all(clients.map((client) => client.gets(5)))
    // Some are in the middle of something.
    for (const client of clients.slice(0, 10)) client.socket.write(Buffer.alloc(1 << 20))
    await thread.worker.terminate()
    await Promise.all(clients.map((client) => client.until(() => client.hasEnded || client.isClosed)))
    assert.equal(await dial(t, thread.address).closed(), 'ECONNREFUSED')
    const client = (await witness(t, local.address)).read()
    client.socket.write('still here')
    await client.gets(10)
  })

  it('engines come and go without leaving descriptors behind', {
    skip: process.platform === 'linux' ? false : 'reads /proc',
  }, async (t) => {
    const { readdirSync } = await import('node:fs')
    const server = await witnessServer(t, LOOPBACK, (each) => each.read())
    const run = async () => {
      const { engine } = await createEngine(backend.kind, { blockCount: 256, receiveBlocks: 64 })
      engine.start()
      const listener = await engine.listen({ address: LOOPBACK }, () => undefined)
      await new Promise<void>((resolve) => {
        const quiet = { opened: () => engine.defer(resolve), received() {}, ended() {}, drained() {}, closed() {} }
        engine.connect(server.address, { timeoutMs: 20_000 }, quiet)
      })
      listener.close()
      await engine.close()
    }
    await run()
    for (const { socket } of server.sockets) socket.destroy()
    const before = readdirSync('/proc/self/fd').length
    for (let i = 0; i < 10; i++) await run()
    await Promise.all(server.sockets.map((each) => each.closed()))
    await new Promise((resolve) => setImmediate(resolve))
    assert.ok(readdirSync('/proc/self/fd').length <= before, 'descriptors were left behind')
  })
}
