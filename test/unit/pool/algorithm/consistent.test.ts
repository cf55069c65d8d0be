import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { fillMaglev } from '../../../../src/pool/algorithm/maglev.ts'
import { HEALTH, hashKeyBytes } from '../../../../src/pool/index.ts'
import { type Bench, bench, definition, NumberedKey, server } from '../../../support/pool.ts'
import { NGINX_SERVERS, NGINX_TRACE } from './nginx-consistent.ts'

const KEYS = 5000

function names(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `server-${i}`)
}

function map(made: Bench, keys = KEYS): string[] {
  const key = new NumberedKey()
  made.context.keySource = key
  return Array.from({ length: keys }, (_, number) => {
    key.number = number
    made.context.begin(number)
    return made.pool.servers[made.pool.pick(made.context)].name
  })
}

function poolOf(algorithm: string, servers: readonly string[], options = {}) {
  return definition(
    servers.map((name) => server(name)),
    { algorithm: { name: algorithm, options } },
  )
}

function moved(before: readonly string[], after: readonly string[], except: string): number {
  return before.filter((name, i) => name !== except && after[i] !== name).length / before.length
}

for (const algorithm of ['ring', 'maglev', 'hash', 'source-hash', 'uri-hash']) {
  test(`${algorithm}: a server that goes down moves only its own keys, spreads them over the others, and gets them back`, () => {
    const made = bench(poolOf(algorithm, names(10)))
    const before = map(made)
    made.table.setHealth(made.slot(3), HEALTH.DOWN, 1)
    const during = map(made)
    assert.equal(moved(before, during, 'server-3'), 0)
    const heirs = new Set(during.filter((_, i) => before[i] === 'server-3'))
    assert.equal(heirs.size, 9)
    made.table.setHealth(made.slot(3), HEALTH.UP, 2)
    assert.deepEqual(map(made), before)
  })

  test(`${algorithm}: a drain by weight 0 moves only the keys of that server`, () => {
    const made = bench(poolOf(algorithm, names(5)))
    const before = map(made)
    made.table.setWeight(made.slot(1), 0)
    assert.equal(moved(before, map(made), 'server-1'), 0)
  })
}

describe('a change of the configuration', () => {
  for (const [algorithm, tolerance] of [
    ['ring', 0],
    ['maglev', 0.03],
  ] as const) {
    test(`${algorithm}: removing a server moves hardly any other key, adding one moves about 1/n`, () => {
      const all = names(11)
      const before = map(bench(poolOf(algorithm, all.slice(0, 10))))
      const without = map(
        bench(
          poolOf(
            algorithm,
            all.slice(0, 10).filter((name) => name !== 'server-4'),
          ),
        ),
      )
      assert.ok(moved(before, without, 'server-4') <= tolerance)
      const more = map(bench(poolOf(algorithm, all)))
      const taken = more.filter((name) => name === 'server-10').length / KEYS
      assert.ok(Math.abs(taken - 1 / 11) < 0.03, `${taken}`)
      assert.ok(moved(before, more, '') - taken <= tolerance)
    })
  }
})

test('maglev: shares follow the weights within 1 % and are spread over the whole table', () => {
  const weights = [1, 3, 6]
  const places = fillMaglev(['a', 'b', 'c'], weights, 65537, 1)
  for (const [member, weight] of weights.entries()) {
    const share = places.filter((place) => place === member).length / places.length
    assert.ok(Math.abs(share - weight / 10) < 0.001, `${share}`)
  }
  // V1 of the weighting would put the heavy server in one block.
  assert.ok(new Set(places.subarray(0, 40)).size === 3)
})

test('maglev: a weight that is much smaller than the others still gets its share', () => {
  const places = fillMaglev(['a', 'b'], [1, 1000], 65537, 1)
  assert.ok(Math.abs(places.filter((place) => place === 0).length - 65) <= 1)
})

test('ring: crc32 puts keys where nginx puts them', () => {
  const made = bench(
    definition(
      NGINX_SERVERS.map(({ address, weight }) => server(address, { weight })),
      { algorithm: { name: 'ring', options: { key: 'query:k', hash: 'crc32' } } },
    ),
  )
  let text = Buffer.from('')
  made.context.keySource = { keyHash: (key) => hashKeyBytes(key, text, 0, text.length) }
  const places = Array.from(NGINX_TRACE, (_, i) => {
    text = Buffer.from(`key-${i * 7}`)
    made.context.begin(i)
    return made.pool.pick(made.context)
  })
  assert.equal(places.join(''), NGINX_TRACE)
})

test('ring: no server gets more than its bounded share, and keys keep to their server while it has room', () => {
  const free = bench(poolOf('ring', names(8)))
  const bound = bench(poolOf('ring', names(8), { loadFactor: 1.25 }))
  const key = new NumberedKey()
  bound.context.keySource = key
  const active = new Array<number>(8).fill(0)
  for (let total = 0; total < 400; total++) {
    key.number = total % 20
    bound.context.begin(total)
    const index = bound.pool.pick(bound.context)
    assert.ok(bound.pool.acquire(index))
    active[index]++
    assert.ok(active[index] <= Math.ceil((1.25 * (total + 1)) / 8), active.join())
  }
  for (const [index, held] of active.entries()) for (let i = 0; i < held; i++) bound.pool.release(index)
  assert.deepEqual(map(bound, 50), map(free, 50))
})

test('a server in its slow start takes a growing share of its keys, and no key moves twice', () => {
  for (const algorithm of ['ring', 'maglev', 'hash']) {
    const made = bench(poolOf(algorithm, names(4)))
    const own = map(made, 2000)
    made.table.setHealth(made.slot(2), HEALTH.DOWN, 1)
    let before = map(made, 2000)
    made.table.setHealth(made.slot(2), HEALTH.UP, 2)
    for (const ramp of [100, 400, 800, 1000]) {
      made.table.setRamp(made.slot(2), ramp)
      const now = map(made, 2000)
      const taken = now.filter((name) => name === 'server-2').length / own.filter((name) => name === 'server-2').length
      assert.ok(Math.abs(taken - ramp / 1000) < 0.08, `${algorithm}: ${taken} at ${ramp}`)
      assert.ok(now.every((name, i) => name === before[i] || name === 'server-2'))
      before = now
    }
    assert.deepEqual(before, own)
  }
})

test('requests without the key are shared by weight', () => {
  const servers = [server('a', { weight: 1 }), server('b', { weight: 3 })]
  for (const name of ['hash', 'ring', 'maglev', 'locality']) {
    const made = bench(definition(servers, { algorithm: { name, options: { key: 'header:x-user' } } }))
    assert.deepEqual(made.names(4).sort(), ['a', 'b', 'b', 'b'])
  }
})

test('pools hash differently, unless they are given the same seed', () => {
  const inPool = (name: string, options: object) => map(bench({ ...poolOf('maglev', names(5), options), name }), 200)
  assert.notDeepEqual(inPool('one', {}), inPool('two', {}))
  assert.deepEqual(inPool('one', { seed: 'x' }), inPool('two', { seed: 'x' }))
  assert.notDeepEqual(inPool('one', { seed: 'x' }), inPool('one', { seed: 'y' }))
})
