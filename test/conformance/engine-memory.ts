import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { Connection } from '../../src/engine/index.ts'
import { Sequence } from '../support/bytes.ts'
import { type Backend, engineFor, LOOPBACK } from '../support/engine.ts'
import { Hoard } from '../support/hoard.ts'
import { witness, witnessServer } from '../support/net.ts'

const BLOCK_BYTES = 4096

/** An arena that is used up, and comes back. */
export function memory(backend: Backend): void {
  const small = { blockBytes: BLOCK_BYTES, blockCount: 48, receiveBlocks: 16 }

  it('reserves memory without touching it', async (t) => {
    const before = process.memoryUsage().rss
    const test = await engineFor(t, backend, { blockBytes: 32 * 1024, blockCount: 16_384 })
    assert.equal(test.engine.memory.length, 512 << 20)
    assert.ok(process.memoryUsage().rss - before < 128 << 20, 'the arena is resident')
  })

  it('stops receiving when the arena is used up, and goes on when blocks come back', async (t) => {
    const test = await engineFor(t, backend, small)
    const hoard = new Hoard(test)
    const { address, accepted } = await test.listen({ received: (_, start, end) => hoard.keep(start, end) })
    const total = 2_000_000
    const sent = Buffer.alloc(total)
    new Sequence().fill(sent)
    const client = await witness(t, address)
    client.socket.end(sent)
    await test.until(() => accepted.length === 1)
    accepted[0].keepsBytes = false
    const check = new Sequence()
    for (let rounds = 0; check.position < total; rounds++) {
      await test.quiet(accepted)
      assert.equal(accepted[0].reason, undefined)
      assert.ok(accepted[0].byteCount - check.position <= test.engine.memory.length)
      if (rounds === 0) assert.ok(accepted[0].byteCount < total, 'the arena was not used up')
      hoard.release(check)
    }
    await accepted[0].until(() => accepted[0].count('ended') === 1)
    assert.equal(check.position, total)
  })

  for (const isConnecting of [false, true]) {
    it(`${isConnecting ? 'connects' : 'accepted connections'} that wait for memory all get what was sent`, async (t) => {
      const test = await engineFor(t, backend, small)
      const hoards: Hoard[] = []
      const keep = (connection: Connection, start: number, end: number) => {
        hoards[recorders.findIndex((each) => each.connection === connection)].keep(start, end)
      }
      const server = await witnessServer(t)
      const { address, accepted, count } = await test.listen({ received: keep })
      const peers = isConnecting ? server.sockets : await Promise.all(Array.from({ length: 8 }, () => witness(t, address)))
      const recorders = isConnecting ? Array.from({ length: 8 }, () => test.connect(server.address, { received: keep })) : accepted
      if (isConnecting) await server.connection(7)
      else await count(8)
      const sent = Buffer.alloc(200_000)
      new Sequence().fill(sent)
      for (const recorder of recorders) {
        hoards.push(new Hoard(test))
        recorder.keepsBytes = false
      }
      for (const peer of peers) peer.socket.end(sent)
      const checks = recorders.map(() => new Sequence())
      while (!recorders.every((each) => each.count('ended') === 1)) {
        await test.turns(5)
        for (const [i, hoard] of hoards.entries()) hoard.release(checks[i])
      }
      for (const [i, hoard] of hoards.entries()) hoard.release(checks[i])
      for (const check of checks) assert.equal(check.position, sent.length)
    })
  }

  it('receiving leaves some blocks to sending, so that what was received can be answered', async (t) => {
    const test = await engineFor(t, backend, { ...small, blockCount: 64 })
    const hoard = new Hoard(test)
    const { address, accepted, count } = await test.listen({ received: (_, start, end) => hoard.keep(start, end) })
    const clients = await Promise.all(Array.from({ length: 4 }, () => witness(t, address)))
    await count(4)
    for (const client of clients) client.read().socket.write(Buffer.alloc(200_000))
    await test.quiet(accepted)
    assert.ok(
      accepted.some((each) => each.byteCount < 200_000),
      'the arena was not used up',
    )
    assert.ok(test.engine.counters.receiveStarvations > 0)
    for (const [i, client] of clients.entries()) {
      test.write(accepted[i].connection!, 'too much')
      await client.gets(8)
      assert.equal(client.text, 'too much')
    }
    hoard.release()
  })

  it('a connection that waits for memory can be closed, reset and lost', async (t) => {
    const test = await engineFor(t, backend, small)
    const hoard = new Hoard(test)
    const { address, accepted, count } = await test.listen({ received: (_, start, end) => hoard.keep(start, end) })
    const clients = await Promise.all(Array.from({ length: 6 }, () => witness(t, address)))
    await count(6)
    for (const client of clients) client.socket.write(Buffer.alloc(200_000))
    await test.quiet(accepted)
    assert.ok(
      accepted.some((each) => each.byteCount < 200_000),
      'the arena was not used up',
    )
    accepted[0].connection?.close()
    accepted[1].connection?.reset()
    clients[2].socket.resetAndDestroy()
    clients[3].socket.resetAndDestroy()
    await Promise.all([accepted[0].over(), accepted[1].over()])
    for (let i = 0; i < 40 || accepted.some((each) => each.reason === undefined && each.byteCount < 200_000); i++) {
      hoard.release()
      await test.turns(2)
    }
    for (const each of accepted) each.connection?.reset()
    await Promise.all(accepted.map((each) => each.over()))
    hoard.release()
    await test.turns(5)
    assert.ok(test.engine.blocks.free >= test.idleBlocks - 2, `${test.idleBlocks - test.engine.blocks.free} blocks are missing`)
  })

  it('reserve() says -1 when the arena is used up, and what was queued still goes out', async (t) => {
    const test = await engineFor(t, backend, small)
    const server = await witnessServer(t)
    const client = test.connect(server.address)
    const connection = client.connection!
    await client.until(() => client.count('opened') === 1)
    const peer = await server.connection(0)
    let queued = 0
    for (let inVain = 0; inVain < 20; ) {
      const at = connection.reserve(BLOCK_BYTES)
      if (at === -1) {
        inVain++
        await test.turns()
        continue
      }
      inVain = 0
      test.engine.memory.fill(queued & 0xff, at, at + BLOCK_BYTES)
      connection.commit(BLOCK_BYTES)
      queued += BLOCK_BYTES
    }
    assert.ok(connection.queuedBytes > 0)
    peer.read(() => {})
    await peer.gets(queued)
    await test.until(() => connection.queuedBytes === 0)
    assert.notEqual(connection.reserve(BLOCK_BYTES), -1)
    connection.commit(0)
  })

  it('an exchange through an arena of a few blocks is slow but whole', async (t) => {
    const test = await engineFor(t, backend, { ...small, highWaterBytes: 16_384, lowWaterBytes: 4096 })
    const { address } = await test.listen({
      received(connection, start, end) {
        connection.send(start, end)
        if (connection.isCongested) connection.pause()
      },
      drained: (connection) => connection.resume(),
      ended: (connection) => connection.end(),
    })
    const sent = Buffer.alloc(300_000)
    new Sequence().fill(sent)
    await Promise.all(
      Array.from({ length: 10 }, async () => {
        const client = (await witness(t, address)).read()
        client.socket.end(sent)
        await client.ended()
        assert.ok(client.bytes.equals(sent))
      }),
    )
  })

  it('short messages to a peer that does not read take little more memory than their bytes', async (t) => {
    const test = await engineFor(t, backend)
    const server = await witnessServer(t)
    let messages = 0
    const { address, accepted, count } = await test.listen({
      received(connection, start, end) {
        test.write(connection, test.bytes(start, end))
        if (messages++ % 2 === 0) stuck.connection?.send(start, Math.min(end, start + 200))
        else test.write(stuck.connection!, 'x'.repeat(200))
      },
    })
    const stuck = test.connect(server.address)
    const client = (await witness(t, address)).read(() => {})
    await count(1)
    accepted[0].keepsBytes = false
    await stuck.until(() => stuck.count('opened') === 1)
    test.write(stuck.connection!, Buffer.alloc(8 << 20))
    await test.until(() => (stuck.connection?.queuedBytes ?? 0) < 8 << 20)
    await test.turns(20)
    const before = test.engine.blocks.free
    const part = Buffer.alloc(60_000)
    for (let i = 1; i <= 300; i++) {
      client.socket.write(part)
      await client.gets(i * part.length)
    }
    await test.turns(3)
    const blocks = before - test.engine.blocks.free
    assert.ok(blocks <= 24 + (messages * 200) / BLOCK_BYTES, `${blocks} blocks are kept for ${messages} messages of 200 bytes`)
  })

  it('hands out blocks of the address that was bound', async (t) => {
    const test = await engineFor(t, backend, small)
    const { blocks, memory } = test.engine
    assert.equal(memory.length, small.blockBytes * small.blockCount)
    assert.equal(blocks.blockBytes, small.blockBytes)
    assert.equal(blocks.memory, memory)
    const { address } = await test.listen({}, { address: LOOPBACK })
    assert.notEqual(address, LOOPBACK)
  })
}
