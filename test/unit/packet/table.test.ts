import assert from 'node:assert/strict'
import { test } from 'node:test'
import { buildTable, type TableMember } from '../../../src/packet/table.ts'
import { kernelWeight } from '../../../src/packet/weight.ts'

function member(slot: number, weight: number, share = 1): TableMember {
  const identity = `10.2.0.1${slot}:0`
  return { identity, slot, weight: kernelWeight('maglev', { weight, share }), share, isReady: true, lastingWeight: weight }
}

function count(table: Uint32Array): number[] {
  const places: number[] = []
  for (const entry of table) places[entry - 1] = (places[entry - 1] ?? 0) + 1
  return places
}

test('a sequence is as long as its weights need: shares of 100 % make none longer', () => {
  assert.deepEqual(count(buildTable('weighted-round-robin', [member(0, 1), member(1, 3), member(2, 6)], 0, 0)), [1, 3, 6])
  assert.deepEqual(count(buildTable('weighted-round-robin', [member(0, 1), member(1, 1, 0.05)], 0, 0)), [20, 1])
  assert.deepEqual(count(buildTable('weighted-round-robin', [member(0, 2), member(1, 2, 0.63)], 0, 0)), [100, 63])
})

for (const algorithm of ['maglev', 'ring', 'source-hash'] as const) {
  test(`${algorithm}: a server during its slow start has a share of its places, and those of the others are where they were`, () => {
    const members = [member(0, 1), member(1, 1), member(2, 1)]
    const whole = buildTable(algorithm, members, 4093, 7)
    const starting = buildTable(algorithm, [members[0], members[1], member(2, 1, 0.25)], 4093, 7)
    const moved = whole.filter((entry, place) => starting[place] !== entry)
    assert.ok(moved.every((entry) => entry === 3))
    const [before, after] = [whole, starting].map((table) => count(table)[2])
    assert.ok(Math.abs(after / before - 0.25) < (algorithm === 'source-hash' ? 0.15 : 0.05), `${after} of ${before}`)
  })
}

test('weights that are compared with a number of flows are what was configured', () => {
  assert.equal(kernelWeight('overflow', { weight: 6, share: 1 }), 6)
  assert.equal(kernelWeight('overflow', { weight: 6, share: 0.01 }), 1)
  assert.equal(kernelWeight('weighted-least-connections', { weight: 6, share: 0.01 }), 6)
  assert.equal(kernelWeight('weighted-least-connections', { weight: 6, share: 0 }), 0)
})
