import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PoolTable, SeededRandom } from '../../../../src/pool/index.ts'
import { SERVER } from '../../../../src/pool/layout.ts'
import { SessionTable, sessionTableBytes } from '../../../../src/pool/persistence/session-table.ts'

function fixture(size = 1000, ttlSeconds = 60) {
  const table = PoolTable.create({ servers: 4, pools: 1, workers: 1 })
  const shared = new SharedArrayBuffer(sessionTableBytes(size))
  const sessions = new SessionTable(shared, table, ttlSeconds)
  const counts = () => [0, 1, 2, 3].map((slot) => table.words[table.serverRow(slot) + SERVER.SESSIONS])
  return { table, shared, sessions, counts }
}

test('a key stays on its server, for every worker', () => {
  const { table, shared, sessions, counts } = fixture()
  sessions.store(1, 2, 3, 100)
  assert.equal(new SessionTable(shared, table, 60).find(1, 2, 101), 3)
  assert.equal(sessions.find(2, 1, 101), -1)
  assert.deepEqual(counts(), [0, 0, 0, 1])
})

test('an entry expires after it was last used', () => {
  const { sessions, counts } = fixture()
  sessions.store(1, 2, 0, 100)
  assert.equal(sessions.find(1, 2, 159), 0)
  assert.equal(sessions.find(1, 2, 218), 0)
  assert.equal(sessions.find(1, 2, 278), -1)
  assert.deepEqual(counts(), [0, 0, 0, 0])
})

test('a key that moves is counted where it is', () => {
  const { sessions, counts } = fixture()
  sessions.store(1, 2, 0, 100)
  sessions.store(1, 2, 0, 101)
  sessions.store(1, 2, 1, 102)
  assert.deepEqual(counts(), [0, 1, 0, 0])
  assert.equal(sessions.remove(1, 2), true)
  assert.equal(sessions.remove(1, 2), false)
  assert.deepEqual(counts(), [0, 0, 0, 0])
})

test('the table keeps its size: what would expire first goes, what is new stays', () => {
  const { shared, sessions, counts } = fixture(64)
  const random = new SeededRandom(1)
  let last: [number, number] = [0, 0]
  for (let i = 0; i < 5000; i++) {
    last = [random.next() | 0, random.next() | 0]
    sessions.store(...last, i % 4, 100 + (i % 50))
    assert.equal(sessions.find(...last, 100 + (i % 50)), i % 4)
  }
  const total = counts().reduce((sum, count) => sum + count, 0)
  assert.equal(total, sessions.entries(0, 10_000).length)
  assert.ok(total <= (shared.byteLength / 4 / 48) * 8)
  assert.ok(total >= 64)
})

test('a sweep takes out what has expired, and clear() all of a server', () => {
  const { sessions, counts } = fixture()
  for (let i = 0; i < 100; i++) sessions.store(i, -i, i % 2, 100 + (i % 2) * 100)
  assert.equal(sessions.sweep(170), 50)
  assert.deepEqual(counts(), [0, 50, 0, 0])
  assert.equal(sessions.clear(1), 50)
  assert.deepEqual(sessions.entries(0, 10), [])
})

test('a lock that a dead worker left does not stop the others', () => {
  const { shared, sessions } = fixture(1)
  new Int32Array(shared)[0] = 1
  sessions.store(1, 2, 3, 100)
  assert.equal(sessions.find(1, 2, 100), 3)
})

test('it has room for the sessions it was made for', () => {
  const { sessions } = fixture(10_000)
  const random = new SeededRandom(7)
  for (let i = 0; i < 10_000; i++) sessions.store(random.next() | 0, random.next() | 0, 0, 100)
  assert.ok(sessions.entries(0, 20_000).length > 9900)
})
