import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { it } from 'node:test'
import type { Connection } from '../../src/engine/index.ts'
import { Sequence } from '../support/bytes.ts'
import { type Backend, type EngineUnderTest, engineFor, LOOPBACK } from '../support/engine.ts'
import { socketFile, witness, witnessServer } from '../support/net.ts'
import { between, seededRandom } from '../support/random.ts'

const MEGABYTE = 1 << 20

/** Bytes in and out: where they lie, their order, and that they are the same. */
export function streaming(backend: Backend): void {
  it('delivers bytes in slices of one block each', async (t) => {
    // The recorder checks every slice; blocks of 4 KiB make sure that there are many.
    const test = await engineFor(t, backend, { blockBytes: 4096, blockCount: 4096 })
    const { address, accepted } = await test.listen()
    const client = await witness(t, address)
    const sent = Buffer.alloc(MEGABYTE)
    new Sequence().fill(sent)
    client.socket.end(sent)
    await client.until(() => true)
    await test.until(() => accepted[0]?.count('ended') === 1)
    assert.ok(accepted[0].bytes.equals(sent))
    assert.equal(accepted[0].connection?.receivedBytes, MEGABYTE)
  })

  it('keeps bytes under a hold beyond the call, and takes the block back after', async (t) => {
    const test = await engineFor(t, backend)
    const held: { start: number; end: number }[] = []
    const { address, accepted } = await test.listen({
      received(_, start, end) {
        test.engine.blocks.hold(start)
        held.push({ start, end })
      },
    })
    const client = await witness(t, address)
    const sequence = new Sequence()
    for (let i = 1; i <= 50; i++) {
      const part = Buffer.alloc(1000)
      sequence.fill(part)
      client.socket.write(part)
      await test.until(() => accepted[0]?.byteCount === i * 1000)
    }
    const again = new Sequence()
    for (const { start, end } of held) again.check(test.engine.memory.subarray(start, end))
    assert.equal(again.position, 50_000)
    for (const { start } of held) test.engine.blocks.release(start)
    await test.turns(3)
    assert.ok(test.engine.blocks.free >= test.idleBlocks - 2, `${test.idleBlocks - test.engine.blocks.free} blocks are missing`)
  })

  it('send() takes its own hold of what was received', async (t) => {
    const test = await engineFor(t, backend)
    const { address } = await test.listen({ received: (connection, start, end) => connection.send(start, end) })
    const client = await witness(t, address)
    const sequence = new Sequence()
    client.read((chunk) => sequence.check(chunk))
    const sent = Buffer.alloc(4 * MEGABYTE)
    new Sequence().fill(sent)
    client.socket.write(sent)
    await client.gets(sent.length)
    assert.equal(sequence.position, sent.length)
  })

  it('keeps the order of reserve(), commit() and send(), in any mix and size', async (t) => {
    const test = await engineFor(t, backend, { blockBytes: 4096, blockCount: 4096 })
    const server = await witnessServer(t, LOOPBACK, (each) => each.read())
    const client = test.connect(server.address)
    const random = seededRandom(4711)
    const sent: Buffer[] = []
    for (let round = 0; round < 60; round++) {
      // Inside of one turn, between turns, and before opened().
      await new Promise<void>((resolve) => {
        test.engine.defer(() => {
          for (let i = between(random, 0, 20); i > 0; i--) sent.push(mixed(test, client.connection!, random))
          resolve()
        })
      })
    }
    const expected = Buffer.concat(sent)
    const peer = await server.connection(0)
    await peer.gets(expected.length)
    assert.ok(peer.bytes.equals(expected))
    await test.until(() => client.connection?.queuedBytes === 0)
    assert.equal(client.connection?.sentBytes, expected.length)
  })

  it('commit() takes fewer bytes than reserved, or none; empty slices send nothing', async (t) => {
    const test = await engineFor(t, backend)
    const server = await witnessServer(t, LOOPBACK, (each) => each.read())
    const client = test.connect(server.address, {
      opened(connection) {
        test.engine.memory.fill(0x61, connection.reserve(1000))
        connection.commit(3)
        connection.reserve(1000)
        connection.commit(0)
        const at = connection.reserve(10)
        test.engine.memory.fill(0x62, at, at + 10)
        connection.commit(1)
        connection.send(at, at)
        connection.end()
      },
    })
    await client.until(() => client.count('opened') === 1)
    const peer = await server.connection(0)
    await peer.ended()
    assert.equal(peer.text, 'aaab')
  })

  it('reserve() gives a whole block and no more', async (t) => {
    const test = await engineFor(t, backend)
    const server = await witnessServer(t, LOOPBACK, (each) => each.read())
    const { blockBytes } = test.engine.blocks
    const client = test.connect(server.address)
    const at = client.connection!.reserve(blockBytes)
    assert.equal(at % blockBytes, 0)
    client.connection?.commit(blockBytes)
    assert.equal(client.connection?.reserve(blockBytes + 1), -1)
    await (await server.connection(0)).gets(blockBytes)
  })

  for (const [name, isUnix] of [
    ['TCP', false],
    ['a Unix socket', true],
  ] as const) {
    it(`carries 100 MB each way over ${name} in constant memory`, async (t) => {
      const test = await engineFor(t, backend)
      const address = isUnix ? ({ family: 'unix', path: socketFile(t) } as const) : LOOPBACK
      let mostBlocks = 0
      const { address: bound, accepted } = await test.listen(
        {
          received(connection, start, end) {
            connection.send(start, end)
            if (connection.isCongested) connection.pause()
            mostBlocks = Math.max(mostBlocks, test.idleBlocks - test.engine.blocks.free)
          },
          drained: (connection) => connection.resume(),
          ended: (connection) => connection.end(),
        },
        { address },
      )
      const client = await witness(t, bound)
      await test.until(() => accepted.length === 1)
      accepted[0].keepsBytes = false
      const [sent, got] = [createHash('sha1'), createHash('sha1')]
      client.read((chunk) => got.update(chunk))
      await pour(client.socket, 100 * MEGABYTE, (chunk) => sent.update(chunk))
      await client.ended()
      assert.equal(client.byteCount, 100 * MEGABYTE)
      assert.equal(got.digest('hex'), sent.digest('hex'))
      assert.equal(await accepted[0].over(), 'done')
      assert.equal(accepted[0].connection?.receivedBytes, 100 * MEGABYTE)
      assert.equal(accepted[0].connection?.sentBytes, 100 * MEGABYTE)
      // The high-water mark, what was on its way when it was reached, and the engine's own.
      assert.ok(mostBlocks <= 160, `${mostBlocks} blocks were in use`)
    })
  }

  it('gets everything through to a peer that reads little at a time', async (t) => {
    const test = await engineFor(t, backend)
    const server = await witnessServer(t)
    const client = test.connect(server.address)
    const all = Buffer.alloc(12 * MEGABYTE)
    new Sequence().fill(all)
    test.write(client.connection!, all)
    client.connection?.end()
    const { socket } = await server.connection(0)
    const check = new Sequence()
    // One chunk a turn: the kernel's buffers stay full, so that writes are cut short.
    socket.on('data', (chunk: Buffer) => {
      check.check(chunk)
      socket.pause()
      setImmediate(() => socket.resume())
    })
    await new Promise((resolve) => socket.once('end', resolve))
    assert.equal(check.position, all.length)
    assert.equal(client.connection?.sentBytes, all.length)
  })

  it('a handler can be swapped in mid-stream', async (t) => {
    const test = await engineFor(t, backend)
    const second = test.recorder()
    const { address, accepted } = await test.listen({
      received(connection) {
        connection.handler = second
      },
    })
    const client = await witness(t, address)
    client.socket.write('first')
    await test.until(() => accepted[0]?.text === 'first')
    client.socket.end('second')
    await second.until(() => second.count('ended') === 1)
    assert.equal(second.text, 'second')
    assert.equal(accepted[0].text, 'first')
    accepted[0].connection?.close()
    assert.equal(await second.over(), 'done')
    assert.deepEqual(accepted[0].events, ['received'])
  })
}

/** Queues something in one of the ways there are, and returns a copy of it. */
function mixed(test: EngineUnderTest, connection: Connection, random: () => number): Buffer {
  const { engine } = test
  const length = random() < 0.3 ? between(random, 2000, 4096) : between(random, 1, 300)
  const content = Buffer.alloc(length, between(random, 0, 255))
  if (random() < 0.5) {
    const at = connection.reserve(length)
    engine.memory.set(content, at)
    connection.commit(length)
    return content
  }
  const block = engine.blocks.take()
  const at = block + between(random, 0, 4096 - length)
  engine.memory.set(content, at)
  connection.send(at, at + length)
  engine.blocks.release(block)
  return content
}

/** Writes `total` bytes as fast as the socket takes them, then FIN. */
async function pour(socket: import('node:net').Socket, total: number, onChunk: (chunk: Buffer) => void): Promise<void> {
  const chunk = Buffer.alloc(256 * 1024)
  new Sequence(7).fill(chunk)
  for (let sent = 0; sent < total; ) {
    const part = chunk.subarray(0, Math.min(chunk.length, total - sent))
    sent += part.length
    onChunk(part)
    if (!socket.write(part)) await new Promise((resolve) => socket.once('drain', resolve))
  }
  socket.end()
}
