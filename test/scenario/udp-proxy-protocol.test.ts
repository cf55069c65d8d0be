/** The PROXY protocol over UDP: a header of version 2 in each datagram. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { type TestContext, test } from 'node:test'
import { promisify } from 'node:util'
import { ClientAddress } from '../../src/core/index.ts'
import { ProxyHeader, parseProxyHeader, writeProxyHeader } from '../../src/proxy/proxy-protocol/index.ts'
import { ask, named, type Peer, peer } from '../support/datagrams.ts'
import { type Evener, evener } from '../support/evener.ts'
import { needs, program } from '../support/needs.ts'
import { knot } from '../support/services.ts'

const run = promisify(execFile)

const LOG = { accessLog: { path: 'stdout', format: 'line {client} {server} {bytesIn} {termination}' } }
const NO_TLVS = {
  authority: new Uint8Array(0),
  alpn: new Uint8Array(0),
  uniqueId: new Uint8Array(0),
  ssl: new Uint8Array(0),
  hasChecksum: true,
}

/** A datagram of a client, as a balancer in front passes it on. */
function introduced(host: number, port: number, text: string, isDatagram = true): Buffer {
  const [source, destination] = [new ClientAddress(), new ClientAddress()]
  source.setIPv4(0xcb007100 | host)
  destination.setIPv4(0xc6336401)
  const memory = Buffer.alloc(4096)
  const end = writeProxyHeader(memory, 0, { source, sourcePort: port, destination, destinationPort: 53 }, NO_TLVS, isDatagram)
  return Buffer.concat([memory.subarray(0, end), Buffer.from(text)])
}

/** Splits a datagram into what its header says and what stands behind it. */
function read(datagram: string): [header: ProxyHeader, rest: string] {
  const bytes = Buffer.from(datagram, 'latin1')
  const header = new ProxyHeader()
  const end = parseProxyHeader(bytes, 0, bytes.length, header, true)
  assert.ok(end > 0, datagram)
  return [header, bytes.toString('latin1', end)]
}

async function start(t: TestContext, servers: readonly Peer[], { accept, udp, pool }: { accept?: object; udp?: object; pool?: object }) {
  const names = ['a', 'b', 'c', 'd']
  const balancer = await evener(t, {
    ...LOG,
    workers: 1,
    listeners: { relay: { bind: '127.0.0.1:0', acceptProxyProtocol: accept, udp: { pool: 'servers', ...udp } } },
    pools: { servers: { servers: servers.map(({ address }, index) => ({ name: names[index], address })), ...pool } },
  })
  return { balancer, port: await balancer.port('relay') }
}

async function dropped(balancer: Evener, reason: string, count: number): Promise<void> {
  const line = `evener_udp_dropped_datagrams_total{listener="relay",reason="${reason}"} ${count}\n`
  while (!(await balancer.call('GET', '/metrics')).text.includes(line));
}

test('servers are told who each datagram is from, by the listener or by the pool, and answer as ever', async (t) => {
  for (const options of [
    { udp: { proxyProtocol: { version: 'v2', tlvs: ['checksum', 'unique-id'] } } },
    { pool: { proxyProtocol: 'v2' } },
  ]) {
    const server = await peer(t)
    const { port } = await start(t, [server], options)
    server.socket.on('message', (bytes, from) => server.socket.send(`got ${read(bytes.toString('latin1'))[1]}`, from.port, from.address))
    const client = await peer(t)
    const own = client.socket.address().port
    for (const text of ['one', '', 'x'.repeat(20_000)]) assert.equal(await ask(client, port, text), `got ${text}`)
    for (const datagram of server.got) {
      const [header] = read(datagram)
      assert.deepEqual([header.source.word0 >>> 0, header.sourcePort, header.destinationPort], [0x7f000001, own, port])
    }
  }
})

test('a client that a trusted peer names has a session and a server of its own, though all come from one address', async (t) => {
  const servers = await Promise.all(['a', 'b', 'c', 'd'].map((name) => named(t, name)))
  const { balancer, port } = await start(t, servers, { accept: { from: '127.0.0.0/8' }, pool: { algorithm: 'source-hash' } })
  const front = await peer(t)
  const serverOf = new Map<number, string>()
  for (let round = 0; round < 3; round++) {
    for (let host = 1; host <= 12; host++) {
      const before = front.got.length
      front.socket.send(introduced(host, 4711, `${host}`), port, '127.0.0.1')
      const answer = (await front.gets(before + 1))[before]
      const [server, rest] = answer.split(' ')
      assert.equal(rest, `${host}`)
      assert.equal(serverOf.get(host) ?? server, server)
      serverOf.set(host, server)
    }
  }
  assert.ok(new Set(serverOf.values()).size > 1)
  assert.equal((await balancer.status()).listeners[0].connections, 12)
  // Its own datagrams, with LOCAL, are those of another client.
  const local = Buffer.concat([Buffer.from('0d0a0d0a000d0a515549540a20000000', 'hex'), Buffer.from('mine')])
  const before = front.got.length
  front.socket.send(local, port, '127.0.0.1')
  assert.match((await front.gets(before + 1))[before], /^[a-d] mine$/)
  assert.equal((await balancer.status()).listeners[0].connections, 13)
})

