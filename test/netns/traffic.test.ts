import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { needsRoot } from '../support/needs.ts'
import { Product } from './product.ts'
import { ask, configuration, layWeb, NAMES, VIP, VIP6 } from './web.ts'

const NEEDED = needsRoot('ip', 'ethtool', 'nginx', 'curl')

test('tun: a client that sends packets too big for the tunnel learns its MTU by ICMP, and its upload arrives whole', NEEDED, async (t) => {
  const network = await layWeb(t, 'tun')
  const product = await Product.start(network, 'lb', configuration('tun'))
  writeFileSync(join(network.folder, 'upload'), Buffer.alloc(1 << 20, 'evener'))
  // Without segmentation offload, so that the client's packets have the size of its MTU.
  network.run('client', 'ethtool', '-K', 'c0', 'tso', 'off', 'gso', 'off')
  const upload = [
    'curl',
    '-s',
    '--max-time',
    '10',
    '-o',
    '/dev/null',
    '-w',
    '%{http_code} %{size_upload}',
    '-T',
    `${network.folder}/upload`,
  ]
  assert.equal(network.run('client', ...upload, `http://${VIP}/upload`), '200 1048576')
  assert.match(network.run('client', 'ip', 'route', 'get', VIP), /mtu 1480/)
  assert.ok(product.status().counters['too-big-sent'] > 0)
})

