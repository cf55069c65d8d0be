import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Forward } from '../../src/packet/index.ts'
import { needsRoot } from '../support/needs.ts'
import { checkAlgorithms, checkDrained, curl, listenersOf } from './algorithms.ts'
import { checkIperf, DNS_PORT, digFromOnePort, IPERF_PORT, startIperf, startKnot, startWrk } from './peers.ts'
import { Product } from './product.ts'
import { layWeb, NAMES, serverAddress } from './web.ts'

const COUNT = Array.from({ length: 8 }, (_, index) => index)
const VIPS = { 4: COUNT.map((index) => `10.9.0.${100 + index}`), 6: COUNT.map((index) => `fd09::${100 + index}`) }
const SOURCES = { 4: COUNT.map((index) => `10.1.0.${20 + index}`), 6: COUNT.map((index) => `fd01::${20 + index}`) }
const FIRST_PORT = { ipip: 8001, gue: 8101 }
const NEEDED = needsRoot('ip', 'ethtool', 'nginx', 'curl', 'wrk', 'iperf3', 'knotd', 'dig')
const CROSS_PORT = 8201
const LOAD_PORT = 8202
const CHECK = { tcp: {}, interval: '100ms', timeout: '300ms', rise: 1, fall: 1 }
const WEIGHTS = [1, 3, 6]
const FAMILIES = [4, 6] as const

for (const forward of ['nat', 'fullnat', 'dr', 'tun'] as const) {
  test(`${forward}: nginx, curl, wrk, iperf3 and dig, and every algorithm`, NEEDED, async (t) => {
    const vips = FAMILIES.flatMap((family) => VIPS[family])
    const network = await layWeb(t, forward, { vips, ports: ['8001-8019', '8101-8119', '8201-8202'] })
    for (const family of FAMILIES)
      network.address('client', 'c0', ...SOURCES[family].map((source) => `${source}/${family === 4 ? 24 : 64}`))
    for (const name of NAMES) {
      startKnot(network, name)
      // It would answer UDP from the server's own address.
      startIperf(network, name, forward === 'dr' || forward === 'tun' ? [VIPS[4][0], VIPS[6][0]] : [])
    }
    const product = await Product.start(network, 'lb', configure(forward))
    for (const kind of kindsOf(forward)) {
      for (const family of FAMILIES) {
        await t.test(`${nameOf(forward, kind)} over IPv${family}: every algorithm gives servers of weights 1:3:6 what it promises`, () =>
          checkAlgorithms(network, FIRST_PORT[kind], VIPS[family], SOURCES[family]),
        )
      }
    }
    await t.test('iperf3: TCP and UDP in both directions', () => {
      for (const family of FAMILIES) {
        for (const way of [[], ['-R']]) {
          checkIperf(network, VIPS[family][0], '-n', '24M', ...way)
          checkIperf(network, VIPS[family][0], '-u', '-b', '20M', '-n', '400K', '-l', '1200', ...way)
        }
      }
    })
    await t.test('iperf3: datagrams in fragments', () => {
      // A fragment with an outer header must still fit.
      if (forward === 'tun') network.run('client', 'ip', 'link', 'set', 'c0', 'mtu', '1400')
      for (const family of FAMILIES) checkIperf(network, VIPS[family][0], '-u', '-b', '20M', '-n', '1M', '-l', '4000')
      if (forward === 'tun') network.run('client', 'ip', 'link', 'set', 'c0', 'mtu', '1500')
    })
    await t.test('dig: with onePacket every question of one port of the client goes to the next DNS server, and each is answered', () => {
      for (const family of FAMILIES) {
        const names = digFromOnePort(network, VIPS[family][0], SOURCES[family][0], 6)
        assert.match(names, /^(?:abcabc|bcabca|cabcab)$/, `IPv${family}`)
      }
      assert.deepEqual(
        product.flows().filter(({ service }) => service.startsWith('dns')),
        [],
      )
    })
    if (forward === 'tun') {
      await t.test('a tunnel over IPv6 carries IPv4, and one over IPv4 carries IPv6', () => {
        for (const family of FAMILIES) {
          const answers = curl(network, new Array(10).fill({ vip: VIPS[family][0], port: CROSS_PORT }))
          assert.deepEqual(
            answers
              .map(({ name }) => name)
              .sort()
              .join(''),
            'abbbcccccc',
          )
        }
      })
    }
    const flowsOf = (name: string) => product.status().servers.find(({ service, server }) => service === 'load' && server === name)?.flows
    await t.test('wrk while a server is drained: nothing fails, it gets nothing new, and what it has goes on', async () => {
      const url = `http://${VIPS[4][0]}:${LOAD_PORT}/`
      const kept = startWrk(network, url, 3, true)
      const closing = startWrk(network, url, 3, false)
      while ((flowsOf('b') ?? 0) < 100);
      product.command('server', 'drain', 'load/b')
      const before = flowsOf('b')
      const [one, other] = [await kept.ended(), await closing.ended()]
      assert.equal(flowsOf('b'), before)
      assert.deepEqual([one.failed, other.failed], [0, 0])
      assert.ok(one.requests > 100 && other.requests > 100, JSON.stringify([one, other]))
      product.command('server', 'ready', 'load/b')
      checkCounts(product)
    })
    await t.test('wrk while a server dies: only what was under way until its check failed is lost', async () => {
      const load = startWrk(network, `http://${VIPS[4][0]}:${LOAD_PORT}/`, 3, false)
      const before = flowsOf('a') ?? 0
      while ((flowsOf('a') ?? 0) < before + 20);
      const told = product.log.length
      network.run('net', 'ip', 'link', 'set', 'na', 'down')
      await product.logged('load/a is down', told)
      const { requests, failed } = await load.ended()
      network.run('net', 'ip', 'link', 'set', 'na', 'up')
      await product.logged('load/a is up', told)
      assert.ok(requests > 100 && failed <= 20, `${failed} of ${requests} failed`)
    })
    await t.test('a server that is drained gets no new connection from any algorithm', () => {
      for (const family of FAMILIES) product.command('server', 'drain', `app${family}/c`)
      for (const kind of kindsOf(forward)) for (const family of FAMILIES) checkDrained(network, FIRST_PORT[kind], VIPS[family][0])
    })
  })
}

