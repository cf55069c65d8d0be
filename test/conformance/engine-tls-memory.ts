import assert from 'node:assert/strict'
import { it, type TestContext } from 'node:test'
import { Sequence } from '../support/bytes.ts'
import { slicedClient } from '../support/ciphertext.ts'
import { type Backend, type EngineUnderTest, engineFor, type Recorder } from '../support/engine.ts'
import { Hoard } from '../support/hoard.ts'
import { type SecureWitness, secureWitness } from '../support/tls.ts'
import { listenSecure } from './engine-tls.ts'

const BLOCK_BYTES = 32 * 1024
/** So few blocks that a sender uses them up. */
const SMALL = { blockBytes: BLOCK_BYTES, blockCount: 24, receiveBlocks: 8 }
const TOTAL = 3_000_000

interface Starving {
  readonly test: EngineUnderTest
  readonly hoard: Hoard
  readonly accepted: readonly Recorder[]
  readonly clients: readonly SecureWitness[]
}

/** Clients that have sent more than the arena holds, and whose plaintext is kept, so that some wait for memory in the middle of it. */
async function starving(t: TestContext, backend: Backend, count: number): Promise<Starving> {
  const test = await engineFor(t, backend, SMALL)
  const hoard = new Hoard(test)
  const listener = await listenSecure(test, { received: (_, start, end) => hoard.keep(start, end) })
  const clients: SecureWitness[] = []
  for (let i = 0; i < count; i++) clients.push(await secureWitness(t, listener.address))
  await listener.count(count)
  const sent = Buffer.alloc(TOTAL)
  new Sequence().fill(sent)
  for (const each of listener.accepted) each.keepsBytes = false
  for (const client of clients) client.socket.write(sent)
  await test.quiet(listener.accepted)
  assert.ok(test.engine.counters.receiveStarvations > 0, 'nobody has waited for memory')
  return { test, hoard, accepted: listener.accepted, clients }
}

