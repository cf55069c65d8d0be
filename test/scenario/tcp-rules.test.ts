/** What docs/tcp-udp.md says of connections, one rule after the other. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { CATALOGUE } from '../../src/pool/algorithm/catalogue.ts'
import { client } from '../support/client.ts'
import { clientHello } from '../support/client-hello.ts'
import { deafListener } from '../support/deaf-listener.ts'
import { evener } from '../support/evener.ts'
import { rawOrigin, refusedPort } from '../support/origin.ts'

const LOG = { accessLog: { path: 'stdout', format: 'line {server} {attempts} {termination}' } }

/** A server that says its name, then echoes. */
function named(t: TestContext, name: string) {
  return rawOrigin(t, async (wire) => {
    await wire.write(`${name}\n`)
    for (;;) await wire.write(await wire.read(1))
  })
}

async function start(t: TestContext, servers: readonly object[], { tcp = {}, pool = {}, top = {} } = {}) {
  const balancer = await evener(t, {
    ...LOG,
    ...top,
    listeners: { db: { bind: '127.0.0.1:0', tcp: { pool: 'servers', ...tcp } } },
    pools: { servers: { servers, ...pool } },
  })
  return { balancer, port: await balancer.port('db') }
}

test('a server that does not accept in time is passed over; where it is the only one, the connection is reset', async (t) => {
  const deaf = await deafListener(t)
  const address = deaf.family === 'unix' ? '' : `127.0.0.1:${deaf.port}`
  const other = await named(t, 'other')
  const tcp = { timeouts: { connect: '200ms' } }
  const two = await start(
    t,
    [
      { name: 'deaf', address },
      { name: 'other', address: other.address },
    ],
    { tcp, pool: { algorithm: 'first' } },
  )
  assert.equal(await (await client(t, { port: two.port })).readUntil('\n'), 'other\n')
  const one = await start(t, [{ name: 'deaf', address }], { tcp: { ...tcp, attempts: 1 } })
  assert.equal(await (await client(t, { port: one.port })).closed(), 'ECONNRESET')
  await one.balancer.printed(/line deaf 1 connect-timeout/)
})

test('`attempts: 1` tries no second server', async (t) => {
  const other = await named(t, 'other')
  const { balancer, port } = await start(
    t,
    [
      { name: 'gone', address: `127.0.0.1:${await refusedPort()}` },
      { name: 'other', address: other.address },
    ],
    { tcp: { attempts: 1 }, pool: { algorithm: 'first' } },
  )
  await client(t, { port }).then(
    (wire) => wire.closed(),
    () => '',
  )
  await balancer.printed(/line gone 1 connect-failed/)
})

test('every algorithm shares connections out, and one whose server is gone goes to another', async (t) => {
  const servers = [
    { name: 'a', address: (await named(t, 'a')).address, weight: 100 },
    { name: 'b', address: (await named(t, 'b')).address, weight: 100 },
  ]
  // `resource` goes by agents: test/scenario/agents.test.ts.
  const names = CATALOGUE.map(({ name }) => name).filter((name) => name !== 'resource')
  const persistence = { table: { key: 'source', expires: '1m' } }
  const balancer = await evener(t, {
    listeners: Object.fromEntries(names.map((name) => [name, { bind: '127.0.0.1:0', tcp: { pool: name } }])),
    pools: Object.fromEntries(
      names.map((name) => [name, { servers, algorithm: name, ...(name === 'least-sessions' ? { persistence } : {}) }]),
    ),
  })
  const { listeners } = await balancer.status()
  for (const { name, addresses } of listeners) {
    const ask = async () => {
      const wire = await client(t, { port: Number(addresses[0].split(':')[1]) })
      const said = (await wire.readUntil('\n')).trim()
      await wire.write('x')
      assert.equal((await wire.read(1)).toString(), 'x')
      return said
    }
    const first = await ask()
    await balancer.call('PATCH', `/api/v1/pools/${name}/servers/${first}`, { admin: 'maintenance' })
    for (let i = 0; i < 3; i++) assert.equal(await ask(), first === 'a' ? 'b' : 'a', name)
  }
})

