import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { needsRoot } from '../support/needs.ts'
import { digFromOnePort, startKnot } from './peers.ts'
import { Product } from './product.ts'
import { ask, configuration, layWeb, NAMES, serverAddress, VIP, VIP6 } from './web.ts'

const NEEDED = needsRoot('ip', 'ethtool', 'nginx', 'curl', 'knotd', 'dig')

for (const forward of ['nat', 'fullnat', 'dr', 'tun'] as const) {
  for (const isV6 of [false, true]) {
    test(
      `evener run, ${forward} over IPv${isV6 ? 6 : 4}: nginx answers curl, 10, 30 and 60 of 100 for weights 1:3:6`,
      NEEDED,
      async (t) => {
        const network = await layWeb(t, forward)
        const product = await Product.start(network, 'lb', configuration(forward, { isV6 }))
        const host = isV6 ? VIP6 : VIP
        assert.deepEqual(ask(network, 100, host), { a: 10, b: 30, c: 60 })
        assert.deepEqual(
          product.status().servers.map(({ server, flows }) => [server, flows]),
          [
            ['a', 10],
            ['b', 30],
            ['c', 60],
          ],
        )
        writeFileSync(join(network.folder, 'big'), Buffer.alloc(1 << 20, 'evener'))
        const url = `http://${isV6 ? `[${host}]` : host}/big`
        const size = network.run('client', 'curl', '-gs', '--max-time', '10', '-o', '/dev/null', '-w', '%{size_download}', url)
        assert.equal(size, String(1 << 20))
        assert.equal(await product.stop(), 0)
      },
    )
  }
}

test('evener packet status, flows, stats and the metrics tell of the same flow; explain of the listener', NEEDED, async (t) => {
  const network = await layWeb(t, 'nat')
  const product = await Product.start(network, 'lb', configuration('nat', { port: 8080 }))
  assert.deepEqual(ask(network, 1), { c: 1 })
  assert.match(product.command('packet', 'status'), /c1 +native\n(?:.*\n)*vip +c +0 +1 +0 +1 /)
  assert.match(product.command('packet', 'flows'), /tcp +10\.1\.0\.2:\d+ +10\.9\.0\.100:80 +vip +c +time-wait/)
  assert.match(product.command('packet', 'stats'), /replied +\d/)
  const metrics = network.run('lb', 'curl', '-s', 'http://127.0.0.1:9900/metrics')
  assert.match(metrics, /evener_packet_server_flows_total\{listener="vip",server="c"\} 1\n/)
  assert.match(metrics, /evener_packet_interface\{interface="s0",mode="native"\} 1\n/)
  assert.match(product.command('status'), /vip +10\.9\.0\.100:80/)
})

test('a server that is drained gets no new flows, one that fails its check none at all, and both come back', NEEDED, async (t) => {
  const network = await layWeb(t, 'dr')
  const check = { tcp: {}, interval: '100ms', timeout: '1s', rise: 1, fall: 1 }
  const product = await Product.start(network, 'lb', configuration('dr', { pool: { check } }))
  product.command('server', 'drain', 'app/c')
  assert.deepEqual(ask(network, 8), { a: 2, b: 6 })
  network.run('net', 'ip', 'link', 'set', 'nb', 'down')
  await product.logged('app/b is down')
  assert.deepEqual(ask(network, 4), { a: 4 })
  const told = product.log.length
  network.run('net', 'ip', 'link', 'set', 'nb', 'up')
  await product.logged('app/b is up', told)
  product.command('server', 'ready', 'app/c')
  product.command('server', 'weight', 'app/a', '0')
  const shares = ask(network, 9)
  assert.deepEqual([shares.b, shares.c], [3, 6])
})

test('a later priority takes what the first is too full for, takes over when it is gone, and gives it back', NEEDED, async (t) => {
  const network = await layWeb(t, 'nat')
  const servers = NAMES.map((name, index) => ({ name, address: `${serverAddress(index)}:80`, priority: index }))
  const product = await Product.start(network, 'lb', configuration('nat', { pool: { servers }, packet: { limits: { flows: 3 } } }))
  assert.deepEqual(ask(network, 4), { a: 3, b: 1 })
  product.command('server', 'maintenance', 'app/a')
  assert.deepEqual(ask(network, 3), { b: 2, c: 1 })
  product.command('server', 'maintenance', 'app/b')
  assert.deepEqual(ask(network, 3), { c: 2, x: 1 })
})

test('a server that begins slowly gets a small share of its weight at first', NEEDED, async (t) => {
  const network = await layWeb(t, 'dr')
  const servers = NAMES.slice(0, 2).map((name, index) => ({ name, address: `${serverAddress(index)}:80` }))
  const check = { tcp: {}, interval: '100ms', timeout: '1s', rise: 1, fall: 1 }
  const product = await Product.start(network, 'lb', configuration('dr', { pool: { servers, check, slowStart: '10m' } }))
  await Promise.all(NAMES.slice(0, 2).map((name) => product.logged(`app/${name} is up`)))
  assert.deepEqual(ask(network, 20), { a: 10, b: 10 })
  network.run('net', 'ip', 'link', 'set', 'nb', 'down')
  await product.logged('app/b is down')
  const told = product.log.length
  network.run('net', 'ip', 'link', 'set', 'nb', 'up')
  await product.logged('app/b', told)
  const { a, b } = ask(network, 42)
  assert.ok(a >= 39 && b >= 1, `${a} and ${b}`)
})