/** Records of TLS in pieces that do not fit them, and an arena that is used up in the middle of one. */
export function tlsMemory(backend: Backend): void {
  it('records that do not end where a piece ends, and hold more than it has room for, come whole', async (t) => {
    const test = await engineFor(t, backend)
    const { address, accepted, count } = await listenSecure(test)
    const client = await slicedClient(t, address)
    await count(1)
    const lengths = [16_384, 10_000, 16_384, 6317]
    const plain = Buffer.alloc(lengths.reduce((sum, each) => sum + each))
    new Sequence().fill(plain)
    const ciphertext = await client.records(plain, lengths)
    const firstRecord = 16_384 + 22
    await client.send(ciphertext.subarray(0, firstRecord - 1))
    // node:tls counts plaintext only.
    if (backend.kind === 'uring') await test.until(() => (accepted[0].connection?.receivedBytes ?? 0) >= firstRecord - 1)
    await test.turns(5)
    await client.send(ciphertext.subarray(firstRecord - 1))
    await accepted[0].gets(plain.length)
    assert.ok(accepted[0].bytes.equals(plain))
  })

  it('plaintext that waits in the cipher alone, without ciphertext behind it, comes when there is a block', async (t) => {
    const test = await engineFor(t, backend, SMALL)
    const { blocks } = test.engine
    const hoard = new Hoard(test)
    const { address, accepted, count } = await listenSecure(test, { received: (_, start, end) => hoard.keep(start, end) })
    const client = await slicedClient(t, address)
    await count(1)
    const lengths = [16_384, 16_383, 16_340]
    const plain = Buffer.alloc(lengths.reduce((sum, each) => sum + each))
    new Sequence().fill(plain)
    const ciphertext = await client.records(plain, lengths)
    const firstPiece = 16_384 + 22 - 1
    await client.send(ciphertext.subarray(0, firstPiece))
    if (backend.kind === 'uring') await test.until(() => (accepted[0].connection?.receivedBytes ?? 0) >= firstPiece)
    await test.turns(5)
    // One block is left: the one that plaintext is being written to.
    const taken: number[] = []
    for (let at = blocks.take(); at !== -1; at = blocks.take()) taken.push(at)
    await client.send(ciphertext.subarray(firstPiece))
    await test.quiet(accepted)
    assert.ok(accepted[0].byteCount < plain.length)
    for (const at of taken) blocks.release(at)
    await accepted[0].gets(plain.length)
    assert.ok(accepted[0].bytes.equals(plain))
    hoard.release()
  })

  it('records of any length come whole in pieces of any length', async (t) => {
    const test = await engineFor(t, backend)
    const { address, accepted, count } = await listenSecure(test)
    const client = await slicedClient(t, address)
    await count(1)
    accepted[0].keepsBytes = false
    const lengths = Array.from({ length: 200 }, (_, i) => 1 + ((i * 7919) % 16_384))
    const plain = Buffer.alloc(lengths.reduce((sum, each) => sum + each))
    new Sequence().fill(plain)
    const check = new Sequence()
    accepted[0].does.received = (_, start, end) => check.check(test.engine.memory.subarray(start, end))
    const ciphertext = await client.records(plain, lengths)
    for (let at = 0, i = 0; at < ciphertext.length; i++) {
      const length = 1 + ((i * 104_729) % 70_000)
      await client.send(ciphertext.subarray(at, at + length))
      await test.turns(1)
      at += length
    }
    await accepted[0].gets(plain.length)
    assert.equal(check.position, plain.length)
  })

  it('decrypting stops when the arena is used up, and goes on with what had come when blocks come back', async (t) => {
    const { test, hoard, accepted, clients } = await starving(t, backend, 1)
    assert.ok(accepted[0].byteCount < TOTAL, 'the arena was not used up')
    clients[0].socket.end()
    const check = new Sequence()
    while (check.position < TOTAL) {
      await test.quiet(accepted)
      assert.equal(accepted[0].reason, undefined)
      hoard.release(check)
    }
    await accepted[0].until(() => accepted[0].count('ended') === 1)
    assert.equal(accepted[0].connection?.isOpen, true)
  })

  it('a connection over TLS that waits for memory can be paused, closed, reset and lost', async (t) => {
    const { test, hoard, accepted, clients } = await starving(t, backend, 6)
    accepted[0].connection?.close()
    accepted[1].connection?.reset()
    accepted[2].connection?.pause()
    clients[3].socket.destroy()
    await Promise.all([accepted[0].over(), accepted[1].over()])
    const rest = accepted.slice(4)
    while (rest.some((each) => each.byteCount < TOTAL)) {
      hoard.release()
      await test.turns(2)
    }
    for (let i = 0; i < 40; i++) {
      hoard.release()
      await test.turns(2)
    }
    assert.ok(accepted[2].byteCount < TOTAL, 'a pause was forgotten')
    accepted[2].connection?.resume()
    while (accepted[2].byteCount < TOTAL) {
      hoard.release()
      await test.turns(2)
    }
    for (const each of accepted) each.connection?.reset()
    await Promise.all(accepted.map((each) => each.over()))
    hoard.release()
    await test.turns(5)
    assert.ok(test.engine.blocks.free >= test.idleBlocks - 2, `${test.idleBlocks - test.engine.blocks.free} blocks are missing`)
  })

  it('an exchange over TLS through an arena of a few blocks is slow but whole', async (t) => {
    const test = await engineFor(t, backend, { ...SMALL, highWaterBytes: 128 * 1024, lowWaterBytes: 32 * 1024 })
    const { address } = await listenSecure(test, {
      received(connection, start, end) {
        connection.send(start, end)
        if (connection.isCongested) connection.pause()
      },
      drained: (connection) => connection.resume(),
      ended: (connection) => connection.end(),
    })
    const sent = Buffer.alloc(1_000_000)
    new Sequence().fill(sent)
    await Promise.all(
      Array.from({ length: 10 }, async () => {
        const client = (await secureWitness(t, address)).read()
        client.socket.end(sent)
        await client.ended()
        assert.ok(client.bytes.equals(sent))
      }),
    )
  })
}
