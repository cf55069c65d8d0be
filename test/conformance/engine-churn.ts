import assert from 'node:assert/strict'
import { connect, type Socket } from 'node:net'
import { it } from 'node:test'
import type { SocketAddress } from '../../src/core/index.ts'
import type { Connection } from '../../src/engine/index.ts'
import { barrier } from '../support/barrier.ts'
import { type Backend, type EngineUnderTest, engineFor, LOOPBACK } from '../support/engine.ts'
import { socketFile, witness, witnessServer } from '../support/net.ts'
import { between, pick, seededRandom } from '../support/random.ts'

const CHURN = 10_000
const AT_ONCE = 64
const CONCURRENT = 2_000
const ID_BYTES = 4

/** Many connections: at once, and one after the other in the same slots. */
export function churn(backend: Backend): void {
  it(`serves ${CONCURRENT} connections at the same time`, async (t) => {
    const test = await engineFor(t, backend)
    const { address, accepted, count } = await test.listen({ received: (connection, start, end) => connection.send(start, end) })
    const clients = await Promise.all(Array.from({ length: CONCURRENT }, () => witness(t, address)))
    await count(CONCURRENT)
    for (let round = 1; round <= 3; round++) {
      for (const client of clients) {
        if (round === 1) client.read()
        client.socket.write('hello')
      }
      await Promise.all(clients.map((client) => client.gets(5 * round)))
    }
    for (const client of clients) client.socket.resetAndDestroy()
    await Promise.all(accepted.map((each) => each.over()))
    await test.turns(3)
    assert.ok(test.engine.blocks.free >= test.idleBlocks - 2, `${test.idleBlocks - test.engine.blocks.free} blocks are missing`)
  })

  it(`opens ${CONCURRENT} connections at the same time`, async (t) => {
    const test = await engineFor(t, backend)
    const server = await witnessServer(t, LOOPBACK, ({ socket }) => socket.write('welcome'))
    const clients = Array.from({ length: CONCURRENT }, () => test.connect(server.address))
    await Promise.all(clients.map((client) => client.gets(7)))
    for (const client of clients) client.connection?.close()
    await Promise.all(clients.map((client) => client.over()))
  })

  it(`keeps ${CHURN} short connections apart, however they end`, async (t) => {
    const test = await engineFor(t, backend, { maxConnections: 4 * AT_ONCE })
    const random = seededRandom(20_261_121)
    // Unix sockets, so that the addresses of this machine's TCP are not used up.
    const served = await test.listen(idEcho(random), { address: { family: 'unix', path: socketFile(t) } })
    const origin = await idServer(t, random)
    const done = barrier(2 * AT_ONCE)
    let left = CHURN
    let nextId = 1
    const again = () => {
      if (left === 0) return done.arrive()
      left--
      const id = nextId++
      if (id % 2 === 0) engineClient(test, origin, id, random, again, done.fail)
      else nodeClient(served.address, id, random, again, done.fail)
    }
    for (let i = 0; i < 2 * AT_ONCE; i++) again()
    await done.passed
    for (const each of served.accepted) each.connection?.reset()
    await Promise.all(served.accepted.map((each) => each.over()))
    await test.turns(5)
    assert.ok(test.engine.blocks.free >= test.idleBlocks - 2, `${test.idleBlocks - test.engine.blocks.free} blocks are missing`)
  })

  it('an event that was under way never reaches the next connection in its slot', async (t) => {
    const test = await engineFor(t, backend, { maxConnections: 1 })
    const { address, accepted } = await test.listen()
    for (let i = 0; i < 300; i++) {
      const client = await witness(t, address)
      // Bytes, FIN or RST are on their way when the slot is given up and taken again.
      client.socket.write(`${i};`)
      await test.until(() => accepted.length === i + 1)
      if (i % 3 === 0) accepted[i].connection?.reset()
      else if (i % 3 === 1) client.socket.resetAndDestroy()
      else {
        client.socket.end()
        accepted[i].connection?.close()
      }
      await accepted[i].over()
      client.socket.destroy()
      await client.closed()
      const { text } = accepted[i]
      assert.ok(`${i};`.startsWith(text), `connection ${i} got "${text}"`)
    }
  })
}

/** Answers with what it gets, which must be one identity over and over; now and then it ends the connection instead. */
function idEcho(random: () => number) {
  return {
    received(connection: Connection, start: number, end: number) {
      const roll = random()
      if (roll < 0.1) connection.reset()
      else if (roll < 0.2) connection.close()
      else connection.send(start, end)
    },
    ended: (connection: Connection) => connection.close(),
  }
}

async function idServer(t: Parameters<typeof witnessServer>[0], random: () => number): Promise<SocketAddress> {
  const address = { family: 'unix', path: socketFile(t) } as const
  const server = await witnessServer(t, address, ({ socket }) => {
    socket.on('end', () => socket.end())
    socket.on('data', (chunk: Buffer) => {
      const roll = random()
      if (roll < 0.1) socket.destroy()
      else if (roll < 0.2) socket.end(chunk)
      else socket.write(chunk)
    })
  })
  return server.address
}

function message(id: number, random: () => number): Buffer {
  const bytes = Buffer.alloc(ID_BYTES * between(random, 1, 400))
  for (let at = 0; at < bytes.length; at += ID_BYTES) bytes.writeUInt32BE(id, at)
  return bytes
}

/** Throws unless the bytes, which begin `offset` bytes into the stream, are those of `id`. */
function checkId(bytes: Uint8Array, offset: number, id: number): void {
  for (let i = 0; i < bytes.length; i++) {
    const expected = (id >>> (8 * (ID_BYTES - 1 - ((offset + i) % ID_BYTES)))) & 0xff
    if (bytes[i] !== expected) throw new Error(`connection ${id} got a byte of another`)
  }
}

function engineClient(
  test: EngineUnderTest,
  address: SocketAddress,
  id: number,
  random: () => number,
  over: () => void,
  fail: (error: unknown) => void,
): void {
  const client = test.connect(address, {
    opened: (connection) => test.write(connection, message(id, random)),
    received(connection, start, end) {
      try {
        checkId(test.engine.memory.subarray(start, end), client.byteCount - (end - start), id)
      } catch (error) {
        fail(error)
      }
      pick(random, [() => connection.end(), () => connection.close(), () => connection.reset(), () => connection.end()])()
    },
    ended: (connection) => connection.close(),
    closed: () => test.engine.defer(over),
  })
}

function nodeClient(address: SocketAddress, id: number, random: () => number, over: () => void, fail: (error: unknown) => void): void {
  if (address.family !== 'unix') throw new Error('the churn goes over Unix sockets')
  const socket: Socket = connect({ path: address.path })
  let offset = 0
  socket.on('connect', () => socket.write(message(id, random)))
  socket.on('error', () => {})
  socket.on('close', over)
  socket.on('data', (chunk: Buffer) => {
    try {
      checkId(chunk, offset, id)
    } catch (error) {
      fail(error)
    }
    offset += chunk.length
    pick(random, [() => socket.end(), () => socket.destroy()])()
  })
}
