import assert from 'node:assert/strict'
import { once } from 'node:events'
import { join } from 'node:path'
import { test } from 'node:test'
import { needsRoot } from '../support/needs.ts'
import { Product } from './product.ts'
import { ask, configuration, layWeb, NAMES, serverAddress, VIP } from './web.ts'

const NEEDED = needsRoot('ip', 'ethtool', 'nginx', 'curl')

test(
  'a server that dies under load costs requests only until its check has failed',
  needsRoot('ip', 'ethtool', 'nginx', 'curl', 'wrk'),
  async (t) => {
    const network = await layWeb(t, 'dr')
    const check = { tcp: {}, interval: '50ms', timeout: '200ms', rise: 1, fall: 1 }
    const product = await Product.start(network, 'lb', configuration('dr', { pool: { check }, packet: { onServerDown: 'reset' } }))
    const load = network.start('client', 'wrk', '-t1', '-c10', '-d3s', '--timeout', '1s', `http://${VIP}/`)
    const text: string[] = []
    load.stdout?.on('data', (chunk) => text.push(String(chunk)))
    while (product.status().servers.some(({ active }) => active === 0));
    network.run('net', 'ip', 'link', 'set', 'nc', 'down')
    await product.logged('app/c is down')
    await once(load, 'exit')
    const [, requests] = /(\d+) requests in/.exec(text.join('')) ?? []
    const failed = [.../(?:read|connect|timeout|write) (\d+)/g[Symbol.matchAll](text.join(''))].reduce(
      (sum, [, count]) => sum + Number(count),
      0,
    )
    assert.ok(Number(requests) > 100 && failed <= 20, text.join(''))
    assert.deepEqual(ask(network, 4), { a: 1, b: 3 })
  },
)

test('two balancers behind ECMP: one is killed, and the other goes on with its flows', NEEDED, async (t) => {
  const network = await layWeb(t, 'tun')
  // A second balancer between the same two networks; the client's router is the client itself.
  network.addSpace('lb2')
  network.addSpace('edge')
  network.run('edge', 'ip', 'link', 'add', 'br0', 'type', 'bridge')
  network.run('edge', 'ip', 'link', 'set', 'br0', 'up')
  for (const [name, device, host, mine] of [
    ['client', 'x0', '10.3.0.2', 'ec'],
    ['lb', 'x0', '10.3.0.11', 'e1'],
    ['lb2', 'x0', '10.3.0.12', 'e2'],
  ]) {
    network.link(name, device, 'edge', mine)
    network.run('edge', 'ip', 'link', 'set', mine, 'master', 'br0')
    network.address(name, device, `${host}/24`)
  }
  network.link('lb2', 's0', 'net', 'lb20')
  network.run('net', 'ip', 'link', 'set', 'lb20', 'master', 'br0')
  network.address('lb2', 's0', '10.2.0.2/24')
  for (const name of NAMES) network.run(name, 'ip', 'route', 'add', '10.3.0.2', 'via', '10.2.0.1')
  const both = ['nexthop', 'via', '10.3.0.11', 'nexthop', 'via', '10.3.0.12']
  network.run('client', 'sysctl', '-qw', 'net.ipv4.fib_multipath_hash_policy=1')
  network.run('client', 'ip', 'route', 'add', `${VIP}/32`, ...both)
  const wanted = configuration('tun', { packet: { interfaces: ['x0', 's0'], algorithm: 'maglev', hash: { seed: 4711 } } })
  const [one, two] = [await Product.start(network, 'lb', wanted), await Product.start(network, 'lb2', wanted)]
  const streams = Array.from({ length: 12 }, () => network.stream('client', VIP, 80))
  const servers = await Promise.all(streams.map((stream) => stream.ask()))
  const shares = [one, two].map((product) => product.flows().filter(({ state }) => state === 'established').length)
  assert.equal(shares[0] + shares[1], 12)
  assert.ok(
    shares.every((share) => share > 0),
    `flows by balancer: ${shares}`,
  )
  await one.kill()
  network.run('client', 'ip', 'route', 'replace', `${VIP}/32`, 'via', '10.3.0.12')
  assert.deepEqual(await Promise.all(streams.map((stream) => stream.ask())), servers)
  assert.equal(two.flows().filter(({ state }) => state !== 'new').length, 12)
})

