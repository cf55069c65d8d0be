import assert from 'node:assert/strict'
import { test } from 'node:test'
import { buildFrame, readFrame } from './frame.ts'
import { CLIENT, inNamespace, layNetwork, SERVER_MAC, server, service, VIP, withPlane } from './namespace.ts'

inNamespace(import.meta.filename, () => {
  layNetwork()
  const two = [server('a', 11), server('b', 12)]
  const packet = { source: CLIENT, destination: VIP }
  const answer = { source: '10.2.0.11', destination: CLIENT, sourcePort: 80, destinationPort: 40000 }
  const dr = { forward: 'dr', algorithm: 'round-robin', servers: two } as const
  const counts = (load: { active: number; inactive: number; young: number }) => [load.active, load.inactive, load.young]

  test('one direction tells: young, established, ending, closed', () => {
    withPlane([service({ ...dr, servers: [two[0]] })], (fixture) => {
      const load = () => counts(fixture.plane.status().servers[0])
      const state = () => fixture.plane.flows()[0]?.state
      fixture.fromClient(buildFrame({ ...packet, flags: 'S' }))
      assert.deepEqual([state(), load()], ['new', [0, 0, 1]])
      fixture.fromClient(buildFrame({ ...packet, flags: 'A' }))
      assert.deepEqual([state(), load()], ['established', [1, 0, 0]])
      fixture.fromClient(buildFrame({ ...packet, flags: 'FA' }))
      assert.deepEqual([state(), load()], ['fin-wait', [0, 1, 0]])
      fixture.fromClient(buildFrame({ ...packet, flags: 'R' }))
      assert.deepEqual([state(), load()], ['closed', [0, 1, 0]])
    })
  })

  test('nat sees both directions: an ACK without the answer confirms nothing, and two FINs are a time-wait', () => {
    withPlane([service({ servers: [two[0]] })], (fixture) => {
      const state = () => fixture.plane.flows()[0]?.state
      fixture.fromClient(buildFrame({ ...packet, flags: 'S' }))
      fixture.fromClient(buildFrame({ ...packet, flags: 'A' }))
      assert.equal(state(), 'new')
      fixture.fromServer(buildFrame({ ...answer, flags: 'SA' }))
      fixture.fromClient(buildFrame({ ...packet, flags: 'A' }))
      assert.equal(state(), 'established')
      fixture.fromServer(buildFrame({ ...answer, flags: 'FA' }))
      assert.equal(state(), 'fin-wait')
      fixture.fromClient(buildFrame({ ...packet, flags: 'FA' }))
      assert.equal(state(), 'time-wait')
      assert.deepEqual(counts(fixture.plane.status().servers[0]), [0, 1, 0])
    })
  })

  test('ageing forgets what is over and takes it out of the counts, both entries of a flow', () => {
    const timeouts = { young: 0, established: 900, finWait: 900, timeWait: 900, closed: 0, datagram: 900 }
    withPlane([service({ servers: [two[0]], timeouts })], (fixture) => {
      const open = (port: number, confirm: boolean) => {
        fixture.fromClient(buildFrame({ ...packet, sourcePort: port, flags: 'S' }))
        if (!confirm) return
        fixture.fromServer(buildFrame({ ...answer, destinationPort: port, flags: 'SA' }))
        fixture.fromClient(buildFrame({ ...packet, sourcePort: port, flags: 'A' }))
      }
      open(1001, true)
      open(1002, true)
      open(1003, false)
      fixture.fromClient(buildFrame({ ...packet, sourcePort: 1002, flags: 'R' }))
      fixture.plane.ageAll()
      assert.deepEqual(
        fixture.plane.flows().map((flow) => flow.clientPort),
        [1001],
      )
      assert.deepEqual(counts(fixture.plane.status().servers[0]), [1, 0, 0])
      assert.equal(fixture.plane.ageAll().visited, 2)
    })
  })

  test('a new connection on a port that is ending is a new flow', () => {
    withPlane([service(dr)], (fixture) => {
      const mac = (flags: string) => readFrame(fixture.fromClient(buildFrame({ ...packet, flags })).bytes).destinationMac
      const first = mac('S')
      assert.equal(mac('A'), first)
      assert.equal(mac('S'), first)
      mac('FA')
      assert.notEqual(mac('S'), first)
      assert.equal(fixture.plane.flows().length, 1)
    })
  })

  for (const forward of ['dr', 'nat'] as const) {
    test(`${forward}: flows of a server that goes down are rescheduled with their next packet`, () => {
      withPlane([service({ ...dr, forward, protocols: ['udp'] })], (fixture) => {
        const send = () => readFrame(fixture.fromClient(buildFrame({ ...packet, protocol: 'udp' })).bytes).destinationMac
        const first = send()
        assert.equal(send(), first)
        const gone = first === SERVER_MAC(11) ? 0 : 1
        fixture.plane.updateServers('web', [{ ...two[gone], isDown: true }])
        assert.equal(send(), SERVER_MAC(gone === 0 ? 12 : 11))
        assert.equal(fixture.counter('server-gone'), 1)
        assert.deepEqual(
          fixture.plane
            .status()
            .servers.map((each) => each.active + each.inactive + each.young)
            .toSorted(),
          [0, 1],
        )
      })
    })
  }

  test('or reset, as configured', () => {
    withPlane([service({ ...dr, onServerDown: 'reset', servers: [two[0]] })], (fixture) => {
      fixture.fromClient(buildFrame({ ...packet, flags: 'S' }))
      fixture.fromClient(buildFrame({ ...packet, flags: 'A' }))
      fixture.plane.updateServers('web', [{ ...two[0], isDown: true }])
      const { verdict, bytes } = fixture.fromClient(buildFrame({ ...packet, flags: 'PA', sequence: 5, acknowledged: 77, payload: 33 }))
      const frame = readFrame(bytes)
      assert.equal(verdict, 'tx')
      assert.deepEqual([frame.flags, frame.source, frame.destination, frame.sequence, frame.problems], ['R', VIP, CLIENT, 77, []])
    })
  })

  test('a SYN without a server is reset, with the number that the client expects', () => {
    withPlane([service({ ...dr, servers: [{ ...two[0], isDown: true }] })], (fixture) => {
      const frame = readFrame(fixture.fromClient(buildFrame({ ...packet, flags: 'S', sequence: 5000 })).bytes)
      assert.deepEqual([frame.flags, frame.acknowledged, frame.problems], ['RA', 5001, []])
    })
  })

  test('a full table: established flows stay, new ones are forwarded among the young', () => {
    withPlane(
      [service({ ...dr })],
      (fixture) => {
        const macs = new Map<number, string>()
        for (let port = 1; port <= 64; port++) {
          for (const flags of ['S', 'A']) {
            const { verdict, bytes } = fixture.fromClient(buildFrame({ ...packet, sourcePort: port, flags }))
            assert.equal(verdict, 'redirect')
            macs.set(port, readFrame(bytes).destinationMac)
          }
        }
        assert.ok(fixture.counter('table-full') > 0)
        for (let port = 1; port <= 16; port++) {
          const { bytes } = fixture.fromClient(buildFrame({ ...packet, sourcePort: port, flags: 'A' }))
          assert.equal(readFrame(bytes).destinationMac, macs.get(port))
        }
      },
      { flowEntries: 16 },
    )
  })

  test('nat with a full table: both entries of a flow are there or none, and answers are translated all the same', () => {
    withPlane(
      [service({ servers: [two[0]] })],
      (fixture) => {
        const ports = Array.from({ length: 24 }, (_, index) => index + 1)
        for (const port of ports) {
          fixture.fromClient(buildFrame({ ...packet, sourcePort: port, flags: 'S' }))
          fixture.fromServer(buildFrame({ ...answer, destinationPort: port, flags: 'SA' }))
          assert.equal(fixture.fromClient(buildFrame({ ...packet, sourcePort: port, flags: 'A' })).verdict, 'redirect')
        }
        assert.ok(fixture.counter('table-full') > 0)
        const states = fixture.plane.flows().map(({ state }) => state)
        assert.equal(states.length, 24)
        const [load] = fixture.plane.status().servers
        const established = states.filter((state) => state === 'established').length
        assert.ok(established > 0 && established < 24, `${established} established`)
        assert.deepEqual(counts(load), [established, 0, 24 - established])
        for (const port of ports) {
          const { source, destinationPort } = readFrame(
            fixture.fromServer(buildFrame({ ...answer, destinationPort: port, flags: 'A' })).bytes,
          )
          assert.deepEqual([source, destinationPort], [VIP, port])
        }
      },
      { flowEntries: 16 },
    )
  })

  test('a flood of SYNs pushes out young flows, never established ones', () => {
    withPlane(
      [service({ ...dr })],
      (fixture) => {
        fixture.fromClient(buildFrame({ ...packet, flags: 'S' }))
        const mac = readFrame(fixture.fromClient(buildFrame({ ...packet, flags: 'A' })).bytes).destinationMac
        for (let index = 0; index < 5000; index++) {
          fixture.fromClient(buildFrame({ source: `198.51.${index >> 8}.${index & 255}`, destination: VIP, flags: 'S' }))
        }
        assert.equal(fixture.plane.flows(10).filter((flow) => flow.state === 'established').length, 1)
        assert.equal(readFrame(fixture.fromClient(buildFrame({ ...packet, flags: 'A' })).bytes).destinationMac, mac)
        fixture.plane.ageAll()
        const loads = fixture.plane.status().servers
        assert.ok(loads.reduce((sum, load) => sum + load.young, 0) <= 64 * 2)
      },
      { youngEntries: 64 },
    )
  })

  test('fullnat never gives two flows to a server the same address and port', () => {
    const services = [
      service({ forward: 'fullnat', localAddresses: ['10.2.0.1'], localFirstPort: 20000, localLastPort: 20063, servers: [two[0]] }),
    ]
    withPlane(services, (fixture) => {
      const ports = new Set<number>()
      let refused = 0
      for (let port = 1; port <= 80; port++) {
        const { verdict, bytes } = fixture.fromClient(buildFrame({ ...packet, sourcePort: port, flags: 'S' }))
        if (verdict !== 'redirect') refused++
        else {
          const local = readFrame(bytes).sourcePort
          assert.ok(!ports.has(local) && local >= 20000 && local <= 20063)
          ports.add(local)
        }
      }
      assert.equal(fixture.counter('ports-exhausted'), refused)
      assert.ok(ports.size > 48, `${ports.size} of 64`)
    })
  })

  test('nat: a client that asks two addresses from one port has two flows to the server, of which the second gets another port', () => {
    const addresses = [VIP, '10.9.0.101'].map((address) => ({ address, firstPort: 80, lastPort: 80 }))
    withPlane([service({ addresses, servers: [two[0]] })], (fixture) => {
      const open = (destination: string) => readFrame(fixture.fromClient(buildFrame({ source: CLIENT, destination, flags: 'S' })).bytes)
      const back = (port: number, flags: string) =>
        readFrame(fixture.fromServer(buildFrame({ ...answer, destinationPort: port, flags })).bytes)
      const first = open(VIP)
      back(first.sourcePort, 'SA')
      fixture.fromClient(buildFrame({ ...packet, flags: 'A' }))
      const second = open('10.9.0.101')
      assert.equal(first.sourcePort, 40000)
      assert.notEqual(second.sourcePort, 40000)
      for (const [port, address] of [
        [first.sourcePort, VIP],
        [second.sourcePort, '10.9.0.101'],
      ] as const) {
        const { source, destination, destinationPort, problems } = back(port, 'SA')
        assert.deepEqual([source, destination, destinationPort, problems], [address, CLIENT, 40000, []])
      }
      // A SYN that is sent again keeps its port.
      assert.equal(open('10.9.0.101').sourcePort, second.sourcePort)
    })
  })

  test('one-packet scheduling chooses anew for each datagram, remembers nothing, and translates the answer', () => {
    withPlane([service({ ...dr, forward: 'nat', protocols: ['udp'], onePacket: true })], (fixture) => {
      const send = () => readFrame(fixture.fromClient(buildFrame({ ...packet, protocol: 'udp' })).bytes)
      assert.notEqual(send().destination, send().destination)
      assert.deepEqual(fixture.plane.flows(), [])
      const back = readFrame(fixture.fromServer(buildFrame({ ...answer, protocol: 'udp' })).bytes)
      assert.deepEqual([back.source, back.sourcePort, back.destination, back.problems], [VIP, 80, CLIENT, []])
    })
  })

  test('one-packet scheduling with fullnat: the answer finds its client by a local port, which is free again soon', () => {
    const local = { localAddresses: ['10.2.0.1'], timeouts: { ...service({}).timeouts, closed: 0 } }
    withPlane([service({ ...dr, forward: 'fullnat', protocols: ['udp'], onePacket: true, ...local })], (fixture) => {
      const send = () => readFrame(fixture.fromClient(buildFrame({ ...packet, protocol: 'udp' })).bytes)
      const [one, other] = [send(), send()]
      assert.notEqual(one.destination, other.destination)
      assert.deepEqual([one.source, fixture.plane.flows()], ['10.2.0.1', []])
      for (const { destination, sourcePort } of [other, one]) {
        const own = { source: destination, destination: '10.2.0.1', sourcePort: 80, destinationPort: sourcePort, protocol: 'udp' } as const
        const back = readFrame(fixture.fromServer(buildFrame(own)).bytes)
        assert.deepEqual(
          [back.source, back.sourcePort, back.destination, back.destinationPort, back.problems],
          [VIP, 80, CLIENT, 40000, []],
        )
      }
      assert.deepEqual(fixture.plane.ageAll(), { visited: 2, removed: 2 })
      assert.deepEqual(counts(fixture.plane.status().servers[0]), [0, 0, 0])
    })
  })

  test('sctp goes along, ports unchanged', () => {
    withPlane([service({ forward: 'nat', protocols: ['sctp'], servers: [two[0]] })], (fixture) => {
      const frame = buildFrame({ ...packet, protocol: 'udp', payload: 12 })
      frame[23] = 132
      frame[24] = 0
      frame[25] = 0
      const { verdict, bytes } = fixture.fromClient(frame)
      assert.equal(verdict, 'redirect')
      assert.deepEqual([...bytes.subarray(30, 34)], [10, 2, 0, 11])
      assert.deepEqual(bytes.subarray(34), frame.subarray(34))
    })
  })
})
