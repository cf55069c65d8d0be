import assert from 'node:assert/strict'
import { it, type TestContext } from 'node:test'
import type { SocketAddress } from '../../src/core/index.ts'
import type { Connection } from '../../src/engine/index.ts'
import { type Backend, type EngineUnderTest, engineFor, LOOPBACK } from '../support/engine.ts'
import { engineThread } from '../support/engine-thread.ts'
import { dial, witness } from '../support/net.ts'

const echo = { received: (connection: Connection, start: number, end: number) => connection.send(start, end) }

/** The life of a listener: pause, resume, close, and a port shared with another thread. */
export function listeners(backend: Backend): void {
  it('a paused listener accepts nothing until it is resumed', async (t) => {
    const test = await engineFor(t, backend)
    const { listener, address, accepted, count } = await test.listen(echo)
    const other = await test.listen(echo)
    const before = (await witness(t, address)).read()
    await count(1)
    listener.pause()
    listener.pause()
    await test.turns()
    const clients = await Promise.all(Array.from({ length: 8 }, () => witness(t, address)))
    for (const client of clients) client.read().socket.write('waits')
    // The loop turns meanwhile: another listener and the connection from before are served.
    const aside = (await witness(t, other.address)).read()
    for (let i = 1; i <= 20; i++) {
      aside.socket.write('x')
      before.socket.write('x')
      await Promise.all([aside.gets(i), before.gets(i)])
    }
    assert.equal(accepted.length, 1)
    listener.resume()
    listener.resume()
    await count(9)
    await Promise.all(clients.map((client) => client.gets(5)))
  })

  it('a paused listener accepts what waited even if the peer has gone meanwhile', async (t) => {
    const test = await engineFor(t, backend)
    const { listener, address, accepted, count } = await test.listen()
    listener.pause()
    await test.turns()
    const client = await witness(t, address)
    client.socket.end('bye')
    await test.turns(5)
    listener.resume()
    await count(1)
    await accepted[0].until(() => accepted[0].count('ended') === 1)
    assert.equal(accepted[0].text, 'bye')
  })

  it('close() accepts what is in the queue, then refuses', async (t) => {
    const test = await engineFor(t, backend)
    const { listener, address, accepted, count } = await test.listen(echo)
    listener.pause()
    await test.turns()
    const clients = await Promise.all(Array.from({ length: 16 }, () => witness(t, address)))
    for (const client of clients) client.read().socket.write('hello')
    listener.close()
    listener.close()
    await count(16)
    await Promise.all(clients.map((client) => client.gets(5)))
    await refused(t, test, address)
    assert.equal(accepted.length, 16)
  })

  it('accepted connections outlive their listener, and its address can be bound again', async (t) => {
    const test = await engineFor(t, backend)
    const { listener, address, count } = await test.listen(echo)
    const client = (await witness(t, address)).read()
    await count(1)
    listener.close()
    await refused(t, test, address)
    client.socket.write('still here')
    await client.gets(10)
    client.socket.end()
    const again = await test.listen(echo, { address })
    assert.deepEqual(again.address, address)
    await witness(t, address)
    await again.count(1)
  })

  it('shares a port with the listener of another thread', { skip: sharesPorts() }, async (t) => {
    const test = await engineFor(t, backend)
    const { address, accepted } = await test.listen(echo, { reusePort: true })
    const thread = await engineThread(t, backend, address, { reusePort: true })
    assert.deepEqual(thread.address, address)
    const clients = await Promise.all(Array.from({ length: 64 }, () => witness(t, address)))
    await Promise.all(
      clients.map(async (client) => {
        client.read().socket.write('hello')
        await client.gets(5)
      }),
    )
    // The kernel chooses by a hash of the addresses: 64 connections on one side only would be a wonder (2^-63).
    assert.ok(accepted.length > 0 && accepted.length < 64, `${accepted.length} of 64 were accepted here`)
  })

  it('does not share a port unless both ask for it', async (t) => {
    const test = await engineFor(t, backend)
    const { address } = await test.listen(echo, { reusePort: true })
    await assert.rejects(
      test.engine.listen({ address }, () => undefined),
      { code: 'LISTEN_ADDRESS_IN_USE' },
    )
  })

  it('takes a backlog of one', async (t) => {
    const test = await engineFor(t, backend)
    const { address, count } = await test.listen(echo, { address: LOOPBACK, backlog: 1 })
    await witness(t, address)
    await count(1)
  })
}

/** Resolves when connects are refused. The listening socket is closed a moment after close(), when its queue has been quiet. */
async function refused(t: TestContext, test: EngineUnderTest, address: SocketAddress): Promise<void> {
  for (;;) {
    await test.turns(4)
    const late = dial(t, address)
    await Promise.race([late.closed(), new Promise((resolve) => late.socket.once('connect', resolve))])
    late.socket.destroy()
    // Until then a connect is accepted, or dropped in the kernel's queue.
    if (late.error === 'ECONNREFUSED') return
  }
}

function sharesPorts(): string | false {
  return process.platform === 'linux' ? false : 'this system does not spread connections over sockets that share a port'
}
