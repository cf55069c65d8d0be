import assert from 'node:assert/strict'
import { test } from 'node:test'
import { buildFrame, readFrame } from './frame.ts'
import { CLIENT, CLIENT6, inNamespace, layNetwork, type PlaneFixture, server, service, VIP, VIP6, withPlane } from './namespace.ts'

inNamespace(import.meta.filename, () => {
  layNetwork()
  const packet = { source: CLIENT, destination: VIP }

  test('deny and allow lists: the longest prefix wins, others are denied where there is an allow list', () => {
    withPlane([service({ forward: 'dr', allow: ['198.51.100.0/24', '192.0.2.7/32'], deny: ['198.51.100.128/25'] })], (fixture) => {
      const from = (source: string) => fixture.fromClient(buildFrame({ source, destination: VIP })).verdict
      assert.deepEqual(['198.51.100.1', '198.51.100.200', '192.0.2.7', '192.0.2.8'].map(from), ['redirect', 'drop', 'redirect', 'drop'])
      assert.equal(fixture.counter('denied'), 2)
    })
  })

  test('a change of the lists reaches flows that are open', () => {
    const open = service({ forward: 'dr' })
    withPlane([open], (fixture) => {
      fixture.fromClient(buildFrame({ ...packet, flags: 'S' }))
      assert.equal(fixture.fromClient(buildFrame({ ...packet, flags: 'A' })).verdict, 'redirect')
      fixture.plane.apply([{ ...open, deny: ['192.0.2.0/24'] }])
      assert.equal(fixture.fromClient(buildFrame({ ...packet, flags: 'A' })).verdict, 'drop')
      assert.deepEqual(fixture.plane.flows(), [])
      fixture.plane.apply([open])
      assert.equal(fixture.fromClient(buildFrame({ ...packet, flags: 'S' })).verdict, 'redirect')
    })
  })

  test('a client that opens too many flows is limited, others are not, and IPv6 counts by /64', () => {
    const addresses = [VIP, VIP6].map((address) => ({ address, firstPort: 80, lastPort: 80 }))
    withPlane([service({ forward: 'tun', addresses, newFlowsPerSecond: 1, newFlowsBurst: 5 })], (fixture) => {
      const open = (source: string, destination: string, port: number) =>
        fixture.fromClient(buildFrame({ source, destination, sourcePort: port })).verdict
      const verdicts = Array.from({ length: 12 }, (_, index) => open(CLIENT, VIP, 1000 + index))
      assert.ok(verdicts.filter((verdict) => verdict === 'redirect').length <= 7)
      assert.equal(verdicts[0], 'redirect')
      assert.equal(open('192.0.2.8', VIP, 1000), 'redirect')
      const six = Array.from({ length: 12 }, (_, index) => open(`2001:db8::${index + 1}`, VIP6, 1000))
      assert.ok(six.filter((verdict) => verdict === 'drop').length >= 5)
      assert.ok(fixture.counter('rate-limited') >= 10)
    })
  })

  /** A client's handshake by a cookie; gives what the balancer said to it. */
  function shake(fixture: PlaneFixture, source: string, destination: string): { cookie: number } {
    const { verdict, bytes } = fixture.fromClient(buildFrame({ source, destination, flags: 'S', sequence: 100 }))
    const answer = readFrame(bytes)
    assert.equal(verdict, 'tx')
    assert.deepEqual(
      [answer.flags, answer.source, answer.destination, answer.acknowledged, answer.problems],
      ['SA', destination, source, 101, []],
    )
    assert.deepEqual(fixture.plane.flows(), [])
    return { cookie: answer.sequence }
  }

  for (const [forward, source, destination, last] of [
    ['nat', CLIENT, VIP, '10.2.0.11'],
    ['nat', CLIENT6, VIP6, 'fd02::11'],
    ['fullnat', CLIENT, VIP, '10.2.0.11'],
  ] as const) {
    test(`${forward}, SYN cookies over ${source.includes(':') ? 'IPv6' : 'IPv4'}: no state before the client's ACK, then numbers are shifted both ways`, () => {
      const addresses = [{ address: destination, firstPort: 80, lastPort: 80 }]
      const servers = [server('a', 11, { port: 8080, v6: source.includes(':') })]
      withPlane([service({ forward, addresses, servers, localAddresses: ['10.2.0.1'], synCookies: 'always' })], (fixture) => {
        const { cookie } = shake(fixture, source, destination)
        const next = cookie + 1
        const syn = fixture.fromClient(buildFrame({ source, destination, flags: 'A', sequence: 101, acknowledged: next, payload: 10 }))
        const opened = readFrame(syn.bytes)
        assert.equal(syn.verdict, 'redirect')
        assert.deepEqual(
          [opened.flags, opened.sequence, opened.destination, opened.destinationPort, opened.problems],
          ['S', 100, last, 8080, []],
        )
        const own = { source: last, destination: opened.source, sourcePort: 8080, destinationPort: opened.sourcePort }
        assert.equal(opened.source, forward === 'nat' ? source : '10.2.0.1')
        const ended = fixture.fromServer(buildFrame({ ...own, flags: 'SA', sequence: 7000, acknowledged: 101 }))
        const ack = readFrame(ended.bytes)
        assert.equal(ended.verdict, 'tx')
        assert.deepEqual([ack.flags, ack.sequence, ack.acknowledged, ack.destination, ack.problems], ['A', 101, 7001, last, []])
        const data = readFrame(
          fixture.fromClient(buildFrame({ source, destination, flags: 'PA', sequence: 101, acknowledged: next, payload: 10 })).bytes,
        )
        assert.deepEqual([data.sequence, data.acknowledged, data.problems], [101, 7001, []])
        assert.equal(fixture.plane.flows()[0].state, 'established')
        const reply = readFrame(
          fixture.fromServer(buildFrame({ ...own, flags: 'PA', sequence: 7001, acknowledged: 111, payload: 20 })).bytes,
        )
        assert.deepEqual([reply.sequence, reply.source, reply.problems], [next >>> 0, destination, []])
      })
    })
  }

  test('an ACK without a cookie of ours opens nothing', () => {
    withPlane([service({ synCookies: 'always' })], (fixture) => {
      const { verdict, bytes } = fixture.fromClient(buildFrame({ ...packet, flags: 'A', sequence: 101, acknowledged: 4711 }))
      assert.deepEqual([verdict, readFrame(bytes).flags], ['tx', 'R'])
      assert.equal(fixture.counter('cookie-refused'), 1)
      assert.deepEqual(fixture.plane.flows(), [])
    })
  })

  test('cookies are sent when there are more SYNs than configured, not before', () => {
    withPlane([service({ synCookies: 'auto', synCookiesAbove: 3 })], (fixture) => {
      for (let port = 1; port <= 10; port++) fixture.fromClient(buildFrame({ ...packet, sourcePort: port, flags: 'S' }))
      assert.ok(fixture.counter('cookie-sent') >= 4)
      assert.ok(fixture.counter('forwarded') >= 3)
    })
  })
})
