import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TicketKeys } from '../../../../src/engine/tls/index.ts'

test('a new key is another, and comes round after four', () => {
  const keys = TicketKeys.create()
  const seen = new Set<string>()
  for (let i = 0; i < 4; i++) {
    seen.add(keys.forNode().toString('hex'))
    keys.rotate()
  }
  assert.equal(seen.size, 4)
  assert.equal(keys.forNode().length, 48)
  assert.ok(!seen.has(keys.forNode().toString('hex')), 'the first slot was written anew')
})

test('whoever has the memory has the keys', () => {
  const keys = TicketKeys.create()
  const other = new TicketKeys(keys.buffer)
  keys.rotate()
  assert.deepEqual(other.forNode(), keys.forNode())
})
