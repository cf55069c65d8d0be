import assert from 'node:assert/strict'
import { it } from 'node:test'
import { Timer } from '../../src/engine/index.ts'
import { type Backend, engineFor, LOOPBACK } from '../support/engine.ts'
import { witness, witnessServer } from '../support/net.ts'

/** What the engine does when a room's code misbehaves, and that it never calls back into a room that is calling it. */
export function handlers(backend: Backend): void {
  for (const event of ['opened', 'received', 'ended', 'drained'] as const) {
    it(`a throw in ${event}() closes the connection with "failed" and is reported`, async (t) => {
      const test = await engineFor(t, backend, { highWaterBytes: 512 * 1024 })
      const server = await witnessServer(t, LOOPBACK, (each) => {
        each.read(() => {})
        each.socket.end('welcome')
      })
      const error = new Error(`from ${event}()`)
      const client = test.connect(server.address, {
        opened: (connection) => test.write(connection, Buffer.alloc(600_000)),
        [event]() {
          throw error
        },
      })
      const bystander = test.connect(server.address)
      assert.equal(await client.over(), 'failed')
      assert.deepEqual(client.events.slice(-2), [event, 'closed'])
      assert.deepEqual(test.takeErrors(), [error])
      await bystander.until(() => bystander.count('ended') === 1)
      assert.equal(bystander.text, 'welcome')
    })
  }

  it('a throw in closed() is reported, and the engine goes on', async (t) => {
    const test = await engineFor(t, backend)
    const error = new Error('from closed()')
    const { address, accepted } = await test.listen({
      received: (connection, start, end) => connection.send(start, end),
      closed() {
        if (accepted.length === 1) throw error
      },
    })
    const first = await witness(t, address)
    first.socket.resetAndDestroy()
    await test.until(() => test.errors.length === 1)
    assert.deepEqual(test.takeErrors(), [error])
    const second = (await witness(t, address)).read()
    second.socket.write('hello')
    await second.gets(5)
  })

  it('a throw in a timer or in a deferred callback is reported, and the engine goes on', async (t) => {
    const test = await engineFor(t, backend)
    const errors = [new Error('from expired()'), new Error('from a deferred callback')]
    test.engine.timers.arm(
      new Timer({
        expired() {
          throw errors[0]
        },
      }),
      1,
    )
    await test.until(() => test.errors.length === 1)
    test.engine.defer(() => {
      throw errors[1]
    })
    await test.until(() => test.errors.length === 2)
    assert.deepEqual(test.takeErrors(), errors)
    await test.turns(2)
  })

  it('no method calls a handler before it returns', async (t) => {
    const test = await engineFor(t, backend)
    const server = await witnessServer(t, LOOPBACK, (each) => each.read())
    const calls: ((index: number) => void)[] = []
    const clients = Array.from({ length: 6 }, () => {
      const client = test.connect(server.address)
      assert.deepEqual(client.events, [])
      return client
    })
    await Promise.all(clients.map((client) => client.until(() => client.count('opened') === 1)))
    calls.push((i) => test.write(clients[i].connection!, Buffer.alloc(2_000_000)))
    calls.push((i) => clients[i].connection?.pause())
    calls.push((i) => clients[i].connection?.resume())
    calls.push((i) => clients[i].connection?.end())
    calls.push((i) => clients[i].connection?.close())
    calls.push((i) => clients[i].connection?.reset())
    for (const [i, call] of calls.entries()) {
      const before = clients[i].events.length
      call(i)
      assert.equal(clients[i].events.length, before, String(call))
    }
    // Inside of an event the recorder notices by itself.
    const all = test.connect(server.address, {
      opened(connection) {
        connection.pause()
        connection.resume()
        test.write(connection, Buffer.alloc(2_000_000))
        test.connect(server.address, { opened: (other) => other.reset() })
        connection.end()
        connection.reset()
      },
    })
    assert.equal(await all.over(), 'local')
    await clients[5].over()
  })
}
