import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { Connection, ConnectionHandler } from '../../../../src/engine/index.ts'
import { RingConnection } from '../../../../src/engine/uring/connection.ts'
import { Loop } from '../../../../src/engine/uring/loop.ts'
import { CQE_BUFFER, CQE_BUFFER_SHIFT, CQE_MORE, KIND } from '../../../../src/engine/uring/operations.ts'
import { witness } from '../../../support/net.ts'
import { ringEngine, SMALL, uring } from '../../../support/uring.ts'

const LOOPBACK = { family: 4, host: '127.0.0.1', port: 0 } as const
const TINY = { sqEntries: 4, cqEntries: 4 }

const echo: ConnectionHandler = {
  opened() {},
  received: (connection, start, end) => connection.send(start, end),
  ended: (connection) => connection.end(),
  drained() {},
  closed() {},
}

test('with queues of four entries hundreds of connections are served, and nothing is lost', uring, async (t) => {
  const engine = ringEngine(t, { blockCount: 1024 }, TINY)
  const listener = await engine.listen({ address: LOOPBACK }, () => echo)
  const clients = await Promise.all(Array.from({ length: 300 }, () => witness(t, listener.address)))
  for (const [i, client] of clients.entries()) client.read().socket.end(Buffer.alloc(20_000, i))
  await Promise.all(clients.map((client) => client.ended()))
  for (const [i, client] of clients.entries()) assert.ok(client.bytes.equals(Buffer.alloc(20_000, i)), `connection ${i}`)
  assert.ok(engine.counters.completionOverflows > 0, 'the queue never overflowed')
  assert.equal(engine.counters.staleCompletions, 0)
})

test('two receive buffers serve a hundred connections in turn', uring, async (t) => {
  const engine = ringEngine(t, { blockCount: 64, receiveBlocks: 2 })
  const listener = await engine.listen({ address: LOOPBACK }, () => echo)
  const clients = await Promise.all(Array.from({ length: 100 }, () => witness(t, listener.address)))
  for (const [i, client] of clients.entries()) client.read().socket.end(Buffer.alloc(50_000, i))
  await Promise.all(clients.map((client) => client.ended()))
  for (const [i, client] of clients.entries()) assert.ok(client.bytes.equals(Buffer.alloc(50_000, i)), `connection ${i}`)
  assert.ok(engine.counters.receiveStarvations > 0, 'the buffers never ran out')
})

test('a completion of an earlier generation reaches nobody, and its buffer comes back', uring, async () => {
  const loop = new Loop(SMALL, { report: (error) => assert.ifError(error) }, TINY)
  const events: string[] = []
  const note = (name: string) => () => events.push(name)
  const handler = {
    opened: note('opened'),
    received: note('received'),
    ended: note('ended'),
    drained: note('drained'),
    closed: note('closed'),
  }
  const slot = loop.nextSlot()
  const connection = new RingConnection(loop, -1, slot, handler, null, true)
  loop.occupy(connection, -1)
  const available = loop.buffers.available
  const stale = connection.generation - 1
  loop.complete(KIND.RECEIVE, slot, stale, 100, CQE_MORE | CQE_BUFFER | (3 << CQE_BUFFER_SHIFT))
  loop.complete(KIND.RECEIVE, slot, stale, 0, 0)
  loop.complete(KIND.SEND, slot, stale, 100, 0)
  loop.complete(KIND.CONNECT, slot, stale, 0, 0)
  assert.deepEqual(events, [])
  assert.equal(loop.counters.staleCompletions, 4)
  assert.equal(loop.buffers.available, available)
  assert.equal(connection.isOpen, true)
  await new Promise<void>((resolve) => loop.stop(resolve))
  assert.deepEqual(events, ['closed'])
})

test('a slot that is used again has another generation', uring, async (t) => {
  const engine = ringEngine(t, { maxConnections: 1 })
  const seen: Connection[] = []
  const listener = await engine.listen({ address: LOOPBACK }, (connection) => {
    seen.push(connection)
    return echo
  })
  for (let i = 0; i < 5; i++) {
    const client = await witness(t, listener.address)
    client.read().socket.end('x')
    await client.closed()
  }
  const made = seen.filter((each) => each instanceof RingConnection)
  assert.deepEqual([...new Set(made.map((each) => each.slot))], [0])
  assert.equal(new Set(made.map((each) => each.generation)).size, 5)
})

test('a peer that reads a little at a time gets everything, in short sends', uring, async (t) => {
  const engine = ringEngine(t, { blockCount: 1024 })
  const total = 4 << 20
  const listener = await engine.listen({ address: LOOPBACK }, (connection) => {
    let left = total
    const more = () => {
      while (left > 0 && !connection.isCongested) {
        const length = Math.min(left, 4096)
        const at = connection.reserve(length)
        engine.memory.fill((left / 4096) & 0xff, at, at + length)
        connection.commit(length)
        left -= length
      }
      if (left === 0) connection.end()
    }
    more()
    return { ...echo, drained: more }
  })
  const client = await witness(t, listener.address)
  let position = 0
  client.read((chunk) => {
    for (const byte of chunk) {
      if (byte !== (((total - (position & ~4095)) / 4096) & 0xff)) throw new Error(`byte ${position} is ${byte}`)
      position++
    }
  })
  client.socket.on('data', () => {
    client.socket.pause()
    setImmediate(() => client.socket.resume())
  })
  await client.ended()
  assert.equal(position, total)
})

test('without descriptors left accepting pauses, is counted, and goes on when there are some', uring, async () => {
  const script = fileURLToPath(new URL('../../../support/few-descriptors.ts', import.meta.url))
  const child = spawn('bash', ['-c', `ulimit -n 48; exec "$0" "$1"`, process.execPath, script], { stdio: ['ignore', 'pipe', 'inherit'] })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk
  })
  const [code] = await once(child, 'close')
  assert.equal(code, 0, output)
  assert.match(output, /all served after [1-9]\d* failures/)
})
