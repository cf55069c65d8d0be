import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { Connection } from '../../src/engine/index.ts'
import { Sequence } from '../support/bytes.ts'
import { type Backend, type EngineUnderTest, engineFor, LOOPBACK } from '../support/engine.ts'
import { witness, witnessServer } from '../support/net.ts'

const MEGABYTE = 1 << 20
const HIGH = 256 * 1024
const LOW = 64 * 1024
/** More than the kernel's buffers of a loopback connection take. */
const PLENTY = 16 * MEGABYTE

/** Water marks, and pause() and resume(). */
export function backpressure(backend: Backend): void {
  const marks = { highWaterBytes: HIGH, lowWaterBytes: LOW }

  it('is congested above the high-water mark until drained(), at the low-water mark', async (t) => {
    const test = await engineFor(t, backend, marks)
    const server = await witnessServer(t)
    let queuedAtDrained = -1
    const client = test.connect(server.address, {
      drained(connection) {
        queuedAtDrained = connection.queuedBytes
      },
    })
    const connection = client.connection!
    const peer = await server.connection(0)
    await client.until(() => client.count('opened') === 1)
    // In one turn nothing leaves yet, so that the marks are exact.
    await inTurn(test, () => {
      test.write(connection, Buffer.alloc(HIGH))
      assert.equal(connection.isCongested, false)
      test.write(connection, Buffer.alloc(1))
      assert.equal(connection.isCongested, true)
      assert.equal(connection.queuedBytes, HIGH + 1)
    })
    await client.until(() => client.count('drained') === 1)
    await fillUp(test, connection)
    const { queuedBytes, sentBytes } = connection
    const drained = client.count('drained')
    await test.turns(50)
    assert.equal(connection.queuedBytes, queuedBytes, 'nothing leaves while the peer does not read')
    assert.equal(client.count('drained'), drained)
    peer.read(() => {})
    await client.until(() => client.count('drained') > drained)
    assert.ok(queuedAtDrained <= LOW, `${queuedAtDrained} bytes were queued in drained()`)
    assert.equal(connection.isCongested, false)
    await peer.gets(sentBytes + queuedBytes)
    assert.equal(connection.sentBytes, sentBytes + queuedBytes)
    assert.equal(client.count('drained'), drained + 1)
  })

  it('drained() is not called on a connection that was not congested', async (t) => {
    const test = await engineFor(t, backend, marks)
    const server = await witnessServer(t, LOOPBACK, (each) => each.read(() => {}))
    const client = test.connect(server.address)
    const connection = client.connection!
    await client.until(() => client.count('opened') === 1)
    for (let i = 0; i < 10; i++) {
      await inTurn(test, () => test.write(connection, Buffer.alloc(HIGH / 2)))
      await test.until(() => connection.queuedBytes === 0)
    }
    assert.equal(client.count('drained'), 0)
  })

  it('sending again from drained() keeps a stream going', async (t) => {
    const test = await engineFor(t, backend, marks)
    const server = await witnessServer(t, LOOPBACK, (each) => each.read(() => {}))
    let left = 40
    const more = (connection: Connection) => {
      if (left-- > 0) test.write(connection, Buffer.alloc(2 * HIGH))
      else connection.end()
    }
    test.connect(server.address, { opened: more, drained: more })
    const peer = await server.connection(0)
    await peer.ended()
    assert.equal(peer.byteCount, 80 * HIGH)
  })

  it('pause() stops a fast sender by TCP, and resume() brings all that it sent', async (t) => {
    const test = await engineFor(t, backend)
    const { address, accepted, count } = await test.listen()
    const aside = await test.listen({ received: (connection, start, end) => connection.send(start, end) })
    const client = await witness(t, address)
    await count(1)
    const { connection } = accepted[0]
    accepted[0].keepsBytes = false
    const check = new Sequence()
    accepted[0].does.received = (_, start, end) => check.check(test.engine.memory.subarray(start, end))
    connection?.pause()
    connection?.pause()
    const sent = Buffer.alloc(PLENTY)
    new Sequence().fill(sent)
    client.socket.end(sent)
    // The loop goes round many times meanwhile, which it proves by serving another connection.
    const other = (await witness(t, aside.address)).read()
    for (let i = 1; i <= 200; i++) {
      other.socket.write('x')
      await other.gets(i)
    }
    assert.ok(check.position <= 2 * MEGABYTE, `${check.position} bytes arrived after pause()`)
    assert.ok(client.socket.writableLength > 0, 'the sender has got rid of everything')
    assert.equal(accepted[0].count('ended'), 0)
    connection?.resume()
    connection?.resume()
    await accepted[0].until(() => accepted[0].count('ended') === 1)
    assert.equal(check.position, PLENTY)
  })

  it('pause() in received() and resume() later, over and over, loses nothing', async (t) => {
    const test = await engineFor(t, backend)
    const { address, accepted } = await test.listen({
      received(connection) {
        connection.pause()
        test.engine.defer(() => connection.resume())
      },
    })
    const client = await witness(t, address)
    const sent = Buffer.alloc(2 * MEGABYTE)
    new Sequence().fill(sent)
    client.socket.end(sent)
    await test.until(() => accepted[0]?.count('ended') === 1)
    assert.ok(accepted[0].bytes.equals(sent))
  })

  it('pause() in accepted() holds everything back until resume()', async (t) => {
    const test = await engineFor(t, backend)
    const recorder = test.recorder()
    const listener = await test.engine.listen({ address: LOOPBACK }, (connection) => {
      connection.pause()
      recorder.connection = connection
      return recorder
    })
    const client = await witness(t, listener.address)
    client.socket.end('early')
    await test.turns(20)
    assert.deepEqual(recorder.events, [])
    recorder.connection?.resume()
    await recorder.until(() => recorder.count('ended') === 1)
    assert.equal(recorder.text, 'early')
  })

  it('a peer that does not read holds no other connection up', async (t) => {
    const test = await engineFor(t, backend, marks)
    const { address } = await test.listen({ received: (connection, start, end) => connection.send(start, end) })
    const server = await witnessServer(t)
    const stuck = test.connect(server.address)
    await stuck.until(() => stuck.count('opened') === 1)
    await fillUp(test, stuck.connection!)
    const client = (await witness(t, address)).read()
    for (let i = 1; i <= 20; i++) {
      client.socket.write('x')
      await client.gets(i)
    }
  })

  it('reset() drops a queue that does not drain, without drained()', async (t) => {
    const test = await engineFor(t, backend, marks)
    const server = await witnessServer(t)
    const client = test.connect(server.address)
    await client.until(() => client.count('opened') === 1)
    await fillUp(test, client.connection!)
    const drained = client.count('drained')
    client.connection?.reset()
    assert.equal(await client.over(), 'local')
    assert.equal(client.count('drained'), drained)
    await test.turns(3)
    assert.ok(test.engine.blocks.free >= test.idleBlocks - 2, `${test.idleBlocks - test.engine.blocks.free} blocks are missing`)
  })

  /** Queues until the kernel takes no more and the connection stays congested. */
  async function fillUp(test: EngineUnderTest, connection: Connection): Promise<void> {
    for (let queued = -1; queued !== connection.queuedBytes || queued <= HIGH; ) {
      await inTurn(test, () => test.write(connection, Buffer.alloc(MEGABYTE)))
      queued = connection.queuedBytes
      await test.turns(10)
    }
  }
}

function inTurn(test: EngineUnderTest, act: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    test.engine.defer(() => {
      try {
        act()
        resolve()
      } catch (error) {
        reject(error)
      }
    })
  })
}
