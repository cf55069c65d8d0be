import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { PacketAlgorithm, PacketServer, PacketService } from '../../src/packet/index.ts'
import { buildFrame, readFrame } from './frame.ts'
import { CLIENT, inNamespace, layNetwork, type PlaneFixture, SERVER_MAC, server, service, VIP, VIP6, withPlane } from './namespace.ts'

inNamespace(import.meta.filename, () => {
  layNetwork()
  const servers = [server('a', 11, { weight: 1 }), server('b', 12, { weight: 3 }), server('c', 13, { weight: 6 })]

  /** Opens flows and says how many each server got. `settle`: they become established at once. */
  function open(
    fixture: PlaneFixture,
    count: number,
    options: { settle?: boolean; first?: number; source?: (index: number) => string } = {},
  ): Record<string, number> {
    const shares: Record<string, number> = {}
    for (let index = 0; index < count; index++) {
      const packet = { source: options.source?.(index) ?? CLIENT, destination: VIP, sourcePort: (options.first ?? 1024) + index }
      const { bytes, verdict } = fixture.fromClient(buildFrame({ ...packet, flags: 'S' }))
      const last = verdict === 'redirect' ? Number.parseInt(readFrame(bytes).destinationMac.slice(-2), 16) : 0
      const name = 'abcd'[last - 11] ?? 'none'
      shares[name] = (shares[name] ?? 0) + 1
      if (options.settle !== false) fixture.fromClient(buildFrame({ ...packet, flags: 'A' }))
    }
    return shares
  }

  const dr = (algorithm: PacketAlgorithm, over: Partial<PacketService> = {}) => service({ forward: 'dr', algorithm, servers, ...over })
  const within = (actual: number, wanted: number, tolerance: number) =>
    assert.ok(Math.abs(actual - wanted) <= tolerance, `${actual}, not ${wanted} ± ${tolerance}`)

  test('round-robin gives every server the same, whatever its weight', () => {
    withPlane([dr('round-robin')], (fixture) => assert.deepEqual(open(fixture, 30), { a: 10, b: 10, c: 10 }))
  })

  for (const algorithm of ['weighted-round-robin', 'resource'] as const) {
    test(`${algorithm} gives weights 1:3:6 exactly 10, 30 and 60 of 100`, () => {
      withPlane([dr(algorithm)], (fixture) => assert.deepEqual(open(fixture, 100), { a: 10, b: 30, c: 60 }))
    })
  }

  for (const algorithm of ['weighted-least-connections', 'shortest-expected-delay', 'two-choices'] as const) {
    test(`${algorithm} keeps established flows in proportion 1:3:6`, () => {
      withPlane([dr(algorithm)], (fixture) => {
        const shares = open(fixture, 200)
        const tolerance = algorithm === 'two-choices' ? 25 : 4
        within(shares.a, 20, tolerance)
        within(shares.b, 60, tolerance)
        within(shares.c, 120, tolerance)
      })
    })
  }

  test('least-connections ignores weights', () => {
    withPlane([dr('least-connections')], (fixture) => assert.deepEqual(open(fixture, 30), { a: 10, b: 10, c: 10 }))
  })

  test('never-queue takes idle servers first', () => {
    withPlane([dr('never-queue')], (fixture) => assert.deepEqual(open(fixture, 3), { a: 1, b: 1, c: 1 }))
  })

  for (const algorithm of ['random', 'weighted-random'] as const) {
    test(`${algorithm} spreads as it should`, () => {
      withPlane([dr(algorithm)], (fixture) => {
        const shares = open(fixture, 900)
        const wanted = algorithm === 'random' ? [300, 300, 300] : [90, 270, 540]
        within(shares.a, wanted[0], 90)
        within(shares.b, wanted[1], 90)
        within(shares.c, wanted[2], 90)
      })
    })
  }

  test('first fills the first server up to its limit', () => {
    const limited = servers.map((each) => ({ ...each, upper: 5 }))
    withPlane([dr('first', { servers: limited })], (fixture) => assert.deepEqual(open(fixture, 12), { a: 5, b: 5, c: 2 }))
  })

  test('weighted-failover takes the heaviest that is up', () => {
    withPlane([dr('weighted-failover')], (fixture) => {
      assert.deepEqual(open(fixture, 5), { c: 5 })
      fixture.plane.updateServers('web', [{ ...servers[2], isDown: true }])
      assert.deepEqual(open(fixture, 5, { first: 3000 }), { b: 5 })
    })
  })

  test('overflow moves on when the active flows exceed the weight', () => {
    withPlane([dr('overflow')], (fixture) => assert.deepEqual(open(fixture, 12), { b: 4, c: 7, a: 1 }))
  })

  test('source-hash keeps a client on a server, by weight', () => {
    withPlane([dr('source-hash', { hashPort: false })], (fixture) => {
      assert.equal(Object.keys(open(fixture, 20)).length, 1)
      const shares = open(fixture, 600, { first: 2000, source: (index) => `198.51.${index >> 8}.${index & 255}` })
      within(shares.a, 60, 40)
      within(shares.b, 180, 60)
      within(shares.c, 360, 60)
    })
  })

  test('source-hash without a fallback refuses when its server is down', () => {
    const one: PacketServer[] = [servers[0], { ...servers[1], isDown: true }]
    withPlane([dr('source-hash', { servers: one, hashPort: false, hashFallback: false })], (fixture) => {
      const shares = open(fixture, 100, { source: (index) => `198.51.100.${index}` })
      assert.ok(shares.none > 30 && shares.a > 10, JSON.stringify(shares))
    })
  })

  test('destination-hash keeps an address on a server', () => {
    const addresses = [1, 2, 3, 4, 5, 6, 7, 8].map((last) => ({ address: `10.9.1.${last}`, firstPort: 80, lastPort: 80 }))
    withPlane([dr('destination-hash', { addresses })], (fixture) => {
      const seen = new Set<string>()
      for (const { address } of addresses) {
        const macs = new Set<string>()
        for (let port = 1; port < 6; port++) {
          macs.add(
            readFrame(fixture.fromClient(buildFrame({ source: CLIENT, destination: address, sourcePort: port })).bytes).destinationMac,
          )
        }
        assert.equal(macs.size, 1)
        for (const mac of macs) seen.add(mac)
      }
      assert.ok(seen.size > 1)
    })
  })

  for (const algorithm of ['maglev', 'ring'] as const) {
    test(`${algorithm} is the same on two balancers, respects weights, and moves only the flows of a server that is gone`, () => {
      const pick = (fixture: PlaneFixture) => {
        const macs: string[] = []
        for (let port = 1; port <= 600; port++) {
          macs.push(readFrame(fixture.fromClient(buildFrame({ source: CLIENT, destination: VIP, sourcePort: port })).bytes).destinationMac)
        }
        return macs
      }
      const config = [dr(algorithm, { tableSize: 4093, seed: 7 })]
      const runs: string[][] = []
      withPlane(config, (fixture) => runs.push(pick(fixture)))
      withPlane(config, (fixture) => runs.push(pick(fixture)))
      withPlane(
        [dr(algorithm, { tableSize: 4093, seed: 7, servers: [servers[0], { ...servers[1], isDown: true }, servers[2]] })],
        (fixture) => runs.push(pick(fixture)),
      )
      assert.deepEqual(runs[0], runs[1])
      within(runs[0].filter((mac) => mac === SERVER_MAC(13)).length, 360, 80)
      runs[0].forEach((mac, index) => {
        if (mac !== SERVER_MAC(12)) assert.equal(runs[2][index], mac)
        else assert.notEqual(runs[2][index], mac)
      })
    })
  }

  test('a packet in the middle of an unknown flow goes where another balancer sent it', () => {
    withPlane([dr('maglev', { tableSize: 4093, seed: 7 })], (fixture) => {
      const opened = fixture.fromClient(buildFrame({ source: CLIENT, destination: VIP, flags: 'S' }))
      withPlane(
        [dr('maglev', { tableSize: 4093, seed: 7 })],
        (other) => {
          const middle = other.fromClient(buildFrame({ source: CLIENT, destination: VIP, flags: 'A' }))
          assert.equal(readFrame(middle.bytes).destinationMac, readFrame(opened.bytes).destinationMac)
        },
        { interfaces: [] },
      )
    })
  })

  for (const algorithm of ['locality', 'locality-replicated'] as const) {
    test(`${algorithm} keeps a destination on its server until that one is overloaded`, () => {
      withPlane([dr(algorithm, { servers: [server('a', 11, { weight: 4 }), server('b', 12, { weight: 4 })] })], (fixture) => {
        const shares = open(fixture, 5)
        assert.equal(Object.keys(shares).length, 1)
        const more = open(fixture, 6, { first: 3000 })
        const [kept] = Object.keys(shares)
        if (algorithm === 'locality') assert.deepEqual(more, { [kept === 'a' ? 'b' : 'a']: 6 })
        else assert.equal(Object.keys(more).length, 2, JSON.stringify(more))
      })
    })
  }

  test('weight 0 and drain get no new flows and keep those they have; a server that is down gets none', () => {
    withPlane([dr('round-robin')], (fixture) => {
      const packet = { source: CLIENT, destination: VIP, sourcePort: 1024 }
      assert.deepEqual(open(fixture, 3), { a: 1, b: 1, c: 1 })
      const first = readFrame(fixture.fromClient(buildFrame({ ...packet, flags: 'A' })).bytes).destinationMac
      const drained = servers.find((each) => SERVER_MAC(Number(each.address.slice(-2))) === first)
      assert.ok(drained)
      fixture.plane.updateServers('web', [{ ...drained, isDraining: true }])
      assert.equal(open(fixture, 10, { first: 3000 })[drained.name], undefined)
      assert.equal(readFrame(fixture.fromClient(buildFrame({ ...packet, flags: 'A' })).bytes).destinationMac, first)
      for (const each of servers) fixture.plane.updateServers('web', [{ ...each, isDown: true }])
      assert.deepEqual(open(fixture, 2, { first: 4000, settle: false }), { none: 2 })
    })
  })

  test('a full server gets no new flows until fewer than its lower limit are left', () => {
    const limited = [server('a', 11, { upper: 4, lower: 2 }), server('b', 12)]
    withPlane([dr('round-robin', { servers: limited, timeouts: { ...service({}).timeouts, closed: 0 } })], (fixture) => {
      assert.deepEqual(open(fixture, 20), { a: 4, b: 16 })
      const close = (index: number) =>
        fixture.fromClient(buildFrame({ source: CLIENT, destination: VIP, sourcePort: 1024 + index, flags: 'R' }))
      for (let index = 0; index < 4; index++) close(index)
      fixture.plane.ageAll()
      assert.equal(open(fixture, 4, { first: 3000 }).a, undefined)
      for (let index = 4; index < 8; index++) close(index)
      fixture.plane.ageAll()
      assert.ok(open(fixture, 4, { first: 4000 }).a > 0)
    })
  })

  test('persistence keeps a network on a server, and ends with a drain', () => {
    withPlane([dr('round-robin', { persistenceSeconds: 300, persistencePrefix4: 24 })], (fixture) => {
      const shares = open(fixture, 9, { source: (index) => `198.51.100.${index}` })
      const [name] = Object.keys(shares)
      assert.deepEqual(shares, { [name]: 9 })
      const known = servers.find((each) => each.name === name)
      assert.ok(known)
      fixture.plane.updateServers('web', [{ ...known, isDraining: true }])
      const after = open(fixture, 9, { first: 3000, source: (index) => `198.51.100.${index}` })
      assert.equal(Object.keys(after).length, 1)
      assert.equal(after[name], undefined)
    })
  })

  test('persistence ends with its time-out after the last new flow, and keeps an IPv6 network together', () => {
    const addresses = [VIP, VIP6].map((address) => ({ address, firstPort: 80, lastPort: 80 }))
    const over = { addresses, persistenceSeconds: 300, persistencePrefix6: 64 }
    withPlane([dr('round-robin', over)], (fixture) => {
      const first = Object.keys(open(fixture, 3))
      assert.equal(first.length, 1)
      const map = fixture.plane.object.map('persistence')
      const entries: { key: Uint8Array; value: Uint8Array }[] = []
      map.visit((keys, at, values, valueAt) => {
        entries.push({ key: keys.slice(at, at + map.shape.keySize), value: values.slice(valueAt, valueAt + map.shape.valueSize) })
      })
      assert.equal(entries.length, 1)
      const [{ key, value }] = entries
      // "until" is its first word: the time is over.
      new DataView(value.buffer).setBigUint64(0, 1n, true)
      map.set(key, value)
      assert.notDeepEqual(Object.keys(open(fixture, 1, { first: 2000 })), first)
      const six = Array.from({ length: 4 }, (_, index) => buildFrame({ source: `2001:db8::${index + 1}`, destination: VIP6, flags: 'S' }))
      assert.equal(new Set(six.map((frame) => readFrame(fixture.fromClient(frame).bytes).destinationMac)).size, 1)
    })
  })

  test('port ranges and all ports of an address share a service; the narrower wins', () => {
    const all = service({ name: 'all', forward: 'dr', addresses: [{ address: VIP, firstPort: 0, lastPort: 65535 }], servers: [servers[0]] })
    const some = service({
      name: 'some',
      forward: 'dr',
      addresses: [{ address: VIP, firstPort: 8000, lastPort: 8009 }],
      servers: [servers[1]],
    })
    const one = service({
      name: 'one',
      forward: 'dr',
      addresses: [{ address: VIP, firstPort: 8005, lastPort: 8005 }],
      servers: [servers[2]],
    })
    withPlane([all, some, one], (fixture) => {
      const to = (port: number) =>
        readFrame(fixture.fromClient(buildFrame({ source: CLIENT, destination: VIP, destinationPort: port })).bytes).destinationMac
      assert.deepEqual([to(1), to(65535), to(8000), to(8009), to(8010), to(8005)], [11, 11, 12, 12, 11, 13].map(SERVER_MAC))
    })
  })
})
