/** What the network does to a UDP proxy, by mistake or on purpose. */
import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { type TestContext, test } from 'node:test'
import { ask, named, type Peer, peer } from '../support/datagrams.ts'
import { type Evener, evener } from '../support/evener.ts'

const LOG = { accessLog: { path: 'stdout', format: 'line {server} {client} {bytesIn} {bytesOut} {termination}' } }

async function start(t: TestContext, servers: readonly Peer[], { udp = {}, pool = {}, bind = '127.0.0.1:0', workers = 2 } = {}) {
  const names = ['a', 'b', 'c', 'd']
  const balancer = await evener(t, {
    ...LOG,
    workers,
    listeners: { relay: { bind, udp: { pool: 'servers', ...udp } } },
    pools: { servers: { servers: servers.map(({ address }, index) => ({ name: names[index], address })), ...pool } },
  })
  return { balancer, port: await balancer.port('relay') }
}

async function metric(balancer: Evener, line: RegExp): Promise<void> {
  for (;;) if (line.test((await balancer.call('GET', '/metrics')).text)) return
}

test('datagrams of hundreds of clients never meet another one', async (t) => {
  const { port } = await start(t, [await named(t, 'a'), await named(t, 'b')])
  const clients = await Promise.all(Array.from({ length: 300 }, () => peer(t)))
  for (let round = 0; round < 3; round++) {
    await Promise.all(
      clients.map(async (client, index) => {
        // Datagrams may be lost where a buffer is full: then they are asked for again.
        while (client.got.length <= round) {
          client.socket.send(`${index}`, port, '127.0.0.1')
          await Promise.race([once(client.socket, 'got'), new Promise((again) => setTimeout(again, 500).unref())])
        }
      }),
    )
  }
  for (const [index, client] of clients.entries()) for (const answer of client.got) assert.match(answer, new RegExp(`^[ab] ${index}$`))
})

test('a client that is gone costs nobody else an answer', async (t) => {
  const server = await peer(t)
  const { port } = await start(t, [server], { workers: 1 })
  const [gone, there] = [await peer(t), await peer(t)]
  const asked = once(server.socket, 'message')
  gone.socket.send('and away', port, '127.0.0.1')
  const [, from] = await asked
  gone.socket.close()
  await once(gone.socket, 'close')
  // Its port is closed: the kernel answers each of these with an ICMP error.
  for (let i = 0; i < 5; i++) server.socket.send('nobody', from.port, from.address)
  const next = once(server.socket, 'message')
  there.socket.send('hello', port, '127.0.0.1')
  const [, other] = await next
  server.socket.send('answer', other.port, other.address)
  assert.deepEqual(await there.gets(1), ['answer'])
})

test('a socket that knows the port of a session, on any address of the machine, is not heard', async (t) => {
  const server = await peer(t)
  const { balancer, port } = await start(t, [server], { workers: 1 })
  const client = await peer(t)
  const asked = once(server.socket, 'message')
  client.socket.send('question', port, '127.0.0.1')
  const [, session] = await asked
  for (const host of ['127.0.0.1', '127.0.0.9']) {
    const stranger = await peer(t, host)
    for (let i = 0; i < 3; i++) stranger.socket.send('lies', session.port, '127.0.0.1')
    // Nor does the listener take it for an answer: to it the stranger is a client.
    stranger.socket.send('from a stranger', port, '127.0.0.1')
  }
  await server.gets(3)
  server.socket.send('truth', session.port, session.address)
  assert.deepEqual(await client.gets(1), ['truth'])
  assert.equal((await balancer.status()).listeners[0].connections, 3)
})

test('empty datagrams are datagrams, both ways', async (t) => {
  const server = await peer(t)
  server.socket.on('message', (bytes, from) => server.socket.send(bytes, from.port, from.address))
  const { port } = await start(t, [server])
  const client = await peer(t)
  for (const text of ['', 'x', '', '', 'y']) assert.equal(await ask(client, port, text), text)
  assert.deepEqual(server.got, ['', 'x', '', '', 'y'])
})

