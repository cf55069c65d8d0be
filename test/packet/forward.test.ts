import assert from 'node:assert/strict'
import { test } from 'node:test'
import { buildFrame, readFrame, readIp } from './frame.ts'
import { CLIENT, CLIENT6, inNamespace, layNetwork, SERVER_MAC, server, service, VIP, VIP6, withPlane } from './namespace.ts'

inNamespace(import.meta.filename, () => {
  layNetwork()
  const syn = { source: CLIENT, destination: VIP, flags: 'S' }
  const address6 = [{ address: VIP6, firstPort: 80, lastPort: 80 }]

  test('direct routing changes MAC addresses and TTL, nothing else', () => {
    withPlane([service({ forward: 'dr' })], (fixture) => {
      const { verdict, bytes } = fixture.fromClient(buildFrame(syn))
      const frame = readFrame(bytes)
      assert.equal(verdict, 'redirect')
      assert.equal(frame.destinationMac, SERVER_MAC(11))
      assert.equal(frame.sourceMac, '02:00:00:00:02:01')
      assert.deepEqual([frame.source, frame.destination, frame.ttl, frame.problems], [CLIENT, VIP, 63, []])
    })
  })

  test('nat rewrites address and port on the way in and out', () => {
    withPlane([service({ forward: 'nat', servers: [server('a', 11, { port: 8080 })] })], (fixture) => {
      const inward = readFrame(fixture.fromClient(buildFrame(syn)).bytes)
      assert.deepEqual([inward.source, inward.sourcePort], [CLIENT, 40000])
      assert.deepEqual([inward.destination, inward.destinationPort], ['10.2.0.11', 8080])
      assert.deepEqual(inward.problems, [])
      const answer = buildFrame({ source: '10.2.0.11', destination: CLIENT, sourcePort: 8080, destinationPort: 40000, flags: 'SA' })
      const { verdict, bytes } = fixture.fromServer(answer)
      const outward = readFrame(bytes)
      assert.equal(verdict, 'redirect')
      assert.deepEqual([outward.source, outward.sourcePort, outward.destination, outward.destinationPort], [VIP, 80, CLIENT, 40000])
      assert.deepEqual(outward.problems, [])
      assert.equal(outward.destinationMac, '02:00:00:00:01:02')
    })
  })

  test('fullnat also rewrites the source, and finds the client again', () => {
    const services = [service({ forward: 'fullnat', localAddresses: ['10.2.0.1'], servers: [server('a', 11, { port: 8080 })] })]
    withPlane(services, (fixture) => {
      const inward = readFrame(fixture.fromClient(buildFrame(syn)).bytes)
      assert.deepEqual([inward.source, inward.destination, inward.destinationPort], ['10.2.0.1', '10.2.0.11', 8080])
      assert.ok(inward.sourcePort >= 10000 && inward.sourcePort <= 32767)
      const answer = buildFrame({
        source: '10.2.0.11',
        destination: '10.2.0.1',
        sourcePort: 8080,
        destinationPort: inward.sourcePort,
        flags: 'SA',
      })
      const outward = readFrame(fixture.fromServer(answer).bytes)
      assert.deepEqual([outward.source, outward.sourcePort, outward.destination, outward.destinationPort], [VIP, 80, CLIENT, 40000])
      assert.deepEqual([...inward.problems, ...outward.problems], [])
    })
  })

  test('fullnat over IPv6', () => {
    const servers = [server('a', 11, { v6: true, port: 8080 })]
    withPlane([service({ forward: 'fullnat', addresses: address6, localAddresses: ['fd02::1'], servers })], (fixture) => {
      const inward = readFrame(fixture.fromClient(buildFrame({ source: CLIENT6, destination: VIP6 })).bytes)
      assert.deepEqual([inward.source, inward.destination, inward.destinationPort, inward.problems], ['fd02::1', 'fd02::11', 8080, []])
    })
  })

  for (const [outer, v6Server] of [
    ['IPv4', false],
    ['IPv6', true],
  ] as const) {
    for (const [inner, v6Client] of [
      ['IPv4', false],
      ['IPv6', true],
    ] as const) {
      for (const encapsulation of ['ipip', 'gue'] as const) {
        test(`${encapsulation} carries ${inner} in ${outer}, unchanged but for the TTL`, () => {
          const addresses = v6Client ? address6 : undefined
          const over = addresses === undefined ? {} : { addresses }
          withPlane([service({ forward: 'tun', encapsulation, servers: [server('a', 11, { v6: v6Server })], ...over })], (fixture) => {
            const client = v6Client ? CLIENT6 : CLIENT
            const vip = v6Client ? VIP6 : VIP
            const sent = buildFrame({ source: client, destination: vip, payload: 5, tos: 0xb8 })
            const { verdict, bytes } = fixture.fromClient(sent)
            const frame = readFrame(bytes)
            assert.equal(verdict, 'redirect')
            assert.equal(frame.destinationMac, SERVER_MAC(11))
            assert.equal(frame.destination, v6Server ? 'fd02::11' : '10.2.0.11')
            assert.equal(frame.tos, 0xb8)
            assert.deepEqual(frame.problems, [])
            if (encapsulation === 'gue') assert.deepEqual([frame.protocol, frame.destinationPort], [17, 6080])
            else assert.equal(frame.protocol, v6Client ? 41 : 4)
            const carried = readIp(encapsulation === 'gue' ? frame.inner.subarray(8) : frame.inner)
            assert.deepEqual([carried.source, carried.destination, carried.ttl, carried.problems], [client, vip, 63, []])
          })
        })
      }
    }
  }

  test('the outer source of a tunnel varies with the flow', () => {
    withPlane([service({ forward: 'tun' })], (fixture) => {
      const sources = new Set<string>()
      for (let port = 40000; port < 40064; port++) {
        sources.add(readFrame(fixture.fromClient(buildFrame({ ...syn, sourcePort: port })).bytes).source)
      }
      assert.ok(sources.size > 50)
      assert.ok([...sources].every((source) => source.startsWith('172.16.')))
    })
  })

  test('udp without a checksum stays without one', () => {
    withPlane([service({ forward: 'nat', protocols: ['udp'] })], (fixture) => {
      const datagram = { source: CLIENT, destination: VIP, protocol: 'udp', payload: 9 } as const
      const plain = readFrame(fixture.fromClient(buildFrame({ ...datagram, udpChecksum: false })).bytes)
      assert.deepEqual([plain.destination, plain.inner[6], plain.inner[7]], ['10.2.0.11', 0, 0])
      const summed = readFrame(fixture.fromClient(buildFrame({ ...datagram, sourcePort: 40001 })).bytes)
      assert.deepEqual(summed.problems, [])
    })
  })

  test('one VLAN tag or two are read, and IP options and IPv6 extension headers', () => {
    withPlane(
      [service({ forward: 'nat' }), service({ name: 'six', addresses: address6, servers: [server('a', 12, { v6: true })] })],
      (fixture) => {
        for (const tags of [[7], [3, 7]])
          assert.equal(readFrame(fixture.fromClient(buildFrame({ ...syn, tags })).bytes).destination, '10.2.0.11')
        const optional = readFrame(fixture.fromClient(buildFrame({ ...syn, options: 8 })).bytes)
        assert.deepEqual([optional.destination, optional.problems], ['10.2.0.11', []])
        const extended = buildFrame({ source: CLIENT6, destination: VIP6, extensions: [0, 60] })
        assert.equal(readFrame(fixture.fromClient(extended).bytes).destination, 'fd02::12')
      },
    )
  })

  test('a packet to servers behind a VLAN interface gets its tag, and loses that it came with', () => {
    for (const forward of ['nat', 'dr', 'tun'] as const) {
      withPlane([service({ forward })], (fixture) => {
        // As if s0 were VLAN 9 of itself: what leaves by it does so with a tag.
        const link = new Uint8Array(Uint32Array.of(fixture.servers, 9).buffer)
        fixture.plane.object.map('links').set(new Uint8Array(Uint32Array.of(fixture.servers).buffer), link)
        for (const tags of [[], [7], [3, 7]]) {
          const { verdict, bytes } = fixture.fromClient(buildFrame({ ...syn, tags }))
          const frame = readFrame(bytes)
          assert.equal(verdict, 'redirect')
          assert.deepEqual([frame.tags, frame.destinationMac, frame.problems], [[9], SERVER_MAC(11), []])
          assert.equal(frame.destination, forward === 'dr' ? VIP : '10.2.0.11')
        }
      })
    }
  })

  test('a packet that leaves by the interface it came by keeps its tags', () => {
    withPlane([service({ forward: 'dr' })], (fixture) => {
      const { verdict, bytes } = fixture.fromServer(buildFrame({ ...syn, tags: [3, 7] }))
      assert.deepEqual([verdict, readFrame(bytes).tags, readFrame(bytes).destinationMac], ['tx', [3, 7], SERVER_MAC(11)])
    })
  })

  test('a packet that is not for a service is passed on untouched', () => {
    withPlane([service({ forward: 'nat' })], (fixture) => {
      const others = [
        buildFrame({ ...syn, destinationPort: 81 }),
        buildFrame({ ...syn, destination: '10.9.0.101' }),
        buildFrame({ ...syn, protocol: 'udp' }),
        buildFrame({ ...syn, destination: '10.9.0.101', options: 12 }),
        buildFrame({ ...syn, destination: '10.9.0.101', moreFragments: true }),
        Uint8Array.from({ length: 60 }, (_, index) => (index === 12 ? 8 : index === 13 ? 6 : index)),
      ]
      for (const frame of others) {
        const { verdict, bytes } = fixture.fromClient(frame)
        assert.equal(verdict, 'pass')
        assert.deepEqual(bytes, frame)
      }
    })
  })

  test('a packet cut short at any byte is passed on untouched', () => {
    withPlane(
      [service({ forward: 'nat' }), service({ name: 'six', addresses: address6, servers: [server('a', 12, { v6: true })] })],
      (fixture) => {
        const frames = [
          buildFrame({ ...syn, payload: 20, options: 8, tags: [5] }),
          buildFrame({ source: CLIENT6, destination: VIP6, extensions: [0, 43, 60] }),
        ]
        for (const frame of frames) {
          for (let length = 14; length < frame.length; length++) {
            const cut = frame.slice(0, length)
            const { verdict, bytes } = fixture.fromClient(cut)
            assert.equal(verdict, 'pass', `at ${length} bytes`)
            assert.deepEqual(bytes, cut)
          }
        }
      },
    )
  })
})
