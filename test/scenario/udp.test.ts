import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type TestContext, test } from 'node:test'
import { ask, named, type Peer, peer } from '../support/datagrams.ts'
import { type Evener, evener } from '../support/evener.ts'

const LOG = { accessLog: { path: 'stdout', format: 'line {listener} {pool} {server} {client} {bytesIn} {bytesOut} {termination}' } }

interface Changes {
  readonly udp?: object
  readonly pool?: object
  readonly bind?: string
  readonly top?: object
}

async function start(t: TestContext, servers: readonly Peer[], { udp, pool, bind = '127.0.0.1:0', top }: Changes = {}) {
  const names = ['a', 'b', 'c', 'd']
  const balancer = await evener(t, {
    ...LOG,
    ...top,
    listeners: { logs: { bind, udp: { pool: 'servers', ...udp } } },
    pools: { servers: { servers: servers.map(({ address }, index) => ({ name: names[index], address })), ...pool } },
  })
  return { balancer, port: await balancer.port('logs') }
}

async function counter(balancer: Evener, line: RegExp): Promise<void> {
  for (;;) if (line.test((await balancer.call('GET', '/metrics')).text)) return
}

test('a client talks to one server for the whole of its session, and every client to one of its own', async (t) => {
  const { port } = await start(t, [await named(t, 'a'), await named(t, 'b')])
  const clients = await Promise.all(Array.from({ length: 8 }, () => peer(t)))
  const seen = new Map<string, number>()
  for (const client of clients) {
    const [server] = (await ask(client, port, 'hi')).split(' ')
    seen.set(server, (seen.get(server) ?? 0) + 1)
    for (let i = 0; i < 3; i++) assert.equal(await ask(client, port, `${i}`), `${server} ${i}`)
  }
  assert.deepEqual([...seen.entries()].sort(), [
    ['a', 4],
    ['b', 4],
  ])
})

test('a server may send as often and as long as it likes, but only to who asked', async (t) => {
  const chatty = await named(t, 'a', 5)
  const { port } = await start(t, [chatty])
  const [client, stranger] = [await peer(t), await peer(t)]
  client.socket.send('x', port, '127.0.0.1')
  assert.deepEqual(await client.gets(5), Array(5).fill('a x'))
  // Who guesses the port of a session is not heard: the kernel lets only the server through.
  const session = await new Promise<number>((resolve) => {
    chatty.socket.once('message', (_, from) => resolve(from.port))
    client.socket.send('y', port, '127.0.0.1')
  })
  stranger.socket.send('lies', session, '127.0.0.1')
  assert.equal((await client.gets(10)).includes('lies'), false)
  await ask(client, port, 'z')
  assert.equal(client.got.includes('lies'), false)
})

test('with `datagrams: 1` each datagram is scheduled by itself, and its answer finds its way back', async (t) => {
  const { balancer, port } = await start(t, [await named(t, 'a'), await named(t, 'b')], { udp: { datagrams: 1, responses: 1 } })
  const client = await peer(t)
  const answers: string[] = []
  for (let i = 0; i < 6; i++) answers.push(await ask(client, port, `${i}`))
  assert.equal(answers.filter((answer) => answer.startsWith('a')).length, 3)
  assert.equal(answers.filter((answer) => answer.startsWith('b')).length, 3)
  await counter(balancer, /evener_udp_sessions_total\{listener="logs",termination="answered"\} 6\n/)
  assert.equal((await balancer.status()).listeners[0].connections, 0)
})

test('a session ends with the expected number of answers; what comes beyond is dropped', async (t) => {
  const { balancer, port } = await start(t, [await named(t, 'a', 3)], { udp: { responses: 2 } })
  const client = await peer(t)
  client.socket.send('x', port, '127.0.0.1')
  await client.gets(2)
  await balancer.printed(/line logs servers a 127\.0\.0\.1 1 6 answered/)
  assert.equal(await ask(client, port, 'y'), 'a y')
  assert.deepEqual(client.got.slice(0, 3), ['a x', 'a x', 'a y'])
})