for (const forward of ['nat', 'tun'] as const) {
  test(`${forward} in generic XDP: the log warns, and everything works`, NEEDED, async (t) => {
    const network = await layWeb(t, forward)
    const product = await Product.start(network, 'lb', configuration(forward, { plane: { mode: 'generic' } }))
    assert.match(product.log.join('\n'), /"level":"warn","message":"c1: generic XDP/)
    assert.match(network.run('lb', 'ip', 'link', 'show', 'c1'), /xdpgeneric/)
    assert.deepEqual(ask(network, 10), { a: 1, b: 3, c: 6 })
  })
}

test('jumbo frames are forwarded, by generic XDP where native XDP does not take them', NEEDED, async (t) => {
  const network = await layWeb(t, 'nat')
  network.run('client', 'ip', 'link', 'set', 'c0', 'xdpdrv', 'off')
  network.run('net', 'ip', 'link', 'set', 'lb0', 'xdpdrv', 'off')
  const wide: [space: string, device: string][] = [
    ['client', 'c0'],
    ['lb', 'c1'],
    ['lb', 's0'],
    ['net', 'lb0'],
    ...NAMES.flatMap((name): [string, string][] => [
      [name, 'e0'],
      ['net', `n${name}`],
    ]),
  ]
  for (const [space, device] of wide) network.run(space, 'ip', 'link', 'set', device, 'mtu', '9000')
  const product = await Product.start(network, 'lb', configuration('nat'))
  assert.match(product.log.join('\n'), /c1: generic XDP \(.*MTU/)
  writeFileSync(join(network.folder, 'big'), Buffer.alloc(1 << 20, 'evener'))
  const words = ['-s', '--max-time', '10', '-o', '/dev/null', '-w', '%{size_download}', `http://${VIP}/big`]
  assert.equal(network.run('client', 'curl', ...words), String(1 << 20))
  // Of 1500 bytes it would have been 700.
  assert.ok(product.status().counters.replied < 300, JSON.stringify(product.status().counters))
})

test('a mirrored listener sends a copy of every packet to servers out of another interface, and clients are served', NEEDED, async (t) => {
  const network = await layWeb(t, 'nat')
  network.addSpace('watch')
  network.link('lb', 'm0', 'watch', 'm1')
  const seen = () => Number(network.run('watch', 'cat', '/sys/class/net/m1/statistics/rx_packets'))
  const product = await Product.start(network, 'lb', configuration('nat', { packet: { mirror: { interface: 'm0' } } }))
  const before = seen()
  assert.deepEqual(ask(network, 10), { a: 1, b: 3, c: 6 })
  const { counters } = product.status()
  assert.deepEqual(counters.mirrored, counters.forwarded)
  assert.ok(counters.mirrored >= 50 && seen() - before >= counters.mirrored, `${counters.mirrored} mirrored, ${seen() - before} seen`)
})

test('a share of packets is mirrored, as configured', NEEDED, async (t) => {
  const network = await layWeb(t, 'dr')
  network.addSpace('watch')
  network.link('lb', 'm0', 'watch', 'm1')
  const product = await Product.start(network, 'lb', configuration('dr', { packet: { mirror: { interface: 'm0', share: 25 } } }))
  assert.deepEqual(ask(network, 100), { a: 10, b: 30, c: 60 })
  const { forwarded, mirrored } = product.status().counters
  // Of 500 packets 125, by chance: 5 standard deviations are 48.
  assert.ok(forwarded >= 500 && Math.abs(mirrored - forwarded / 4) < 5 * Math.sqrt(forwarded * 0.1875), `${mirrored} of ${forwarded}`)
})

test('persistence keeps a client on its server, over both addresses of the listener', NEEDED, async (t) => {
  const network = await layWeb(t, 'nat')
  const packet = { pool: 'app', forward: 'nat', interfaces: ['c1', 's0'], persistence: { timeout: '1m', prefix4: 24 } }
  const listeners = { vip: { bind: [`${VIP}:80`, '10.9.0.101:80'], packet } }
  await Product.start(network, 'lb', { ...configuration('nat'), listeners })
  const [first] = Object.keys(ask(network, 5))
  network.address('client', 'c0', '10.1.0.77/24')
  network.run('client', 'ip', 'route', 'replace', 'default', 'via', '10.1.0.1', 'src', '10.1.0.77')
  assert.deepEqual(ask(network, 5, '10.9.0.101'), { [first]: 5 })
})

test('a range of ports reaches the servers unchanged', NEEDED, async (t) => {
  const network = await layWeb(t, 'nat')
  const packet = { pool: 'app', forward: 'nat', interfaces: ['c1', 's0'], ports: [80, '8000-8100'] }
  await Product.start(network, 'lb', { ...configuration('nat'), listeners: { vip: { bind: `${VIP}:0`, packet } } })
  assert.deepEqual(ask(network, 10), { a: 1, b: 3, c: 6 })
  assert.deepEqual(ask(network, 10, VIP, 8080), { a: 1, b: 3, c: 6 })
  assert.deepEqual(ask(network, 1, VIP, 79), { x: 1 })
})

for (const [forward, tunnel, isV6] of [
  ['dr', 'ipip', false],
  ['tun', 'ipip', false],
  ['tun', 'gue', false],
  ['tun', 'gue', true],
] as const) {
  test(
    `${forward}${tunnel === 'gue' ? ' by GUE' : ''} over IPv${isV6 ? 6 : 4}: checks that take the way of packets see what a straight one does not, a server without the VIP`,
    NEEDED,
    async (t) => {
      const network = await layWeb(t, forward)
      const [vip, address] = isV6 ? [VIP6, `${VIP6}/128`] : [VIP, `${VIP}/32`]
      network.run('lb', 'ip', 'route', 'add', 'default', 'via', isV6 ? 'fd01::2' : '10.1.0.2')
      // What answers on the VIP only shows that a check came by it: a straight check would find port 80 of every address open.
      network.run('b', 'ip', 'addr', 'del', address, 'dev', 'lo')
      const check = { http: {}, interval: '100ms', timeout: '2s', rise: 1, fall: 2 }
      const wanted = configuration(forward, { isV6, packet: { checks: 'forwarded', tunnel: { kind: tunnel } }, pool: { check } })
      const product = await Product.start(network, 'lb', wanted)
      await product.logged('app/b is down')
      assert.deepEqual(ask(network, 7, vip), { a: 1, c: 6 })
      network.run('b', 'ip', 'addr', 'add', address, 'dev', 'lo')
      await product.logged('app/b is up')
    },
  )
}
