import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type TestContext, test } from 'node:test'
import { type Forward, type PacketServer, type PacketService, SERVICE_DEFAULTS } from '../../src/packet/index.ts'
import { needsRoot } from '../support/needs.ts'
import { Balancer, Network } from './network.ts'

const VIP = '10.9.0.100'
const NAMES = ['a', 'b', 'c']

export function servers(over: Partial<PacketServer> = {}, count = 3): PacketServer[] {
  return NAMES.slice(0, count).map((name, index) => ({
    name,
    address: `10.2.0.${11 + index}`,
    port: 0,
    weight: [1, 3, 6][index],
    isDown: false,
    isDraining: false,
    upper: 0,
    lower: 0,
    ...over,
  }))
}

export function web(over: Partial<PacketService>): PacketService {
  return { ...SERVICE_DEFAULTS, name: 'web', addresses: [{ address: VIP, firstPort: 80, lastPort: 80 }], servers: servers(), ...over }
}

/** The client, one balancer, three nginx servers that answer with their names. DR and TUN servers answer the client past the balancer. */
async function lay(t: TestContext, forward: Forward): Promise<Network> {
  const network = new Network(t)
  for (const name of ['client', 'lb', 'net', ...NAMES]) network.addSpace(name)
  network.run('net', 'ip', 'link', 'add', 'br0', 'type', 'bridge')
  network.run('net', 'ip', 'link', 'set', 'br0', 'up')
  network.link('client', 'c0', 'lb', 'c1')
  network.address('client', 'c0', '10.1.0.2/24')
  network.address('lb', 'c1', '10.1.0.1/24')
  network.link('lb', 's0', 'net', 'lb0')
  network.address('lb', 's0', '10.2.0.1/24')
  network.run('net', 'ip', 'link', 'set', 'lb0', 'master', 'br0')
  network.run('client', 'ip', 'route', 'add', 'default', 'via', '10.1.0.1')
  // What the servers send directly is routed back by the balancer's own stack, as a router beside it would.
  network.run('lb', 'sysctl', '-qw', 'net.ipv4.ip_forward=1', 'net.ipv4.conf.all.rp_filter=0', 'net.ipv4.conf.s0.rp_filter=0')
  for (const [index, name] of NAMES.entries()) {
    network.link(name, 'e0', 'net', `n${name}`)
    network.run('net', 'ip', 'link', 'set', `n${name}`, 'master', 'br0')
    network.address(name, 'e0', `10.2.0.${11 + index}/24`)
    if (forward !== 'fullnat') network.run(name, 'ip', 'route', 'add', 'default', 'via', '10.2.0.1')
    await serve(network, name, forward)
  }
  return network
}

async function serve(network: Network, name: string, forward: Forward): Promise<void> {
  if (forward === 'dr' || forward === 'tun') {
    const options = JSON.stringify({ vips: [VIP], mode: forward, interfaceName: 'e0' })
    const child = network.start(name, process.execPath, join(import.meta.dirname, 'realserver-process.ts'), options)
    assert.ok(child.stdout)
    await once(createInterface({ input: child.stdout }), 'line')
  }
  const file = join(network.folder, `${name}.conf`)
  writeFileSync(
    file,
    `daemon off; master_process off; user root; pid ${network.folder}/${name}.pid; error_log /dev/null; events {}
     http { access_log off; server { listen 80; location / { return 200 "${name}"; } location /big { root ${network.folder}; } } }`,
  )
  network.start(name, 'nginx', '-c', file, '-p', network.folder)
  network.run(name, 'sh', '-c', 'until curl -so /dev/null http://127.0.0.1/; do :; done')
}

function ask(network: Network, count: number): Record<string, number> {
  const script = `for i in $(seq ${count}); do curl -s --max-time 1 http://${VIP}/ || printf x; done`
  const shares: Record<string, number> = {}
  for (const name of network.run('client', 'sh', '-c', script)) shares[name] = (shares[name] ?? 0) + 1
  return shares
}

const options = { interfaces: ['c1', 's0'] }
const localAddresses = ['10.2.0.1']

for (const forward of ['nat', 'fullnat', 'dr', 'tun'] as const) {
  test(
    `${forward}: curl gets answers from real servers, 10, 30 and 60 of 100 for weights 1:3:6`,
    needsRoot('ip', 'ethtool', 'nginx', 'curl'),
    async (t) => {
      const network = await lay(t, forward)
      const balancer = await Balancer.start(network, 'lb', options, [web({ forward, localAddresses, algorithm: 'weighted-round-robin' })])
      assert.deepEqual(ask(network, 100), { a: 10, b: 30, c: 60 })
      await balancer.close()
    },
  )

  test(`${forward}: a body of a megabyte arrives whole`, needsRoot('ip', 'ethtool', 'nginx', 'curl'), async (t) => {
    const network = await lay(t, forward)
    writeFileSync(join(network.folder, 'big'), Buffer.alloc(1 << 20, 'evener'))
    const balancer = await Balancer.start(network, 'lb', options, [web({ forward, localAddresses })])
    const size = network.run('client', 'curl', '-s', '--max-time', '10', '-o', '/dev/null', '-w', '%{size_download}', `http://${VIP}/big`)
    assert.equal(size, String(1 << 20))
    await balancer.close()
  })
}