test('a session without a sign of life expires, and one that waits for an answer has got none', async (t) => {
  const silent = await peer(t)
  const first = await start(t, [await named(t, 'a')], { udp: { timeouts: { idle: '50ms' } } })
  await ask(await peer(t), first.port, 'x')
  await first.balancer.printed(/line logs servers a 127\.0\.0\.1 1 3 expired/)
  const second = await start(t, [silent], { udp: { timeouts: { idle: '50ms' }, responses: 1 } })
  ;(await peer(t)).socket.send('x', second.port, '127.0.0.1')
  await second.balancer.printed(/line logs servers a 127\.0\.0\.1 1 0 unanswered/)
})

test('with `responses: 0` nothing that a server sends is passed on', async (t) => {
  const { balancer, port } = await start(t, [await named(t, 'a')], { udp: { responses: 0 } })
  const client = await peer(t)
  client.socket.send('x', port, '127.0.0.1')
  await counter(balancer, /evener_udp_dropped_datagrams_total\{listener="logs",reason="unexpected"\} 1\n/)
  assert.deepEqual(client.got, [])
})

test('above the limit of sessions new clients are dropped and counted, known ones are served', async (t) => {
  const { balancer, port } = await start(t, [await named(t, 'a')], { udp: { limits: { sessions: 2 } }, top: { workers: 1 } })
  const clients = await Promise.all(Array.from({ length: 4 }, () => peer(t)))
  await ask(clients[0], port, 'x')
  await ask(clients[1], port, 'x')
  for (const client of clients.slice(2)) client.socket.send('x', port, '127.0.0.1')
  await counter(balancer, /evener_udp_dropped_datagrams_total\{listener="logs",reason="session-limit"\} 2\n/)
  assert.equal(await ask(clients[0], port, 'y'), 'a y')
  assert.deepEqual([clients[2].got, clients[3].got], [[], []])
})

test('limits of the pool hold, and without a server datagrams are dropped and counted', async (t) => {
  const { balancer, port } = await start(t, [await named(t, 'a')], { pool: { limits: { maxRequests: 1 } } })
  await ask(await peer(t), port, 'x')
  ;(await peer(t)).socket.send('x', port, '127.0.0.1')
  await counter(balancer, /evener_udp_dropped_datagrams_total\{listener="logs",reason="servers-full"\} 1\n/)
  await balancer.call('PATCH', '/api/v1/pools/servers/servers/a', { admin: 'drain' })
  ;(await peer(t)).socket.send('x', port, '127.0.0.1')
  await counter(balancer, /evener_udp_dropped_datagrams_total\{listener="logs",reason="no-server"\} 1\n/)
})

test('datagrams that no server can take go to the pool that says sorry', async (t) => {
  const [one, spare] = [await named(t, 'one'), await named(t, 'spare')]
  const balancer = await evener(t, {
    listeners: { logs: { bind: '127.0.0.1:0', udp: { pool: 'servers' } } },
    pools: {
      servers: { servers: [{ name: 'one', address: one.address, admin: 'drain' }], sorry: { pool: 'spare' } },
      spare: { servers: [spare.address] },
    },
  })
  assert.equal(await ask(await peer(t), await balancer.port('logs'), 'x'), 'spare x')
})

test('a client stays with its server by a hash of its address', async (t) => {
  const servers = [await named(t, 'a'), await named(t, 'b'), await named(t, 'c')]
  const { port } = await start(t, servers, { udp: { datagrams: 1, responses: 1 }, pool: { algorithm: 'source-hash' } })
  const names = new Set<string>()
  for (let i = 0; i < 6; i++) names.add((await ask(await peer(t), port, 'x')).slice(0, 1))
  assert.equal(names.size, 1)
})

test('the next datagram of a session whose server is gone chooses another one', async (t) => {
  const servers = [await named(t, 'a'), await named(t, 'b')]
  const { balancer, port } = await start(t, servers)
  const client = await peer(t)
  const first = (await ask(client, port, 'x')).slice(0, 1)
  await balancer.call('PATCH', `/api/v1/pools/servers/servers/${first}`, { admin: 'maintenance' })
  assert.equal(await ask(client, port, 'y'), `${first === 'a' ? 'b' : 'a'} y`)
  await balancer.printed(/server-down/)
})

