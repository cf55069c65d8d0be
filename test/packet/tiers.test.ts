import assert from 'node:assert/strict'
import { test } from 'node:test'
import { PACKET_ALGORITHMS } from '../../src/packet/index.ts'
import { buildFrame, readFrame } from './frame.ts'
import { CLIENT, inNamespace, layNetwork, type PlaneFixture, SERVER_MAC, server, service, VIP, withPlane } from './namespace.ts'

inNamespace(import.meta.filename, () => {
  layNetwork()

  /** The server of a new flow, or what became of its first packet. */
  function open(fixture: PlaneFixture, port: number): string {
    const { verdict, bytes } = fixture.fromClient(buildFrame({ source: CLIENT, destination: VIP, sourcePort: port, flags: 'S' }))
    if (verdict !== 'redirect') return verdict
    return 'abcd'[[11, 12, 13, 14].map(SERVER_MAC).indexOf(readFrame(bytes).destinationMac)]
  }

  const four = [server('a', 11), server('b', 12), server('c', 13, { tier: 1 }), server('d', 14, { tier: 2 })]

  for (const algorithm of PACKET_ALGORITHMS) {
    test(`${algorithm}: a server of a later priority gets no flow while the earlier ones have room, then the next one does`, () => {
      const limited = four.map((each) => ({ ...each, upper: 4 }))
      withPlane([service({ forward: 'dr', algorithm, servers: limited })], (fixture) => {
        const names = Array.from({ length: 18 }, (_, index) => open(fixture, 1000 + index))
        assert.deepEqual([...new Set(names.slice(0, 8))].sort().join('').replace(/[ab]/g, ''), '', names.join(' '))
        assert.deepEqual(names.slice(8), ['c', 'c', 'c', 'c', 'd', 'd', 'd', 'd', 'tx', 'tx'])
        assert.equal(fixture.counter('no-server'), 2)
      })
    })
  }

  test('without a fallback a hash refuses only what it means for a server of its own priority', () => {
    withPlane([service({ forward: 'dr', algorithm: 'maglev', hashFallback: false, tableSize: 251, servers: four })], (fixture) => {
      const names = new Set(Array.from({ length: 60 }, (_, index) => open(fixture, 1000 + index)))
      assert.deepEqual([...names].sort(), ['a', 'b'])
    })
  })

  test('a server that waits keeps its flows, and a client that persistence sent there comes back to the first priority', () => {
    const [a, b, c] = four
    const web = service({ forward: 'dr', algorithm: 'round-robin', persistenceSeconds: 300, servers: [a, b, { ...c, tier: 0 }] })
    withPlane([web], (fixture) => {
      for (const each of [a, b]) fixture.plane.updateServers('web', [{ ...each, isDraining: true }])
      assert.equal(open(fixture, 1000), 'c')
      for (const each of [a, b, c]) fixture.plane.updateServers('web', [each])
      const middle = fixture.fromClient(buildFrame({ source: CLIENT, destination: VIP, sourcePort: 1000, flags: 'A' }))
      assert.equal(readFrame(middle.bytes).destinationMac, SERVER_MAC(13))
      assert.match(open(fixture, 1001), /[ab]/)
    })
  })

  test('a slow start moves shares in small steps', () => {
    const servers = [server('a', 11), server('b', 12, { share: 0.25 })]
    withPlane([service({ forward: 'dr', algorithm: 'weighted-round-robin', servers })], (fixture) => {
      const names = Array.from({ length: 50 }, (_, index) => open(fixture, 1000 + index))
      assert.equal(names.filter((name) => name === 'b').length, 10)
    })
    withPlane([service({ forward: 'dr', algorithm: 'weighted-least-connections', servers })], (fixture) => {
      const names = Array.from({ length: 50 }, (_, index) => open(fixture, 1000 + index))
      assert.equal(names.filter((name) => name === 'b').length, 10)
    })
  })
})
