import assert from 'node:assert/strict'
import { test } from 'node:test'
import { buildFrame, type FrameOptions, readFrame } from './frame.ts'
import { CLIENT, inNamespace, layNetwork, type PlaneFixture, SERVER_MAC, server, service, VIP, withPlane } from './namespace.ts'

inNamespace(import.meta.filename, () => {
  layNetwork()
  const two = [server('a', 11, { port: 8080 }), server('b', 12, { port: 8080 })]
  const local = { localAddresses: ['10.2.0.1'] }
  const packet = { source: CLIENT, destination: VIP, payload: 40 }

  /** Takes away what the general way goes by: a packet that is still forwarded as before went by its shortcut. */
  function forgetFlows(fixture: PlaneFixture): void {
    const map = fixture.plane.object.map('flows')
    const keys: Uint8Array[] = []
    map.visit((all, at) => keys.push(all.slice(at, at + map.shape.keySize)))
    for (const key of keys) map.delete(key)
  }

  function open(fixture: PlaneFixture, over: Partial<FrameOptions>): FrameOptions {
    const send = (flags: string) => fixture.fromClient(buildFrame({ ...packet, ...over, flags })).bytes
    const there = readFrame(send('S'))
    if (there.destination !== VIP) fixture.fromServer(buildFrame({ ...turned(there, over), flags: 'SA' }))
    send('A')
    return turned(there, over)
  }

  function turned(there: ReturnType<typeof readFrame>, over: Partial<FrameOptions>): FrameOptions {
    const back = { source: there.destination, sourcePort: there.destinationPort }
    return { ...over, ...back, destination: there.source, destinationPort: there.sourcePort, payload: 40 }
  }

  for (const forward of ['dr', 'tun', 'nat', 'fullnat'] as const) {
    for (const encapsulation of forward === 'tun' ? (['ipip', 'gue'] as const) : (['ipip'] as const)) {
      test(`${forward} (${encapsulation}): the shortcut does to every byte what the general way does`, () => {
        withPlane([service({ ...local, forward, encapsulation, protocols: ['tcp', 'udp'], servers: [two[0]] })], (fixture) => {
          const shapes: Partial<FrameOptions>[] = [{}, { tos: 0xb8 }, { dontFragment: false, ttl: 9 }, { protocol: 'udp' }]
          shapes.push({ protocol: 'udp', udpChecksum: false, tos: 3 }, { payload: 200, sequence: 77 })
          for (const [index, shape] of shapes.entries()) {
            const over = { ...shape, sourcePort: 1000 + index, payload: shape.payload ?? 40 }
            open(fixture, over)
            const frame = buildFrame({ ...packet, ...over, flags: 'A' })
            fixture.plane.apply([service({ ...local, forward, encapsulation, protocols: ['tcp', 'udp'], servers: [two[0]] })])
            const general = fixture.fromClient(frame)
            const short = fixture.fromClient(frame)
            assert.deepEqual(short, general)
            forgetFlows(fixture)
            assert.deepEqual(fixture.fromClient(frame), general)
            assert.deepEqual(fixture.plane.flows(), [])
          }
        })
      })
    }
  }

  for (const forward of ['nat', 'fullnat'] as const) {
    test(`${forward}: answers have a shortcut too, the same to every byte`, () => {
      withPlane([service({ ...local, forward, servers: [two[0]] })], (fixture) => {
        const back = buildFrame({ ...open(fixture, {}), flags: 'A' })
        const general = fixture.fromServer(back)
        assert.deepEqual(readFrame(general.bytes).problems, [])
        forgetFlows(fixture)
        assert.deepEqual(fixture.fromServer(back), general)
        assert.deepEqual(fixture.plane.flows(), [])
      })
    })
  }

  for (const flags of ['FA', 'R']) {
    test(`a flow that ends (${flags}) has no shortcut any more, in neither direction`, () => {
      withPlane([service({ forward: 'nat', servers: [two[0]] })], (fixture) => {
        const back = buildFrame({ ...open(fixture, {}), flags: 'A' })
        fixture.fromServer(back)
        fixture.fromClient(buildFrame({ ...packet, flags: 'A' }))
        fixture.fromClient(buildFrame({ ...packet, flags }))
        forgetFlows(fixture)
        assert.equal(fixture.fromServer(back).verdict, 'pass')
        const stray = fixture.fromClient(buildFrame({ ...packet, flags: 'A' }))
        assert.equal(readFrame(stray.bytes).flags, 'R')
      })
    })
  }

  test('a shortcut does not outlive what was decided by: services that are applied again, a server that goes down', () => {
    const dr = service({ forward: 'dr', servers: two, algorithm: 'round-robin' })
    withPlane([dr], (fixture) => {
      open(fixture, {})
      const send = () => fixture.fromClient(buildFrame({ ...packet, flags: 'A' }))
      const first = readFrame(send().bytes).destinationMac
      const gone = first === SERVER_MAC(11) ? 0 : 1
      fixture.plane.updateServers('web', [{ ...two[gone], isDown: true }])
      assert.notEqual(readFrame(send().bytes).destinationMac, first)
      fixture.plane.apply([{ ...dr, deny: [`${CLIENT}/32`] }])
      assert.equal(send().verdict, 'drop')
    })
  })

  for (const established of [16, 79, 80, 1000, 1001, 86_400]) {
    test(`flows with a time-out of ${established} s have a shortcut`, () => {
      const timeouts = { young: 60, established, finWait: 120, timeWait: 120, closed: 10, datagram: 300 }
      withPlane([service({ forward: 'dr', servers: [two[0]], timeouts })], (fixture) => {
        open(fixture, {})
        forgetFlows(fixture)
        assert.equal(fixture.fromClient(buildFrame({ ...packet, flags: 'A' })).verdict, 'redirect')
        assert.equal(fixture.counter('stray'), 0)
      })
    })
  }

  test('flows whose time-out is short have no shortcut: they are aged to the second', () => {
    const timeouts = { young: 60, established: 15, finWait: 120, timeWait: 120, closed: 10, datagram: 15 }
    withPlane([service({ forward: 'dr', servers: [two[0]], timeouts })], (fixture) => {
      open(fixture, {})
      forgetFlows(fixture)
      fixture.fromClient(buildFrame({ ...packet, flags: 'A' }))
      assert.equal(fixture.counter('stray'), 1)
    })
  })

  test('a flow that finds no place goes the general way, and nobody is pushed out', () => {
    withPlane(
      [service({ forward: 'dr', servers: two, algorithm: 'round-robin' })],
      (fixture) => {
        const send = (port: number) =>
          readFrame(fixture.fromClient(buildFrame({ ...packet, sourcePort: port, flags: 'A' })).bytes).destinationMac
        const macs = new Map<number, string>()
        for (let port = 1; port <= 512; port++) {
          open(fixture, { sourcePort: port })
          macs.set(port, send(port))
        }
        for (let port = 1; port <= 512; port++) assert.equal(send(port), macs.get(port))
      },
      { flowEntries: 64 },
    )
  })
})