test('a port where nobody listens ends the session at once, and the next datagram chooses again', async (t) => {
  const [gone, alive] = [await peer(t), await named(t, 'b')]
  const { balancer, port } = await start(t, [gone, alive])
  gone.socket.close()
  await once(gone.socket, 'close')
  const client = await peer(t)
  client.socket.send('lost?', port, '127.0.0.1')
  await Promise.race([balancer.printed(/refused/), client.gets(1)])
  if (client.got.length === 0) assert.equal(await ask(client, port, 'again'), 'b again')
})

test('works over IPv6, from IPv6 clients to IPv4 servers too', async (t) => {
  const six = await start(t, [await named(t, 'a', 1, '::1')], { bind: '[::1]:0' })
  assert.equal(await ask(await peer(t, '::1'), six.port, 'x', '::1'), 'a x')
  const mixed = await start(t, [await named(t, 'a')], { bind: '[::1]:0' })
  assert.equal(await ask(await peer(t, '::1'), mixed.port, 'x', '::1'), 'a x')
})

test('a reload keeps sessions with their server; a shutdown waits for answers that are expected', async (t) => {
  const [one, two] = [await named(t, 'one'), await named(t, 'two')]
  const config = (server: Peer) => ({
    admin: { bind: '127.0.0.1:0' },
    workers: 2,
    ...LOG,
    listeners: { logs: { bind: '127.0.0.1:0', udp: { pool: 'servers' } } },
    pools: { servers: { servers: [server.address] } },
  })
  const balancer = await evener(t, config(one))
  const port = await balancer.port('logs')
  const client = await peer(t)
  assert.equal(await ask(client, port, 'x'), 'one x')
  balancer.configure(config(two))
  assert.equal((await balancer.call('POST', '/api/v1/reload')).status, 200)
  assert.equal(await ask(client, port, 'y'), 'one y')
  assert.equal(await ask(await peer(t), port, 'z'), 'two z')
  balancer.process.kill('SIGTERM')
  assert.equal(await balancer.ended(), 0)
})

test('a shutdown waits for an answer that is still to come', async (t) => {
  const server = await peer(t)
  const { balancer, port } = await start(t, [server], { udp: { responses: 1 } })
  const client = await peer(t)
  const asked = once(server.socket, 'message')
  client.socket.send('slow question', port, '127.0.0.1')
  const [, from] = await asked
  balancer.process.kill('SIGTERM')
  await balancer.printed(/draining/)
  server.socket.send('answer', from.port, from.address)
  assert.deepEqual(await client.gets(1), ['answer'])
  assert.equal(await balancer.ended(), 0)
})

test('a port that another program has is told at start-up', async (t) => {
  const taken = await peer(t)
  await assert.rejects(start(t, [taken], { bind: taken.address }), /in use/)
})

test('port 0 is a port of its own for each address of each listener, in all workers and over a reload', async (t) => {
  const bind = ['127.0.0.1:0', '127.0.0.1:0']
  const server = await named(t, 'a')
  const config = (names: readonly string[]) => ({
    admin: { bind: '127.0.0.1:0' },
    workers: 3,
    listeners: {
      ...Object.fromEntries(names.map((name) => [name, { bind, udp: { pool: 'servers' } }])),
      tcp1: { bind, tcp: { pool: 'servers' } },
      tcp2: { bind, tcp: { pool: 'servers' } },
    },
    pools: { servers: { servers: [server.address] } },
  })
  const balancer = await evener(t, config(['one', 'two', 'three']))
  const addresses = async () => (await balancer.status()).listeners.map((each) => [each.name, ...each.addresses])
  const before = await addresses()
  for (const kind of [/^tcp/, /^[^t]|^t[^c]/]) {
    const all = before.filter(([name]) => kind.test(name)).flatMap(([, ...own]) => own)
    assert.equal(new Set(all).size, all.length)
    assert.ok(all.length >= 4)
  }
  balancer.configure(config(['two', 'three']))
  assert.equal((await balancer.call('POST', '/api/v1/reload')).status, 200)
  assert.deepEqual(
    await addresses(),
    before.filter(([name]) => name !== 'one'),
  )
  for (const [name, ...own] of before)
    if (/two|three/.test(name)) for (const address of own) assert.equal(await ask(await peer(t), Number(address.split(':')[1]), 'x'), 'a x')
})
