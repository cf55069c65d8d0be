import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { needsRoot } from '../support/needs.ts'
import type { Network } from './network.ts'
import { Product } from './product.ts'
import { ask, configuration, layWeb, NAMES, VIP, VIP6 } from './web.ts'

const NEEDED = needsRoot('ip', 'ethtool', 'nginx', 'curl')
const NARROW_MTU = 1300
const BIG = 1 << 20

/** Puts a router between the client and the balancer, whose link to the client is narrower than both ends know. */
function layRouter(network: Network): void {
  network.addSpace('router')
  network.link('client', 'x0', 'router', 'x1')
  network.link('router', 'y0', 'lb', 'y1')
  network.run('router', 'sysctl', '-qw', 'net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1')
  network.address('client', 'x0', '10.4.0.2/24', 'fd04::2/64')
  network.address('router', 'x1', '10.4.0.1/24', 'fd04::1/64')
  network.address('router', 'y0', '10.5.0.2/24', 'fd05::2/64')
  network.address('lb', 'y1', '10.5.0.1/24', 'fd05::1/64')
  for (const [space, device] of [
    ['client', 'x0'],
    ['router', 'x1'],
  ]) {
    network.run(space, 'ip', 'link', 'set', device, 'mtu', String(NARROW_MTU))
  }
  for (const [net, via, home] of [
    [`${VIP}/32`, '10.4.0.1', '10.5.0.1'],
    [`${VIP6}/128`, 'fd04::1', 'fd05::1'],
  ]) {
    // What the client says it can take is more than the link can.
    network.run('client', 'ip', 'route', 'add', net, 'via', via, 'advmss', '1420')
    network.run('router', 'ip', 'route', 'add', net, 'via', home)
  }
  network.run('lb', 'ip', 'route', 'add', '10.4.0.0/24', 'via', '10.5.0.2')
  network.run('lb', 'ip', 'route', 'add', 'fd04::/64', 'via', 'fd05::2')
}

for (const forward of ['nat', 'fullnat', 'dr', 'tun'] as const) {
  test(`${forward}: a router's "too big" about an answer reaches the server that sent it, and the answer arrives`, NEEDED, async (t) => {
    const network = await layWeb(t, forward)
    layRouter(network)
    writeFileSync(join(network.folder, 'big'), Buffer.alloc(BIG, 'evener'))
    const [four, six] = [false, true].map((isV6) => configuration(forward, { isV6, packet: { interfaces: ['y1', 's0'] } }))
    const product = await Product.start(network, 'lb', joined(four, six))
    for (const host of [VIP, `[${VIP6}]`]) {
      const words = ['-gs', '--max-time', '10', '-o', '/dev/null', '-w', '%{size_download}', `http://${host}/big`]
      assert.equal(network.run('client', 'curl', ...words), String(BIG), host)
    }
    const { counters } = product.status()
    assert.ok((forward === 'dr' || forward === 'tun' ? counters.forwarded : counters['icmp-forwarded']) >= 2, JSON.stringify(counters))
    // The server knows now how wide the way is; with fullnat the balancer is who it answers.
    const client = forward === 'fullnat' ? '10.2.0.1' : '10.4.0.2'
    const learnt = NAMES.filter((name) => network.run(name, 'ip', 'route', 'get', client).includes(`mtu ${NARROW_MTU}`))
    assert.equal(learnt.length, 1)
  })
}

/** Two configurations of one listener each as one. */
function joined(...all: object[]): object {
  const parts = all as { listeners: Record<string, { packet: object }>; pools: Record<string, object> }[]
  const listeners = parts.map(({ listeners: { vip } }, index) => [
    `vip${index}`,
    { ...vip, packet: { ...vip.packet, pool: `app${index}` } },
  ])
  const pools = parts.map(({ pools: { app } }, index) => [`app${index}`, app])
  return { ...all[0], listeners: Object.fromEntries(listeners), pools: Object.fromEntries(pools) }
}

test('every port of an address, and a client that may not come or comes too often', NEEDED, async (t) => {
  const network = await layWeb(t, 'nat')
  const plain = configuration('nat', { packet: { access: { deny: ['10.1.0.64/26'], allow: ['10.1.0.0/24'] } } }) as {
    listeners: { vip: { bind: string; packet: object } }
  }
  const { vip } = plain.listeners
  const limited = { ...vip, bind: '10.9.0.101:80', packet: { ...vip.packet, limits: { newFlowsPerSecond: 1, burst: 3 } } }
  const product = await Product.start(network, 'lb', { ...plain, listeners: { vip: { ...vip, bind: `${VIP}:0` }, limited } })
  assert.deepEqual(ask(network, 10), { a: 1, b: 3, c: 6 })
  assert.deepEqual(ask(network, 10, VIP, 8080), { a: 1, b: 3, c: 6 })
  const { x = 0, ...served } = ask(network, 6, '10.9.0.101')
  assert.ok(x > 0 && Object.values(served).reduce((sum, each) => sum + each, 0) >= 3, JSON.stringify({ x, served }))
  network.address('client', 'c0', '10.1.0.77/24')
  network.run('client', 'ip', 'route', 'replace', 'default', 'via', '10.1.0.1', 'src', '10.1.0.77')
  assert.deepEqual(ask(network, 1), { x: 1 })
  const { counters } = product.status()
  assert.ok(counters.denied > 0 && counters['rate-limited'] > 0, JSON.stringify(counters))
})
