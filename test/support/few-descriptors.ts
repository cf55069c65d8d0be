/**
 * Run with few descriptors allowed: opens more connections to an engine than it can accept, then closes some, until all have
 * been served. Prints how often accepting failed.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { RingEngine } from '../../src/engine/uring/engine.ts'
import { RING_SIZES } from '../../src/engine/uring/loop.ts'
import { SMALL } from './uring.ts'

const engine = new RingEngine(SMALL, { report: (error) => assert.ifError(error) }, RING_SIZES)
engine.start()
const listener = await engine.listen({ address: { family: 4, host: '127.0.0.1', port: 0 } }, () => ({
  opened() {},
  received: (connection, start, end) => connection.send(start, end),
  ended: (connection) => connection.close(),
  drained() {},
  closed() {},
}))
assert.ok(listener.address.family !== 'unix')
const { host, port } = listener.address
// Both ends of a connection are in this process: the clients take all descriptors while nothing is accepted.
listener.pause()
const clients: Socket[] = []
for (let isRoom = true; isRoom; ) {
  const client = connect(port, host)
  isRoom = await new Promise((resolve) => client.once('connect', () => resolve(true)).once('error', () => resolve(false)))
  if (isRoom) clients.push(client)
}
listener.resume()
while (engine.counters.acceptFailures === 0) await new Promise((resolve) => setImmediate(resolve))
for (const client of clients.splice(-2)) client.destroy()
for (const client of clients) {
  client.write('hello')
  const [chunk] = await once(client, 'data')
  assert.equal(String(chunk), 'hello')
  client.destroy()
}
console.log(`all served after ${engine.counters.acceptFailures} failures`)
await engine.close()