/** What is counted for a server is what its flows are, after thousands of them. */
function checkCounts(product: Product): void {
  const flows = product.flows(100_000).filter(({ service }) => service === 'load')
  for (const { service, server, active, inactive } of product.status().servers) {
    if (service !== 'load') continue
    const own = flows.filter((flow) => flow.server === server).map(({ state }) => state)
    const established = own.filter((state) => state === 'established').length
    const young = own.filter((state) => state === 'new').length
    assert.deepEqual([active, inactive], [established, own.length - established - young], server)
  }
}

function kindsOf(forward: Forward): readonly ('ipip' | 'gue')[] {
  return forward === 'tun' ? ['ipip', 'gue'] : ['ipip']
}

function nameOf(forward: Forward, kind: 'ipip' | 'gue'): string {
  return forward === 'tun' ? `tun by ${kind}` : forward
}

/** A listener for each algorithm, family and kind of tunnel, over a pool for each family. */
function configure(forward: Forward): object {
  const at = (host: string) => (host.includes(':') ? `[${host}]:80` : `${host}:80`)
  const pool = (isV6: boolean) => ({
    servers: WEIGHTS.map((weight, index) => ({ name: NAMES[index], address: at(serverAddress(index, isV6)), weight })),
  })
  const listeners = kindsOf(forward).flatMap((kind) =>
    FAMILIES.map((family) => {
      return listenersOf(FIRST_PORT[kind], VIPS[family], `${kind}${family}`, { ...packetOf(forward, family), tunnel: { kind } })
    }),
  )
  const pools = { app4: pool(false), app6: pool(true), load: { ...pool(false), check: CHECK } }
  return {
    workers: 1,
    engine: 'portable',
    packet: { pins: 'none' },
    listeners: Object.assign({}, ...listeners, ...FAMILIES.map((family) => peersOf(forward, family)), loadOf(forward)),
    pools,
  }
}

function packetOf(forward: Forward, family: 4 | 6): object {
  const local = forward === 'fullnat' ? { local: { addresses: [family === 6 ? 'fd02::1' : '10.2.0.1'] } } : {}
  return { pool: `app${family}`, forward, interfaces: ['c1', 's0'], ...local }
}

/** Of iperf3 (whose connections and datagrams must reach one server), of DNS, and of a tunnel over the other family. */
function peersOf(forward: Forward, family: 4 | 6): Record<string, object> {
  const bind = family === 4 ? `${VIPS[4][0]}:0` : `[${VIPS[6][0]}]:0`
  const packet = packetOf(forward, family)
  const two = (port: number) => ({ ports: [port, port + 1000] })
  const cross = { ...packetOf(forward, family === 4 ? 6 : 4), algorithm: 'weighted-round-robin', ...two(CROSS_PORT) }
  return {
    [`iperf${family}`]: { bind, packet: { ...packet, protocol: ['tcp', 'udp'], persistence: {}, ...two(IPERF_PORT) } },
    [`dns${family}`]: { bind, packet: { ...packet, protocol: 'udp', onePacket: true, algorithm: 'round-robin', ...two(DNS_PORT) } },
    ...(forward === 'tun' ? { [`cross${family}`]: { bind, packet: cross } } : {}),
  }
}

function loadOf(forward: Forward): Record<string, object> {
  const packet = { ...packetOf(forward, 4), pool: 'load', algorithm: 'weighted-round-robin', onServerDown: 'reset' }
  return { load: { bind: `${VIPS[4][0]}:0`, packet: { ...packet, ports: [LOAD_PORT, LOAD_PORT + 1000] } } }
}
