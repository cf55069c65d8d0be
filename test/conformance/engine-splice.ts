import assert from 'node:assert/strict'
import { readdirSync, readlinkSync } from 'node:fs'
import { it, type TestContext } from 'node:test'
import type { SocketAddress } from '../../src/core/index.ts'
import type { Connection } from '../../src/engine/index.ts'
import { Sequence } from '../support/bytes.ts'
import { type Backend, type EngineUnderTest, engineFor, LOOPBACK } from '../support/engine.ts'
import { socketFile, type Witness, witness } from '../support/net.ts'
import { startSpliceRelay } from '../support/splice-relay.ts'

const MEGABYTE = 1 << 20
/** More than the kernel's buffers of two loopback connections and a pipe take. */
const PLENTY = 32 * MEGABYTE

function sequence(length: number, seed = 1): Buffer {
  const bytes = Buffer.alloc(length)
  new Sequence(seed).fill(bytes)
  return bytes
}

/** Reads, and checks each byte. */
function checked(peer: Witness, seed = 1): Sequence {
  const check = new Sequence(seed)
  peer.read((chunk) => check.check(chunk))
  return check
}

/** Bytes that go from one connection to another without passing through memory, and the same where the engine says no. */
export function splicing(backend: Backend): void {
  const isUring = backend.kind === 'uring'

  it('says whether it can', async (t) => {
    const { source, target, splice } = await relay(t)
    assert.equal(splice(source, target), isUring)
    assert.equal(splice(source, target), isUring, 'asked again')
  })

  for (const [name, isUnix] of [
    ['TCP', false],
    ['Unix sockets', true],
  ] as const) {
    it(`brings every byte over ${name} in order, and FIN behind the last one`, async (t) => {
      const one = await relay(t, isUnix ? { address: { family: 'unix', path: socketFile(t) } } : {})
      one.splice(one.source, one.target)
      const check = checked(one.server)
      one.client.socket.end(sequence(PLENTY))
      await one.server.ended()
      assert.equal(check.position, PLENTY)
      assert.equal(one.source.receivedBytes, PLENTY)
      assert.equal(one.target.sentBytes, PLENTY)
      assert.equal(one.target.queuedBytes, 0)
      assert.equal(one.spliced + one.accepted.byteCount, PLENTY)
      if (isUring) assert.ok(one.accepted.byteCount < PLENTY / 2, `${one.accepted.byteCount} bytes were copied`)
      one.server.socket.end()
      assert.equal(await one.accepted.over(), 'done')
      assert.equal(await one.connected.over(), 'done')
      assert.equal(one.accepted.count('ended'), 1)
    })
  }

  it('goes both ways at once', async (t) => {
    const one = await relay(t)
    one.splice(one.source, one.target)
    one.splice(one.target, one.source)
    const there = checked(one.server, 1)
    const back = checked(one.client, 2)
    one.client.socket.end(sequence(PLENTY, 1))
    one.server.socket.end(sequence(PLENTY, 2))
    assert.equal(await one.accepted.over(), 'done')
    assert.equal(await one.connected.over(), 'done')
    await Promise.all([one.server.ended(), one.client.ended()])
    assert.deepEqual([there.position, back.position], [PLENTY, PLENTY])
  })

  it('brings a connection its own bytes back', async (t) => {
    const test = await engineFor(t, backend)
    const { address, accepted, count } = await test.listen({
      received: (connection, start, end) => connection.send(start, end),
      ended: (connection) => connection.end(),
    })
    const client = await witness(t, address)
    await count(1)
    accepted[0].keepsBytes = false
    const connection = accepted[0].connection as Connection
    connection.splice(connection, Infinity, { spliced() {} })
    const check = checked(client)
    client.socket.end(sequence(PLENTY))
    await client.ended()
    assert.equal(check.position, PLENTY)
    assert.equal(await accepted[0].over(), 'done')
  })

  it('stops after as many bytes as were asked for; the next come through received()', async (t) => {
    const asked = 3 * MEGABYTE + 1
    const one = await relay(t)
    one.splice(one.source, one.target, asked)
    const check = checked(one.server)
    one.client.socket.write(sequence(2 * asked))
    await one.server.gets(2 * asked)
    assert.equal(check.position, 2 * asked)
    assert.ok(one.spliced <= asked, `${one.spliced} bytes were spliced`)
    if (isUring) assert.ok(one.accepted.byteCount >= asked)
    one.splice(one.source, one.target)
    one.client.socket.end()
    await one.server.ended()
  })

  it('what was queued before goes first, and what is sent during it behind what is on its way', async (t) => {
    const one = await relay(t)
    one.accepted.does.received = (_, start, end) => one.target.send(start, end)
    const first = sequence(MEGABYTE, 7)
    one.test.write(one.target, first)
    one.splice(one.source, one.target)
    one.client.socket.write(Buffer.alloc(PLENTY, 'a'))
    // The server does not read: some of it is in the pipe.
    await one.held()
    one.test.write(one.target, 'b')
    one.server.read()
    await one.server.gets(MEGABYTE + PLENTY + 1)
    const { bytes } = one.server
    assert.ok(bytes.subarray(0, MEGABYTE).equals(first))
    assert.equal(bytes.indexOf('b', MEGABYTE), bytes.lastIndexOf('b'))
    assert.equal(bytes.subarray(MEGABYTE).filter((byte) => byte === 97).length, PLENTY)
  })

  it('a target that does not read holds the source back, with no memory of ours', async (t) => {
    const one = await relay(t)
    one.splice(one.source, one.target)
    one.client.socket.end(sequence(PLENTY))
    await one.held()
    assert.ok(one.client.socket.writableLength > 0, 'the sender has got rid of everything')
    assert.ok(one.target.queuedBytes > 0)
    if (isUring) {
      assert.ok(one.target.queuedBytes <= MEGABYTE, `${one.target.queuedBytes} bytes wait`)
      assert.ok(one.test.engine.blocks.free >= one.test.idleBlocks - 2, 'blocks are held')
    }
    const check = checked(one.server)
    await one.server.ended()
    assert.equal(check.position, PLENTY)
  })

  it('a source that ends while bytes are on their way leaves them to the target', async (t) => {
    const one = await relay(t)
    one.splice(one.source, one.target)
    const total = await one.fill()
    one.client.socket.end()
    const check = checked(one.server)
    await one.server.ended()
    assert.equal(check.position, total)
    assert.equal(one.target.sentBytes, total)
  })

  it('pause() before it begins and FIN before it begins are kept', async (t) => {
    const one = await relay(t)
    one.source.pause()
    one.client.socket.end(sequence(MEGABYTE))
    await one.test.turns(20)
    one.splice(one.source, one.target)
    await one.test.turns(20)
    assert.equal(one.accepted.count('ended'), 0)
    one.source.resume()
    const check = checked(one.server)
    await one.server.ended()
    assert.equal(check.position, MEGABYTE)
  })

  it('begins and ends again and again without losing a byte', async (t) => {
    const one = await relay(t)
    const check = checked(one.server)
    const bytes = sequence(PLENTY)
    one.accepted.does.received = (_, start, end) => {
      one.target.send(start, end)
      one.splice(one.source, one.target, 100_000)
      if (one.target.isCongested) one.source.pause()
    }
    one.connected.does.drained = () => one.source.resume()
    one.client.socket.end(bytes)
    await one.server.ended()
    assert.equal(check.position, PLENTY)
  })

  it('begins although what arrives meanwhile is sent on', async (t) => {
    const one = await relay(t)
    const check = checked(one.server)
    one.accepted.does.received = (_, start, end) => {
      one.target.send(start, end)
      one.splice(one.source, one.target)
      if (one.target.isCongested) one.source.pause()
    }
    one.connected.does.drained = () => one.source.resume()
    one.client.socket.end(sequence(PLENTY))
    await one.server.ended()
    assert.equal(check.position, PLENTY)
    if (isUring) assert.ok(one.spliced > PLENTY / 2, `${one.spliced} bytes were spliced`)
  })

  it('a target that drains slowly gets all of it', async (t) => {
    const one = await relay(t)
    one.splice(one.source, one.target)
    const check = checked(one.server)
    one.server.socket.on('data', () => {
      one.server.socket.pause()
      setImmediate(() => one.server.socket.resume())
    })
    one.client.socket.end(sequence(4 * MEGABYTE))
    await one.server.ended()
    assert.equal(check.position, 4 * MEGABYTE)
  })

  // What follows is about bytes that are on their way in a pipe.
  if (!isUring) return

  it('pause() of the source stops it, and resume() brings the rest', async (t) => {
    const one = await relay(t)
    one.splice(one.source, one.target)
    const check = checked(one.server)
    one.client.socket.write(sequence(PLENTY))
    await one.server.gets(MEGABYTE)
    one.source.pause()
    await one.test.turns(20)
    const before = one.source.receivedBytes
    await one.test.turns(50)
    assert.ok(one.source.receivedBytes - before <= 0, 'bytes came after pause()')
    assert.ok(before < PLENTY)
    one.source.resume()
    await one.server.gets(PLENTY)
    assert.equal(check.position, PLENTY)
  })

  it('a source that is closed by us while bytes are on their way leaves them to the target', async (t) => {
    const one = await relay(t)
    one.splice(one.source, one.target)
    await one.fill()
    const total = one.target.sentBytes + one.target.queuedBytes
    one.source.reset()
    assert.equal(await one.accepted.over(), 'local')
    one.target.close()
    const check = checked(one.server)
    await one.server.ended()
    assert.equal(check.position, total)
    assert.equal(await one.connected.over(), 'done')
  })

  it('close() of the source drops what comes after it', async (t) => {
    const one = await relay(t)
    one.splice(one.source, one.target)
    await one.fill()
    one.source.close()
    assert.equal(await one.accepted.over(), 'done')
    const total = one.target.sentBytes + one.target.queuedBytes
    one.target.close()
    const check = checked(one.server)
    await one.server.ended()
    assert.equal(check.position, total)
  })

  it('close() of the target flushes what is on its way; what comes after it is received', async (t) => {
    const one = await relay(t)
    one.accepted.does.received = () => {}
    one.splice(one.source, one.target)
    one.client.socket.end(sequence(PLENTY))
    await one.held()
    const total = one.target.sentBytes + one.target.queuedBytes
    one.target.close()
    const check = checked(one.server)
    await one.server.ended()
    assert.equal(await one.connected.over(), 'done')
    assert.equal(check.position, total)
    await one.accepted.until(() => one.accepted.count('ended') === 1)
    assert.equal(one.source.receivedBytes, PLENTY)
  })

  it('end() of the target comes behind what is on its way, and its own bytes still arrive', async (t) => {
    const one = await relay(t)
    one.accepted.does.received = () => {}
    one.splice(one.source, one.target)
    one.client.socket.write(sequence(PLENTY))
    await one.held()
    const total = one.target.sentBytes + one.target.queuedBytes
    one.target.end()
    const check = checked(one.server)
    await one.server.ended()
    assert.equal(check.position, total)
    one.server.socket.end('late')
    await one.client.read().gets(4)
  })

  it('the target’s reset ends the target alone; the source is received from again', async (t) => {
    const one = await relay(t)
    one.accepted.does.received = () => {}
    one.splice(one.source, one.target)
    one.client.socket.end(sequence(PLENTY))
    await one.held()
    one.server.socket.resetAndDestroy()
    assert.equal(await one.connected.over(), 'reset')
    await one.accepted.until(() => one.accepted.count('ended') === 1)
    assert.equal(one.source.receivedBytes, PLENTY)
    assert.equal(one.source.isOpen, true)
  })

  it('reset() of the target drops what is on its way', async (t) => {
    const one = await relay(t)
    one.accepted.does.received = () => {}
    one.splice(one.source, one.target)
    one.client.socket.end(sequence(PLENTY))
    await one.held()
    one.target.reset()
    assert.equal(await one.connected.over(), 'local')
    await one.accepted.until(() => one.accepted.count('ended') === 1)
    assert.equal(one.source.receivedBytes, PLENTY)
  })

  it('the source’s reset is told as ever', async (t) => {
    const one = await relay(t)
    one.splice(one.source, one.target)
    checked(one.server)
    one.client.socket.write(sequence(2 * MEGABYTE))
    await one.server.gets(2 * MEGABYTE)
    one.client.socket.resetAndDestroy()
    assert.equal(await one.accepted.over(), 'reset')
    assert.equal(one.target.isOpen, true)
  })

  it('an answer that comes before the target’s reset is delivered, with a splice each way', async (t) => {
    const one = await relay(t)
    one.splice(one.source, one.target)
    one.splice(one.target, one.source)
    one.client.read()
    one.client.socket.on('error', () => {})
    one.client.socket.write(sequence(PLENTY))
    await one.held()
    one.server.socket.write('sorry')
    await one.client.gets(5)
    one.server.socket.resetAndDestroy()
    assert.equal(await one.connected.over(), 'reset')
    assert.equal(one.client.text, 'sorry')
  })

  it('asking for 0 bytes ends it; the rest is received', async (t) => {
    const one = await relay(t)
    one.splice(one.source, one.target)
    one.client.socket.end(sequence(PLENTY))
    await one.held()
    assert.equal(one.splice(one.source, one.target, 0), true)
    const check = checked(one.server)
    await one.server.ended()
    assert.equal(check.position, PLENTY)
    assert.ok(one.accepted.byteCount > 0)
    assert.equal(one.spliced + one.accepted.byteCount, PLENTY)
  })

  it('short pieces are copied again after a while', async (t) => {
    const one = await relay(t)
    one.splice(one.source, one.target)
    one.server.read()
    let sent = 0
    while (one.accepted.byteCount < 100) {
      one.client.socket.write('x')
      await one.server.gets(++sent)
      assert.ok(sent < 1000, 'nothing is received')
    }
    assert.equal(one.server.text, 'x'.repeat(sent))
  })

  it('an exception of the observer closes the source with failed', async (t) => {
    const one = await relay(t)
    one.source.splice(one.target, Infinity, {
      spliced() {
        throw new Error('observed')
      },
    })
    checked(one.server)
    one.client.socket.write(sequence(MEGABYTE))
    assert.equal(await one.accepted.over(), 'failed')
    assert.match(String(one.test.takeErrors()[0]), /observed/)
  })

  it('reset() of both in the observer is the end of both', async (t) => {
    const one = await relay(t)
    one.source.splice(one.target, Infinity, {
      spliced() {
        one.source.reset()
        one.target.reset()
      },
    })
    one.client.socket.on('error', () => {})
    one.server.socket.on('error', () => {})
    one.client.socket.write(sequence(MEGABYTE))
    assert.equal(await one.accepted.over(), 'local')
    assert.equal(await one.connected.over(), 'local')
  })

  it('holds no pipe when nothing is on its way, and none when the engine is closed', async (t) => {
    const before = pipes()
    const relays = await Promise.all(Array.from({ length: 20 }, () => relay(t)))
    const { test } = relays[0]
    for (const one of relays) {
      one.splice(one.source, one.target)
      one.client.socket.write(sequence(MEGABYTE))
      checked(one.server)
    }
    for (const one of relays) await one.server.gets(MEGABYTE)
    await test.turns(3)
    const engines = new Set(relays.map((one) => one.test.engine))
    assert.ok(pipes() - before <= engines.size, `${pipes() - before} pipes for ${relays.length} idle connections`)
    await Promise.all([...engines].map((engine) => engine.close()))
    assert.equal(pipes(), before)
  })

  it('close() of the engine with bytes on their way leaves no pipe', async (t) => {
    const before = pipes()
    const one = await relay(t)
    one.client.socket.on('error', () => {})
    one.splice(one.source, one.target)
    one.client.socket.write(sequence(PLENTY))
    await one.held()
    await one.test.engine.close()
    assert.equal(pipes(), before)
  })

  function relay(t: TestContext, options: { address?: SocketAddress; test?: EngineUnderTest } = {}) {
    return startSpliceRelay(t, backend, options.address ?? LOOPBACK)
  }
}

/** Pipes that this process has open, without those that its own streams are. */
function pipes(): number {
  const names = readdirSync('/proc/self/fd').map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`)
    } catch {
      return ''
    }
  })
  return new Set(names.filter((name) => name.startsWith('pipe:'))).size
}
