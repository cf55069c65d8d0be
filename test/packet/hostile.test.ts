import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { PacketService } from '../../src/packet/index.ts'
import { buildFrame, buildIcmpError, buildIp, type FrameOptions, readFrame } from './frame.ts'
import { CLIENT, CLIENT6, inNamespace, layNetwork, type PlaneFixture, server, service, VIP, VIP6, withPlane } from './namespace.ts'

const ETHERNET_BYTES = 14
const ROUTERS = { 4: '203.0.113.9', 6: '2001:db8:ffff::9' }
const MODES: readonly (readonly [name: string, over: Partial<PacketService>])[] = [
  ['nat', { forward: 'nat', synCookies: 'auto', synCookiesAbove: 50 }],
  ['fullnat', { forward: 'fullnat' }],
  ['dr', { forward: 'dr' }],
  ['tun by ipip', { forward: 'tun', encapsulation: 'ipip' }],
  ['tun by gue', { forward: 'tun', encapsulation: 'gue' }],
]
const PROTOCOLS = ['tcp', 'udp', 'sctp'] as const

inNamespace(import.meta.filename, () => {
  layNetwork()

  /** Both families, all protocols. SCTP's ports do not change, so fullnat has none. */
  function services([name, over]: (typeof MODES)[number]): PacketService[] {
    const protocols = PROTOCOLS.filter((protocol) => name !== 'fullnat' || protocol !== 'sctp')
    const all = { ...over, protocols, allow: ['192.0.2.0/24', '2001:db8::/32'], persistenceSeconds: 60, newFlowsPerSecond: 1_000_000 }
    const address = (host: string) => [{ address: host, firstPort: 80, lastPort: 80 }]
    return [
      service({ ...all, name: 'four', addresses: address(VIP), localAddresses: ['10.2.0.1'] }),
      service({ ...all, name: 'six', addresses: address(VIP6), localAddresses: ['fd02::1'], servers: [server('a', 11, { v6: true })] }),
    ]
  }

  /** A frame of each kind that is forwarded: with options, tags and extension headers, and an ICMP error about an answer. */
  function frames(family: 4 | 6): Uint8Array[] {
    const [source, destination] = family === 4 ? [CLIENT, VIP] : [CLIENT6, VIP6]
    const extras: Partial<FrameOptions> = family === 4 ? { options: 8, tags: [5] } : { extensions: [0, 43, 60], tags: [5, 6] }
    const plain = PROTOCOLS.map((protocol) => frameOf(protocol, { source, destination, payload: 24 }))
    const full = buildFrame({ source, destination, flags: 'S', payload: 24, ...extras })
    const answer = buildIp({ source: destination, destination: source, sourcePort: 80, destinationPort: 40000, flags: 'A', payload: 100 })
    return [...plain, full, buildIcmpError(ROUTERS[family], destination, answer, family === 4 ? 28 : 48)]
  }

  /** The program has said what becomes of the packet, and one that is passed on is as it was. */
  function check(fixture: PlaneFixture, frame: Uint8Array, what: string): string {
    const { verdict, bytes } = fixture.fromClient(frame)
    assert.match(verdict, /^(?:pass|drop|tx|redirect)$/, what)
    if (verdict === 'pass') assert.deepEqual(bytes, frame, what)
    return verdict
  }

  for (const mode of MODES) {
    for (const family of [4, 6] as const) {
      test(`${mode[0]} over IPv${family}: every kind of packet cut short at any byte is passed on untouched`, () => {
        withPlane(services(mode), (fixture) => {
          for (const frame of frames(family)) {
            for (let length = ETHERNET_BYTES; length < frame.length; length++) {
              assert.equal(check(fixture, frame.slice(0, length), `at ${length} of ${frame.length} bytes`), 'pass')
            }
          }
        })
      })

      test(`${mode[0]} over IPv${family}: any byte of a packet's headers may be wrong`, () => {
        withPlane(services(mode), (fixture) => {
          const verdicts = new Set<string>()
          for (const frame of frames(family)) {
            for (let at = ETHERNET_BYTES - 2; at < frame.length - 20; at++) {
              for (const value of [0, 1, 0x7f, 0xff, frame[at] ^ 1, frame[at] ^ 0x80]) {
                const wrong = frame.slice()
                wrong[at] = value
                verdicts.add(check(fixture, wrong, `byte ${at} is ${value}`))
              }
            }
          }
          assert.ok(verdicts.has('pass') && verdicts.has('redirect'), [...verdicts].join())
        })
      })
    }
  }

  for (const forward of ['nat', 'fullnat', 'dr', 'tun'] as const) {
    test(`${forward}: any byte of a packet of an open flow may be wrong, from either side, and the flow goes on`, () => {
      withPlane([service({ forward, localAddresses: ['10.2.0.1'] })], (fixture) => {
        const client = { source: CLIENT, destination: VIP, flags: 'A', payload: 20 }
        const opened = readFrame(fixture.fromClient(buildFrame({ ...client, flags: 'S', payload: 0 })).bytes)
        const isRewritten = forward === 'nat' || forward === 'fullnat'
        const answer = { source: '10.2.0.11', destination: opened.source, sourcePort: 80, destinationPort: opened.sourcePort, payload: 20 }
        if (isRewritten) fixture.fromServer(buildFrame({ ...answer, flags: 'SA' }))
        const pairs: [frame: Uint8Array, send: PlaneFixture['fromClient']][] = [
          [buildFrame(client), (frame) => fixture.fromClient(frame)],
          ...(isRewritten
            ? [[buildFrame({ ...answer, flags: 'A' }), (frame: Uint8Array) => fixture.fromServer(frame)] as (typeof pairs)[number]]
            : []),
        ]
        for (const [frame, send] of pairs) for (let time = 0; time < 2; time++) assert.equal(send(frame).verdict, 'redirect')
        for (const [frame, send] of pairs) {
          for (let at = ETHERNET_BYTES - 2; at < ETHERNET_BYTES + 40; at++) {
            // A wrong RST, SYN or FIN would rightly end the flow.
            if (at === ETHERNET_BYTES + 33) continue
            for (const value of [0, 0xff, frame[at] ^ 1, frame[at] ^ 0x80]) {
              const wrong = frame.slice()
              wrong[at] = value
              const { verdict, bytes } = send(wrong)
              assert.match(verdict, /^(?:pass|drop|tx|redirect)$/, `byte ${at} is ${value}`)
              if (verdict === 'pass') assert.deepEqual(bytes, wrong, `byte ${at} is ${value}`)
            }
          }
          for (let length = ETHERNET_BYTES; length < frame.length; length++) {
            const cut = frame.slice(0, length)
            assert.deepEqual(send(cut), { verdict: 'pass', bytes: cut }, `at ${length} bytes`)
          }
        }
        for (const [frame, send] of pairs) {
          const { verdict, bytes } = send(frame)
          assert.equal(verdict, 'redirect')
          assert.deepEqual(readFrame(bytes).problems, [])
        }
        const own = fixture.plane.flows().filter(({ client: address, clientPort }) => address === CLIENT && clientPort === 40000)
        assert.deepEqual(
          own.map(({ state }) => state),
          ['established'],
        )
      })
    })
  }

  test('lengths that contradict each other: what says more than came is not read, what says less is read as far as it says', () => {
    withPlane([service({ forward: 'dr' })], (fixture) => {
      const sent = buildFrame({ source: CLIENT, destination: VIP, flags: 'S', payload: 10 })
      const withLength = (length: number) => {
        const frame = sent.slice()
        new DataView(frame.buffer).setUint16(ETHERNET_BYTES + 2, length)
        return fixture.fromClient(frame).verdict
      }
      const whole = sent.length - ETHERNET_BYTES
      assert.deepEqual([whole + 1, 65535, 0, 19, 20, 39].map(withLength), ['pass', 'pass', 'pass', 'pass', 'pass', 'pass'])
      assert.deepEqual([40, whole].map(withLength), ['redirect', 'redirect'])
    })
  })
})

/** SCTP's frame is UDP's with another protocol number: only the ports are read. */
function frameOf(protocol: (typeof PROTOCOLS)[number], options: FrameOptions): Uint8Array {
  if (protocol !== 'sctp') return buildFrame({ ...options, protocol, flags: 'S' })
  const frame = buildFrame({ ...options, protocol: 'udp' })
  const isV6 = options.source.includes(':')
  frame[ETHERNET_BYTES + (isV6 ? 6 : 9)] = 132
  return frame
}