test('above `limits.connections` of the listener clients wait to be accepted, over all workers', async (t) => {
  const server = await named(t, 'a')
  const { balancer, port } = await start(t, [{ name: 'a', address: server.address }], { tcp: { limits: { connections: 2 } } })
  const [one, two] = [await client(t, { port }), await client(t, { port })]
  for (const wire of [one, two]) assert.equal(await wire.readUntil('\n'), 'a\n')
  const third = await client(t, { port })
  const served = third.readUntil('\n')
  assert.equal((await balancer.status()).pools[0].servers[0].active, 2)
  one.end()
  assert.equal(await served, 'a\n')
})

test('a server that drains keeps its connections and gets no new ones', async (t) => {
  const [a, b] = [await named(t, 'a'), await named(t, 'b')]
  const { balancer, port } = await start(
    t,
    [
      { name: 'a', address: a.address },
      { name: 'b', address: b.address },
    ],
    { pool: { algorithm: 'first' }, tcp: { onServerDown: 'reset' } },
  )
  const kept = await client(t, { port })
  assert.equal(await kept.readUntil('\n'), 'a\n')
  await balancer.call('PATCH', '/api/v1/pools/servers/servers/a', { admin: 'drain' })
  for (let i = 0; i < 3; i++) assert.equal(await (await client(t, { port })).readUntil('\n'), 'b\n')
  await kept.write('still here')
  assert.equal((await kept.read(10)).toString(), 'still here')
})

test('a shutdown cuts what is still open after timeouts.drain', async (t) => {
  const server = await named(t, 'a')
  const { balancer, port } = await start(t, [{ name: 'a', address: server.address }], { top: { timeouts: { drain: '300ms' } } })
  const wire = await client(t, { port })
  await wire.readUntil('\n')
  balancer.process.kill('SIGTERM')
  assert.equal(await wire.closed(), 'ECONNRESET')
  assert.equal(await balancer.ended(), 0)
  assert.match(balancer.output, /line a 1 shutdown/)
})

test('clients stay with a server by the name that they ask for, and by the address that they come to', async (t) => {
  const echo = (name: string) =>
    rawOrigin(t, async (wire) => {
      await wire.read(1)
      await wire.write(`${name}\n`)
      await new Promise(() => {})
    })
  const servers = await Promise.all(['a', 'b', 'c'].map(async (name) => ({ name, address: (await echo(name)).address })))
  const balancer = await evener(t, {
    listeners: {
      tls: { bind: '127.0.0.1:0', tcp: { pool: 'named' } },
      one: { bind: '127.0.0.2:0', tcp: { pool: 'placed' } },
      two: { bind: '127.0.0.3:0', tcp: { pool: 'placed' } },
    },
    pools: {
      named: { servers, persistence: { table: { key: 'sni', expires: '1m' } } },
      placed: { servers, persistence: { table: { key: 'destination', expires: '1m' } } },
    },
  })
  const ask = async (listener: string, host: string, bytes: Uint8Array) => {
    const wire = await client(t, { host, port: await balancer.port(listener) })
    await wire.write(bytes)
    return wire.readUntil('\n')
  }
  const hello = (name: string) => clientHello({ name })
  for (const [listener, host, bytes] of [
    ['tls', '127.0.0.1', hello('one.test')],
    ['tls', '127.0.0.1', hello('two.test')],
    ['one', '127.0.0.2', Buffer.from('x')],
    ['two', '127.0.0.3', Buffer.from('x')],
  ] as const) {
    const answers = new Set<string>()
    for (let i = 0; i < 5; i++) answers.add(await ask(listener, host, bytes))
    assert.equal(answers.size, 1, listener)
  }
})