test('what is malformed, no header, or from somebody else is dropped and counted', async (t) => {
  const server = await named(t, 'a')
  const strict = await start(t, [server], { accept: { from: '127.0.0.1' } })
  const [front, stranger] = [await peer(t), await peer(t, '127.0.0.2')]
  const right = introduced(7, 4711, 'right')
  const wrong = Buffer.from(right)
  wrong[right.length - 6] ^= 1
  const bad = [Buffer.from('no header'), Buffer.alloc(0), right.subarray(0, 20), introduced(7, 1, 'of a connection', false), wrong]
  bad.push(Buffer.from('PROXY TCP4 203.0.113.9 198.51.100.1 4711 443\r\nhello'))
  for (const datagram of bad) front.socket.send(datagram, strict.port, '127.0.0.1')
  stranger.socket.send(right, strict.port, '127.0.0.1')
  await dropped(strict.balancer, 'proxy-header-malformed', bad.length)
  await dropped(strict.balancer, 'proxy-header-untrusted', 1)
  front.socket.send(right, strict.port, '127.0.0.1')
  assert.deepEqual(await front.gets(1), ['a right'])
  assert.deepEqual([server.got, stranger.got], [['right'], []])
  const open = await start(t, [server], { accept: { from: '10.0.0.0/8', others: 'direct' } })
  assert.equal(await ask(stranger, open.port, 'PROXY'), 'a PROXY')
})

test('what a balancer in front told is told on, and logged', async (t) => {
  const server = await peer(t)
  const inner = await start(t, [server], { accept: { from: '127.0.0.1' }, udp: { proxyProtocol: 'v2', datagrams: 1, responses: 0 } })
  const outer = await evener(t, {
    listeners: { relay: { bind: '127.0.0.3:0', udp: { pool: 'inner', proxyProtocol: 'v2' } } },
    pools: { inner: { servers: [`127.0.0.1:${inner.port}`] } },
  })
  const client = await peer(t, '127.0.0.9')
  const arrived = once(server.socket, 'message')
  client.socket.send('through two', await outer.port('relay'), '127.0.0.3')
  await arrived
  const [header, rest] = read(server.got[0])
  assert.deepEqual(
    [rest, header.source.word0 >>> 0, header.sourcePort, header.destination.word0 >>> 0],
    ['through two', 0x7f000009, client.socket.address().port, 0x7f000003],
  )
  await inner.balancer.printed(/line 127\.0\.0\.9 a 11 scheduled/)
})

test('Knot DNS learns from the header who asks, over dig and Evener; checks introduce themselves', needs('knotd', 'dig'), async (t) => {
  const server = await knot(t)
  const pool = { servers: [`127.0.0.1:${server.ports[0]}`], check: { dns: { name: 'www.example.test' }, rise: 1, fall: 1 } }
  const balancer = await evener(t, {
    listeners: {
      told: { bind: '127.0.0.4:0', udp: { pool: 'told', datagrams: 1, responses: 1 } },
      plain: { bind: '127.0.0.5:0', udp: { pool: 'plain', datagrams: 1, responses: 1 } },
    },
    pools: { told: { ...pool, proxyProtocol: 'v2' }, plain: pool },
  })
  const who = async (listener: string, host: string) => {
    const port = String(await balancer.port(listener))
    const { stdout } = await run(program('dig'), [
      '+short',
      '+tries=2',
      '+time=5',
      '-b',
      '127.0.0.9',
      `@${host}`,
      '-p',
      port,
      'who.test',
      'A',
    ])
    return stdout.trim()
  }
  assert.equal(await who('told', '127.0.0.4'), '127.0.0.9')
  assert.equal(await who('plain', '127.0.0.5'), '127.0.0.1')
  for (const { servers } of (await balancer.status()).pools) assert.equal(servers[0].health, 'up', servers[0].check?.reason)
})