test('large datagrams pass whole; what is too large is dropped, and what comes behind it is not', async (t) => {
  const server = await peer(t)
  server.socket.on('message', (bytes, from) => server.socket.send(bytes, from.port, from.address))
  const { port } = await start(t, [server])
  const client = await peer(t)
  for (const length of [1472, 1473, 9000, 32_000]) assert.equal((await ask(client, port, 'f'.repeat(length))).length, length)
  client.socket.send('g'.repeat(65_507), port, '127.0.0.1')
  assert.equal(await ask(client, port, 'behind it'), 'behind it')
  // And the other way round.
  server.socket.removeAllListeners('message')
  server.socket.on('message', (_, from) => {
    server.socket.send('h'.repeat(65_507), from.port, from.address)
    server.socket.send('small', from.port, from.address)
  })
  assert.equal(await ask(client, port, 'x'), 'small')
})

test('a server that is started again goes on with its clients', async (t) => {
  const first = await named(t, 'first')
  const { balancer, port } = await start(t, [first])
  const client = await peer(t)
  assert.equal(await ask(client, port, 'x'), 'first x')
  const [, serverPort] = first.address.split(':')
  first.socket.close()
  await once(first.socket, 'close')
  client.socket.send('lost', port, '127.0.0.1')
  await balancer.printed(/line a 127\.0\.0\.1 5 7 refused/)
  const second = await peer(t, '127.0.0.1', Number(serverPort))
  second.socket.on('message', (bytes, from) => second.socket.send(`second ${bytes}`, from.port, from.address))
  assert.equal(await ask(client, port, 'y'), 'second y')
})

test('a table that is full takes new clients when old ones have expired', async (t) => {
  const { balancer, port } = await start(t, [await named(t, 'a')], {
    udp: { limits: { sessions: 3 }, timeouts: { idle: '300ms' } },
    workers: 1,
  })
  for (const client of await Promise.all([peer(t), peer(t), peer(t)])) await ask(client, port, 'x')
  const late = await peer(t)
  late.socket.send('x', port, '127.0.0.1')
  await metric(balancer, /evener_udp_dropped_datagrams_total\{listener="relay",reason="session-limit"\} 1\n/)
  await metric(balancer, /evener_udp_sessions_total\{listener="relay",termination="expired"\} 3\n/)
  assert.equal(await ask(late, port, 'y'), 'a y')
  assert.equal((await balancer.status()).listeners[0].connections, 1)
})

test('a server that answers a small question with many answers is passed on no more than `responses` times', async (t) => {
  const server = await peer(t)
  const { balancer, port } = await start(t, [server], { udp: { responses: 2 }, workers: 1 })
  const client = await peer(t)
  for (let round = 1; round <= 2; round++) {
    const asked = once(server.socket, 'message')
    client.socket.send('one small question', port, '127.0.0.1')
    const [, from] = await asked
    for (let i = 0; i < 50; i++) server.socket.send('a long answer', from.port, from.address)
    await metric(balancer, new RegExp(`evener_udp_sessions_total\\{listener="relay",termination="answered"\\} ${round}\n`))
  }
  server.socket.once('message', (_, from) => server.socket.send('the last', from.port, from.address))
  client.socket.send('another', port, '127.0.0.1')
  assert.deepEqual(await client.gets(5), [...Array(4).fill('a long answer'), 'the last'])
})