test('a reload changes servers and addresses and loses no flow', NEEDED, async (t) => {
  const network = await layWeb(t, 'nat')
  const product = await Product.start(network, 'lb', configuration('nat'))
  const client = await network.stream('client', VIP, 80)
  await client.ask()
  const before = product.flows()
  const pools = {
    app: {
      servers: [
        { name: 'c', address: '10.2.0.13:80' },
        { name: 'n', address: '10.2.0.11:8080' },
      ],
    },
  }
  const listeners = { vip: { bind: [`${VIP}:80`, '10.9.0.101:80'], packet: { pool: 'app', forward: 'nat', interfaces: ['c1', 's0'] } } }
  assert.match(product.reload({ ...configuration('nat'), listeners, pools }), /generation 2/)
  assert.equal(await client.ask(), before[0].server)
  assert.deepEqual(ask(network, 4, '10.9.0.101'), { a: 2, c: 2 })
})

test(
  'killed and started again, or stopped and started again: the kernel goes on forwarding, flows stay; detach ends it',
  NEEDED,
  async (t) => {
    const network = await layWeb(t, 'nat')
    const pins = network.mountPins()
    const pinned = configuration('nat', { plane: { pins, atExit: 'keep' } })
    const forwarding = () => network.run('lb', 'sysctl', '-n', 'net.ipv4.conf.c1.forwarding', 'net.ipv6.conf.s0.forwarding')
    network.run('lb', 'sysctl', '-qw', 'net.ipv4.conf.c1.forwarding=0', 'net.ipv6.conf.s0.forwarding=0')
    const first = await Product.start(network, 'lb', pinned)
    const client = await network.stream('client', VIP, 80)
    const server = await client.ask()
    assert.equal(forwarding(), '1\n1\n')
    await first.kill()
    assert.equal(await client.ask(), server)
    assert.deepEqual(ask(network, 9), { a: 1, b: 3, c: 5 })
    const second = await Product.start(network, 'lb', pinned)
    assert.equal(await client.ask(), server)
    assert.ok(second.flows().some(({ state, server: name }) => state === 'established' && name === server))
    const third = Product.spawn(network, 'lb', { ...pinned, admin: 'none' })
    assert.equal(await third.ended, 1)
    assert.match(third.log.join('\n'), /a running Evener has the packet plane/)
    assert.throws(() => second.command('packet', 'detach', '--pins', pins), /a running Evener has the packet plane/)
    assert.equal(await second.stop(), 0)
    assert.equal(await client.ask(), server)
    assert.match(
      second.command('packet', 'detach', '--pins', pins),
      /c1: the program is off\ns0: the program is off\nnet\.ipv4\.conf\.c1\.forwarding = 0 again\n/,
    )
    assert.deepEqual(ask(network, 1), { x: 1 })
    assert.equal(forwarding(), '0\n0\n')
  },
)

for (const forward of ['fullnat', 'dr', 'tun'] as const) {
  test(`${forward}: a flow goes on over a crash and the start after it`, NEEDED, async (t) => {
    const network = await layWeb(t, forward)
    const pinned = configuration(forward, { plane: { pins: network.mountPins(), atExit: 'keep' } })
    const first = await Product.start(network, 'lb', pinned)
    const client = network.stream('client', VIP, 80)
    const server = await client.ask()
    await first.kill()
    assert.equal(await client.ask(), server)
    const second = await Product.start(network, 'lb', pinned)
    assert.equal(await client.ask(), server)
    assert.deepEqual(
      second
        .flows()
        .filter(({ state }) => state === 'established')
        .map(({ server: name }) => name),
      [server],
    )
    assert.deepEqual(ask(network, 10), { a: 1, b: 3, c: 6 })
  })
}

test('onServerDown: reset tells a client at once that its server is gone, reschedule sends its datagrams to another', NEEDED, async (t) => {
  const network = await layWeb(t, 'dr')
  const product = await Product.start(network, 'lb', configuration('dr', { packet: { onServerDown: 'reset' } }))
  const client = network.stream('client', VIP, 80)
  const server = await client.ask()
  product.command('server', 'maintenance', `app/${server}`)
  assert.equal(await client.ask(), 'gone')
  assert.ok(product.status().counters['reset-sent'] >= 1)
  product.command('server', 'ready', `app/${server}`)
  const { packet, bind } = { packet: { pool: 'app', forward: 'dr', interfaces: ['c1', 's0'], protocol: 'udp' }, bind: `${VIP}:53` }
  const pools = { app: { servers: NAMES.map((name, index) => ({ name, address: `${serverAddress(index)}:53` })) } }
  product.reload({ ...configuration('dr'), listeners: { vip: { bind, packet } }, pools })
  for (const name of NAMES) startKnot(network, name)
  const [known] = digFromOnePort(network, VIP, '10.1.0.2', 3)
  assert.equal(digFromOnePort(network, VIP, '10.1.0.2', 2), `${known}${known}`)
  product.command('server', 'maintenance', `app/${known}`)
  const [other] = digFromOnePort(network, VIP, '10.1.0.2', 1)
  assert.ok(other !== known && NAMES.includes(other), other)
  assert.ok(product.status().counters['server-gone'] >= 1)
})

test('with atExit: remove a stop takes no new flows, waits for the open ones to end, and leaves no program', NEEDED, async (t) => {
  const network = await layWeb(t, 'nat')
  const product = await Product.start(network, 'lb', configuration('nat'))
  const client = network.stream('client', VIP, 80)
  const server = await client.ask()
  const stopped = product.stop()
  await product.logged('draining')
  assert.deepEqual(ask(network, 1), { x: 1 })
  assert.equal(await client.ask(), server)
  client.end()
  assert.equal(await stopped, 0)
  assert.doesNotMatch(network.run('lb', 'ip', 'link', 'show', 'c1'), /prog\/xdp/)
})