for (const forward of ['nat', 'dr'] as const) {
  test(
    `${forward}: a flood of SYNs from forged addresses: clients are served meanwhile, and flows stay`,
    needsRoot('ip', 'ethtool', 'nginx', 'curl', 'python3'),
    async (t) => {
      const network = await layWeb(t, forward)
      // With direct routing the servers' own cookies answer, and the flood fills what is kept for first packets alone.
      const guard = forward === 'nat' ? { packet: { synCookies: 'auto', synCookiesAbove: 100 } } : { plane: { newFlows: 1024 } }
      const product = await Product.start(network, 'lb', configuration(forward, guard))
      const client = network.stream('client', VIP, 80)
      const server = await client.ask()
      const mac = network.run('lb', 'cat', '/sys/class/net/c1/address').trim()
      const flood = network.start('client', 'python3', join(import.meta.dirname, 'syn-flood.py'), 'c0', mac, VIP, '80')
      const flooded = () => {
        const { counters } = product.status()
        return forward === 'nat' ? counters['cookie-sent'] > 1000 : counters.forwarded > 5000
      }
      while (!flooded());
      const shares = ask(network, 20)
      assert.equal(await client.ask(), server)
      flood.kill('SIGKILL')
      assert.equal(shares.x, undefined, JSON.stringify(shares))
      assert.equal(product.flows().filter(({ state }) => state === 'established').length, 1)
      const { counters } = product.status()
      if (forward === 'nat') assert.ok(counters['cookie-accepted'] >= 1, JSON.stringify(counters))
      assert.deepEqual([counters['table-full'], counters['no-server']], [0, 0])
    },
  )
}

test('evener realserver shows what it changes, undoes it in the end, and after a crash with --undo', NEEDED, async (t) => {
  const { Network } = await import('./network.ts')
  const network = new Network(t)
  for (const name of ['server', 'far']) network.addSpace(name)
  network.link('server', 'e0', 'far', 'f0')
  const state = () => [
    network.run('server', 'sysctl', '-n', 'net.ipv4.conf.all.arp_ignore', 'net.ipv4.conf.e0.arp_announce'),
    network.run('server', 'ip', '-o', 'addr', 'show', 'lo').includes(VIP),
    network.run('server', 'ip', 'link', 'show', 'e0').includes('prog/xdp'),
  ]
  const before = state()
  assert.deepEqual(before, ['0\n0\n', false, false])
  const words = ['realserver', '--vip', VIP, '--mode', 'tun', '--interface', 'e0', '--state', join(network.folder, 'state')]
  const { EVENER } = await import('./web.ts')
  const run = async () => {
    const child = network.start('server', process.execPath, EVENER, ...words)
    const lines: string[] = []
    await new Promise<void>((resolve) => {
      child.stdout?.on('data', (chunk) => {
        lines.push(String(chunk))
        if (lines.join('').includes('all of it is undone')) resolve()
      })
    })
    return { child, lines }
  }
  const { child, lines } = await run()
  assert.deepEqual(state(), ['1\n2\n', true, true])
  assert.match(lines.join(''), /net\.ipv4\.conf\.all\.arp_ignore = 1 \(was 0\)\n/)
  assert.match(lines.join(''), /lo: 10\.9\.0\.100 added\ne0: tunnels end here \(native XDP\)\n/)
  child.kill('SIGTERM')
  await once(child, 'exit')
  assert.deepEqual(state(), before)
  const second = await run()
  second.child.kill('SIGKILL')
  await once(second.child, 'exit')
  assert.deepEqual(state(), ['1\n2\n', true, false])
  assert.match(network.run('server', process.execPath, EVENER, ...words, '--undo'), /undone: lo: 10\.9\.0\.100 added/)
  assert.deepEqual(state(), before)
  assert.equal(serverAddress(0), '10.2.0.11')
})