for (const algorithm of [
  'source-hash',
  { name: 'hash', key: 'source' },
  { name: 'ring', key: 'source' },
  { name: 'maglev', key: 'source' },
  'locality',
  'locality-replicated',
] as const) {
  const name = typeof algorithm === 'string' ? algorithm : `${algorithm.name} of the ${algorithm.key}`
  test(`${name}: a client address has one server, whatever port and worker`, async (t) => {
    const servers = await Promise.all(['a', 'b', 'c', 'd'].map((each) => named(t, each)))
    const { port } = await start(t, servers, { pool: { algorithm }, udp: { datagrams: 1, responses: 1 } })
    const used = new Set<string>()
    for (let host = 2; host < 18; host++) {
      const answers = new Set<string>()
      for (let i = 0; i < 3; i++) answers.add((await ask(await peer(t, `127.0.0.${host}`), port, 'x')).slice(0, 1))
      assert.equal(answers.size, 1, `127.0.0.${host}`)
      for (const answer of answers) used.add(answer)
    }
    assert.ok(used.size > 1)
  })
}

test('destination-hash: an address of the listener has one server', async (t) => {
  const servers = await Promise.all(['a', 'b', 'c', 'd'].map((each) => named(t, each)))
  const balancer = await evener(t, {
    listeners: Object.fromEntries(
      Array.from({ length: 12 }, (_, i) => [
        `l${i}`,
        { bind: `127.0.0.${20 + i}:0`, udp: { pool: 'servers', datagrams: 1, responses: 1 } },
      ]),
    ),
    pools: { servers: { algorithm: 'destination-hash', servers: servers.map(({ address }) => address) } },
  })
  const { listeners } = await balancer.status()
  const used = new Set<string>()
  for (const { addresses } of listeners) {
    const [host, port] = addresses[0].split(':')
    const answers = new Set<string>()
    for (let i = 0; i < 3; i++) answers.add((await ask(await peer(t), Number(port), 'x', host)).slice(0, 1))
    assert.equal(answers.size, 1)
    for (const answer of answers) used.add(answer)
  }
  assert.ok(used.size > 1)
})

test('a client on IPv6 and one on IPv4 with the same port are two clients', async (t) => {
  const server = await named(t, 'a')
  const balancer = await evener(t, {
    workers: 1,
    listeners: { relay: { bind: ['127.0.0.1:0', '[::1]:0'], udp: { pool: 'servers' } } },
    pools: { servers: { servers: [server.address] } },
  })
  const { addresses } = (await balancer.status()).listeners[0]
  const portOf = (address: string) => Number(address.slice(address.lastIndexOf(':') + 1))
  const four = await peer(t)
  const { port } = four.socket.address()
  const six = createSocket({ type: 'udp6', ipv6Only: true }).bind(port, '::1')
  await once(six, 'listening')
  t.after(() => six.close())
  const answered = once(six, 'message')
  six.send('six', portOf(addresses[1]), '::1')
  assert.equal(await ask(four, portOf(addresses[0]), 'four'), 'a four')
  assert.equal(String((await answered)[0]), 'a six')
  assert.equal((await balancer.status()).listeners[0].connections, 2)
})

test('a reload keeps sessions that wait for answers, and takes a smaller limit at once', async (t) => {
  const server = await peer(t)
  const config = (sessions: number) => ({
    admin: { bind: '127.0.0.1:0' },
    workers: 1,
    listeners: { relay: { bind: '127.0.0.1:0', udp: { pool: 'servers', limits: { sessions } } } },
    pools: { servers: { servers: [server.address] } },
  })
  const balancer = await evener(t, config(10))
  const port = await balancer.port('relay')
  const [client, other] = [await peer(t), await peer(t)]
  const asked = once(server.socket, 'message')
  client.socket.send('question', port, '127.0.0.1')
  const [, from] = await asked
  balancer.configure(config(1))
  assert.equal((await balancer.call('POST', '/api/v1/reload')).status, 200)
  other.socket.send('one too many', port, '127.0.0.1')
  await metric(balancer, /evener_udp_dropped_datagrams_total\{listener="relay",reason="session-limit"\} 1\n/)
  server.socket.send('answer', from.port, from.address)
  assert.deepEqual(await client.gets(1), ['answer'])
  assert.deepEqual(server.got, ['question'])
})
