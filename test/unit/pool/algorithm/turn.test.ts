import assert from 'node:assert/strict'
import { test } from 'node:test'
import { WeightedTurn } from '../../../../src/pool/algorithm/turn.ts'
import { crc32, hashBytes } from '../../../../src/pool/hash.ts'
import { CATALOGUE, describeAlgorithm, SeededRandom } from '../../../../src/pool/index.ts'
import { parseRequestKey } from '../../../../src/schema/index.ts'

function cycle(weights: readonly number[]): number[] {
  const turn = new WeightedTurn()
  turn.rebuild(weights, weights.length)
  return Array.from({ length: turn.total }, (_, place) => turn.at(place))
}

test('a cycle has each position exactly by its weight', () => {
  const random = new SeededRandom(3)
  for (let run = 0; run < 50; run++) {
    const weights = Array.from({ length: 1 + (random.next() % 20) }, () => 1 + (random.next() % 40))
    const counts = weights.map(() => 0)
    for (const position of cycle(weights)) counts[position]++
    assert.deepEqual(counts, weights)
  }
})

test('there are no bursts: of any run of places each position has its share, but for a few', () => {
  for (const weights of [
    [5, 1, 1],
    [1, 3, 6],
    [10, 10, 10, 1],
    [1, 2, 3, 4, 5, 6, 7],
  ]) {
    const places = cycle(weights)
    const total = places.length
    for (const [position, weight] of weights.entries()) {
      for (let start = 0; start < total; start++) {
        let got = 0
        for (let length = 1; length <= total; length++) {
          if (places[(start + length - 1) % total] === position) got++
          assert.ok(Math.abs(got - (length * weight) / total) <= 2, `${weights.join(':')} position ${position}`)
        }
      }
    }
  }
})

test('huge totals are scaled down and nobody loses his turn', () => {
  const turn = new WeightedTurn()
  const weights = Array.from({ length: 3000 }, (_, i) => (i === 0 ? 1 : 65_535))
  turn.rebuild(weights, weights.length)
  assert.ok(turn.total <= 2 ** 26 + 3000)
  assert.equal(turn.at(turn.total - 1) < 3000, true)
})

test('a draw is as likely as the weight', () => {
  const turn = new WeightedTurn()
  turn.rebuild([1, 3], 2)
  assert.deepEqual(
    [0, 2 ** 30 - 1, 2 ** 30, 2 ** 32 - 1].map((draw) => turn.drawn(draw)),
    [0, 0, 1, 1],
  )
})

test('names and aliases are unique and lead to the same algorithm', () => {
  const names = CATALOGUE.flatMap((entry) => [entry.name, ...entry.aliases])
  assert.equal(new Set(names).size, names.length)
  for (const entry of CATALOGUE) for (const alias of entry.aliases) assert.equal(describeAlgorithm(alias)?.name, entry.name)
  assert.equal(describeAlgorithm('fifo'), undefined)
})

test('key names are read, and wrong ones refused', () => {
  assert.deepEqual(parseRequestKey('header:X-User'), { kind: 'header', name: 'x-user' })
  assert.deepEqual(parseRequestKey('cookie:SID'), { kind: 'cookie', name: 'SID' })
  assert.deepEqual(parseRequestKey('source'), { kind: 'source', name: '' })
  for (const wrong of ['', 'header', 'header:', 'uri:x', 'body', 'source:']) assert.equal(parseRequestKey(wrong), undefined, wrong)
})

test('hashes agree with published values', () => {
  // MurmurHash3 x86 32 of "Hello, world!" and of nothing; CRC-32 of "123456789".
  const hello = Buffer.from('Hello, world!')
  assert.equal(hashBytes(hello, 0, hello.length, 1234), 0xfaf6cdb3)
  assert.equal(hashBytes(hello, 0, 0, 1), 0x514e28b7)
  assert.equal(crc32(Buffer.from('123456789'), 0, 9), 0xcbf43926)
})
