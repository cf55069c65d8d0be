import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { needsRoot } from '../support/needs.ts'
import { Network } from './network.ts'
import { Product } from './product.ts'
import { EVENER } from './web.ts'

const NEEDED = needsRoot('ip', 'ethtool', 'taskset')

function lay(t: TestContext): Network {
  const network = new Network(t)
  for (const name of ['lb', 'far']) network.addSpace(name)
  for (const name of ['e0', 'e1']) network.link('lb', name, 'far', `f${name}`)
  return network
}

function configuration(packet: object, plane: object = { pins: 'none' }): object {
  return {
    workers: 1,
    engine: 'portable',
    admin: 'none',
    packet: plane,
    listeners: { vip: { bind: '10.9.0.100:80', packet: { pool: 'app', forward: 'dr', interfaces: ['e0', 'e1'], ...packet } } },
    pools: { app: { servers: ['10.2.0.11:80'] } },
  }
}

/** `evener run` that ends with one sentence, exit code 1, and no program on an interface. */
async function refusal(network: Network, wanted: object, ...prefix: string[]): Promise<string> {
  const product = Product.spawn(network, 'lb', wanted, ...prefix)
  assert.equal(await product.ended, 1, product.log.join('\n'))
  assert.doesNotMatch(network.run('lb', 'ip', 'link', 'show', 'e0'), /prog\/xdp/)
  assert.equal(network.run('lb', 'sysctl', '-n', 'net.ipv4.conf.e0.forwarding'), '0\n')
  return product.log.join('\n')
}

test('an interface that is not there is named, with those that are', NEEDED, async (t) => {
  const text = await refusal(lay(t), configuration({ interfaces: ['e0', 'e7'] }))
  assert.match(text, /^evener: there is no interface "e7"; there are lo, e0, e1$/)
})

test('missing capabilities are named', NEEDED, async (t) => {
  const text = await refusal(lay(t), configuration({}), 'setpriv', '--bounding-set', '-bpf,-perfmon,-sys_admin,-net_admin')
  assert.match(text, /^evener: the packet plane needs CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN, which this process has not/)
})

test('what is said to be needed is enough', NEEDED, async (t) => {
  const network = lay(t)
  const wanted = { ...configuration({}), admin: { bind: '127.0.0.1:9900' } }
  const product = Product.spawn(network, 'lb', wanted, 'setpriv', '--bounding-set', '-all,+bpf,+net_admin,+perfmon')
  await Promise.race([product.logged('admin on'), product.ended])
  assert.match(network.run('lb', 'ip', 'link', 'show', 'e1'), /prog\/xdp/, product.log.join('\n'))
  assert.equal(await product.stop(), 0)
})

test('another program on an interface is left there, and ours comes on none', NEEDED, async (t) => {
  const network = lay(t)
  const object = join(import.meta.dirname, '../../bpf/dist/realserver.bpf.o')
  network.run('lb', 'ip', 'link', 'set', 'e1', 'xdpdrv', 'obj', object, 'sec', 'xdp')
  assert.match(await refusal(network, configuration({})), /^evener: another XDP program is on interface e1/)
  assert.match(network.run('lb', 'ip', 'link', 'show', 'e1'), /prog\/xdp/)
})

test('an interface without native XDP gets generic XDP and the log says so, unless native is demanded', NEEDED, async (t) => {
  const network = lay(t)
  network.run('lb', 'ip', 'link', 'add', 'br9', 'type', 'bridge')
  network.run('lb', 'ip', 'link', 'set', 'br9', 'up')
  const interfaces = ['e0', 'br9']
  const text = await refusal(network, configuration({ interfaces }, { pins: 'none', mode: 'native' }))
  assert.match(text, /^evener: .*br9.*native/)
  const product = await Product.start(network, 'lb', { ...configuration({ interfaces }), admin: { bind: '127.0.0.1:9900' } })
  assert.match(
    product.log.join('\n'),
    /"level":"warn","message":"br9: generic XDP \(the driver has no native XDP, or none for its MTU; slower\)"/,
  )
  assert.match(product.log.join('\n'), /"level":"info","message":"e0: native XDP"/)
  assert.equal(await product.stop(), 0)
  assert.doesNotMatch(network.run('lb', 'ip', 'link', 'show', 'br9'), /xdp/)
})

test('evener realserver names an interface that is not there, and changes nothing', NEEDED, (t) => {
  const network = lay(t)
  const words = ['realserver', '--vip', '10.9.0.100', '--mode', 'dr', '--interface', 'e7', '--state', join(network.folder, 'state')]
  assert.throws(() => network.run('lb', process.execPath, EVENER, ...words), /there is no interface "e7"; there are lo, e0, e1/)
  assert.equal(network.run('lb', 'sysctl', '-n', 'net.ipv4.conf.all.arp_ignore'), '0\n')
  assert.doesNotMatch(network.run('lb', 'ip', '-o', 'addr', 'show', 'lo'), /10\.9\.0\.100/)
})

test('a folder for pins that is on no BPF file system is told', NEEDED, async (t) => {
  const network = lay(t)
  const pins = join(network.folder, 'not-bpf')
  assert.match(await refusal(network, configuration({}, { pins })), /^evener: .*not-bpf.*BPF file system/)
})

test('IPVS that the kernel has not is told', {
  skip: NEEDED.skip || (existsSync('/proc/net/ip_vs') && 'this kernel has IPVS'),
}, async (t) => {
  const text = await refusal(lay(t), configuration({ engine: 'ipvs', interfaces: [] }))
  assert.match(text, /^evener: engine: ipvs needs the kernel module ip_vs/)
})

test('a reload to an interface that is not there changes nothing', NEEDED, async (t) => {
  const network = lay(t)
  const product = await Product.start(network, 'lb', { ...configuration({}), admin: { bind: '127.0.0.1:9900' } })
  const wrong = { ...configuration({ interfaces: ['e0', 'e7'] }), admin: { bind: '127.0.0.1:9900' } }
  assert.throws(() => product.reload(wrong), /there is no interface "e7"/)
  assert.match(network.run('lb', 'ip', 'link', 'show', 'e1'), /prog\/xdp/)
  assert.equal(await product.stop(), 0)
  assert.doesNotMatch(network.run('lb', 'ip', 'link', 'show', 'e1'), /prog\/xdp/)
})
