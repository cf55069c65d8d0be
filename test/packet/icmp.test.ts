import assert from 'node:assert/strict'
import { test } from 'node:test'
import { buildFrame, buildIcmpError, buildIp, readFrame, readIp } from './frame.ts'
import { CLIENT, CLIENT6, inNamespace, layNetwork, SERVER_MAC, server, service, VIP, VIP6, withPlane } from './namespace.ts'

inNamespace(import.meta.filename, () => {
  layNetwork()
  const address6 = [{ address: VIP6, firstPort: 80, lastPort: 80 }]
  const router = '203.0.113.9'

  for (const forward of ['dr', 'tun'] as const) {
    test(`${forward}: an ICMP error about an answer goes to the server that sent it`, () => {
      withPlane([service({ forward, algorithm: 'round-robin', servers: [server('a', 11), server('b', 12)] })], (fixture) => {
        const opened = readFrame(fixture.fromClient(buildFrame({ source: CLIENT, destination: VIP })).bytes)
        const answered = buildIp({ source: VIP, destination: CLIENT, sourcePort: 80, destinationPort: 40000, flags: 'A', payload: 1000 })
        const { verdict, bytes } = fixture.fromClient(buildIcmpError(router, VIP, answered, 28))
        const frame = readFrame(bytes)
        assert.equal(verdict, 'redirect')
        assert.equal(frame.destinationMac, opened.destinationMac)
        const carried = forward === 'tun' ? readIp(frame.inner) : frame
        assert.deepEqual([carried.source, carried.destination, carried.problems], [router, VIP, []])
      })
    })
  }

  for (const forward of ['dr', 'tun'] as const) {
    test(`${forward}: an error about a flow that another balancer has goes where that one sent the flow, and opens none`, () => {
      const servers = [server('a', 11), server('b', 12), server('c', 13)]
      const web = service({ forward, algorithm: 'maglev', tableSize: 4093, seed: 7, servers })
      const macs = (frames: (sourcePort: number) => Uint8Array): string[] => {
        const seen: string[] = []
        withPlane([web], (fixture) => {
          for (let port = 1; port <= 20; port++) seen.push(readFrame(fixture.fromClient(frames(port)).bytes).destinationMac)
          if (fixture.counter('stray') > 0) assert.deepEqual(fixture.plane.flows(), [])
        })
        return seen
      }
      const opened = macs((sourcePort) => buildFrame({ source: CLIENT, destination: VIP, sourcePort, flags: 'S' }))
      const errors = macs((destinationPort) => {
        const answered = buildIp({ source: VIP, destination: CLIENT, sourcePort: 80, destinationPort, flags: 'A', payload: 1000 })
        return buildIcmpError(router, VIP, answered, 28)
      })
      assert.equal(new Set(opened).size, 3)
      assert.deepEqual(errors, opened)
    })
  }

  for (const bytes of [28, 60, 1020]) {
    for (const protocol of ['tcp', 'udp'] as const) {
      test(`nat: an error quoting ${bytes} bytes of ${protocol} is turned into one about the server's own packet`, () => {
        withPlane([service({ protocols: [protocol], servers: [server('a', 11, { port: 8080 })] })], (fixture) => {
          fixture.fromClient(buildFrame({ source: CLIENT, destination: VIP, protocol }))
          const own = {
            source: '10.2.0.11',
            destination: CLIENT,
            sourcePort: 8080,
            destinationPort: 40000,
            protocol,
            flags: 'A',
            payload: 1000,
          }
          const answered = readFrame(fixture.fromServer(buildFrame(own)).bytes)
          assert.equal(answered.source, VIP)
          const asSent = buildIp({ ...own, source: VIP, sourcePort: 80, ttl: 63 })
          const frame = readFrame(fixture.fromClient(buildIcmpError(router, VIP, asSent, bytes)).bytes)
          assert.deepEqual([frame.source, frame.destination, frame.problems], [router, '10.2.0.11', []])
          assert.deepEqual(frame.inner.subarray(8), buildIp({ ...own, ttl: 63 }).subarray(0, bytes))
        })
      })
    }
  }

  test("nat: an error from a server about a client's packet comes from the service's address", () => {
    withPlane([service({ protocols: ['udp'], servers: [server('a', 11, { port: 8080 })] })], (fixture) => {
      const sent = { source: CLIENT, destination: VIP, protocol: 'udp', payload: 30 } as const
      const inward = readFrame(fixture.fromClient(buildFrame(sent)).bytes)
      assert.equal(inward.destination, '10.2.0.11')
      const quoted = buildIp({ ...sent, destination: '10.2.0.11', destinationPort: 8080, ttl: 63 })
      const frame = readFrame(fixture.fromServer(buildIcmpError('10.2.0.11', CLIENT, quoted, quoted.length)).bytes)
      assert.deepEqual([frame.source, frame.destination, frame.problems], [VIP, CLIENT, []])
      assert.deepEqual(frame.inner.subarray(8), buildIp({ ...sent, ttl: 63 }))
    })
  })

  test('fullnat: errors find their way in both directions, also over IPv6', () => {
    const servers = [server('a', 11, { v6: true, port: 8080 })]
    withPlane([service({ forward: 'fullnat', addresses: address6, localAddresses: ['fd02::1'], servers })], (fixture) => {
      const sent = { source: CLIENT6, destination: VIP6, payload: 40 }
      const inward = readFrame(fixture.fromClient(buildFrame(sent)).bytes)
      const toServer = { ...sent, source: 'fd02::1', sourcePort: inward.sourcePort, destination: 'fd02::11', destinationPort: 8080 }
      const back = readFrame(fixture.fromServer(buildIcmpError('fd02::99', 'fd02::1', buildIp(toServer), 100)).bytes)
      assert.deepEqual([back.source, back.destination, back.problems], [VIP6, CLIENT6, []])
      assert.deepEqual(back.inner.subarray(8), buildIp(sent).subarray(0, 100))
      const answer = { source: VIP6, destination: CLIENT6, sourcePort: 80, destinationPort: 40000, flags: 'A', payload: 500 }
      const forth = readFrame(fixture.fromClient(buildIcmpError('2001:db8::99', VIP6, buildIp(answer), 48)).bytes)
      assert.deepEqual([forth.source, forth.destination, forth.problems], ['fd02::1', 'fd02::11', []])
      const own = { ...answer, source: 'fd02::11', sourcePort: 8080, destination: 'fd02::1', destinationPort: inward.sourcePort }
      assert.deepEqual(forth.inner.subarray(8, 48 + 4), buildIp(own).subarray(0, 44))
    })
  })

  test('a packet too big for the tunnel is answered with the MTU that is left, and quotes it as it came', () => {
    for (const [encapsulation, left] of [
      ['ipip', 1480],
      ['gue', 1472],
    ] as const) {
      withPlane([service({ forward: 'tun', encapsulation })], (fixture) => {
        const sent = { source: CLIENT, destination: VIP, flags: 'S' }
        assert.equal(fixture.fromClient(buildFrame({ ...sent, payload: left - 40 })).verdict, 'redirect')
        const big = buildIp({ ...sent, payload: left - 39 })
        const { verdict, bytes } = fixture.fromClient(buildFrame(sent, big))
        const frame = readFrame(bytes)
        assert.equal(verdict, 'tx')
        assert.deepEqual([frame.source, frame.destination, frame.protocol, frame.problems], [VIP, CLIENT, 1, []])
        assert.deepEqual([frame.destinationMac, frame.inner[0], frame.inner[1]], ['02:00:00:00:01:02', 3, 4])
        assert.equal(Buffer.from(frame.inner).readUInt16BE(6), left)
        assert.deepEqual(frame.inner.subarray(8), big.subarray(0, 128))
      })
    }
  })

  test('over IPv6 it is Packet Too Big', () => {
    withPlane([service({ forward: 'tun', addresses: address6, servers: [server('a', 11, { v6: true })] })], (fixture) => {
      const big = buildIp({ source: CLIENT6, destination: VIP6, payload: 1420 })
      const frame = readFrame(fixture.fromClient(buildFrame({ source: CLIENT6, destination: VIP6 }, big)).bytes)
      assert.deepEqual([frame.source, frame.protocol, frame.inner[0], frame.problems], [VIP6, 58, 2, []])
      assert.equal(Buffer.from(frame.inner).readUInt32BE(4), 1460)
    })
  })

  test('a packet without DF that is too big is dropped and counted, and no more errors are sent than configured', () => {
    withPlane(
      [service({ forward: 'tun' })],
      (fixture) => {
        const big = { source: CLIENT, destination: VIP, payload: 1460 }
        assert.equal(fixture.fromClient(buildFrame({ ...big, dontFragment: false })).verdict, 'drop')
        for (let index = 0; index < 20; index++) fixture.fromClient(buildFrame(big))
        assert.equal(fixture.counter('too-big'), 21)
        assert.ok(fixture.counter('too-big-sent') <= 8 && fixture.counter('icmp-limited') >= 12)
      },
      { icmpPerSecond: 4 },
    )
  })

  test('a TTL that ends here is answered with time exceeded', () => {
    withPlane([service({ forward: 'nat' })], (fixture) => {
      const { verdict, bytes } = fixture.fromClient(buildFrame({ source: CLIENT, destination: VIP, ttl: 1 }))
      const frame = readFrame(bytes)
      assert.equal(verdict, 'tx')
      assert.deepEqual([frame.destination, frame.protocol, frame.inner[0], frame.problems], [CLIENT, 1, 11, []])
    })
  })

  test('later fragments follow the first one; without it they are passed on', () => {
    withPlane(
      [service({ forward: 'nat', protocols: ['udp'], algorithm: 'round-robin', servers: [server('a', 11), server('b', 12)] })],
      (fixture) => {
        const whole = { source: CLIENT, destination: VIP, protocol: 'udp', identification: 77 } as const
        const later = (identification: number) => {
          return buildFrame(whole, buildIp({ ...whole, identification, fragmentOffset: 1480 }, new Uint8Array(100).fill(3), 17))
        }
        assert.equal(fixture.fromClient(later(76)).verdict, 'pass')
        assert.equal(fixture.counter('fragment-lost'), 1)
        const first = readFrame(fixture.fromClient(buildFrame({ ...whole, moreFragments: true, payload: 1472 })).bytes)
        const second = readFrame(fixture.fromClient(later(77)).bytes)
        assert.deepEqual([second.destination, second.destinationMac], [first.destination, first.destinationMac])
        assert.ok(first.destinationMac === SERVER_MAC(11) || first.destinationMac === SERVER_MAC(12))
        assert.deepEqual(second.problems, [])
        assert.deepEqual(second.inner, new Uint8Array(100).fill(3))
      },
    )
  })

  test('an ICMP error cut short at any byte is passed on untouched, and so is one about a flow of nobody', () => {
    withPlane([service({ forward: 'nat' })], (fixture) => {
      fixture.fromClient(buildFrame({ source: CLIENT, destination: VIP }))
      const quoted = buildIp({ source: VIP, destination: CLIENT, sourcePort: 80, destinationPort: 40000, flags: 'A' })
      const whole = buildIcmpError(router, VIP, quoted, 28)
      for (let length = 14; length < whole.length; length++) {
        const cut = whole.slice(0, length)
        const { verdict, bytes } = fixture.fromClient(cut)
        assert.equal(verdict, 'pass', `at ${length} bytes`)
        assert.deepEqual(bytes, cut)
      }
      const stranger = buildIcmpError(router, VIP, buildIp({ source: VIP, destination: CLIENT, sourcePort: 81 }), 28)
      assert.deepEqual(fixture.fromClient(stranger), { verdict: 'pass', bytes: stranger })
    })
  })
})
