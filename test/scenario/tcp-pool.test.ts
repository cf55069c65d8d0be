import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { client } from '../support/client.ts'
import { evener } from '../support/evener.ts'
import { rawOrigin } from '../support/origin.ts'

const LOG = { accessLog: { path: 'stdout', format: 'line {listener} {server} {attempts} {termination}' } }

/** A server that says its name, then echoes. */
function named(t: TestContext, name: string) {
  return rawOrigin(t, async (wire) => {
    await wire.write(`${name}\n`)
    for (;;) await wire.write(await wire.read(1))
  })
}

async function start(t: TestContext, names: readonly string[], pool: object) {
  const servers = await Promise.all(names.map(async (name) => ({ name, address: (await named(t, name)).address })))
  const balancer = await evener(t, {
    ...LOG,
    listeners: { db: { bind: '127.0.0.1:0', tcp: { pool: 'servers' } } },
    pools: { servers: { servers, ...pool } },
  })
  return { balancer, port: await balancer.port('db') }
}

test('limits of connections are exact over all workers; those beyond are reset where there is no queue', async (t) => {
  const { balancer, port } = await start(t, ['a', 'b'], { limits: { maxConnections: 2 } })
  const open = await Promise.all(Array.from({ length: 4 }, () => client(t, { port })))
  const names = await Promise.all(open.map((wire) => wire.readUntil('\n')))
  assert.deepEqual(names.sort(), ['a\n', 'a\n', 'b\n', 'b\n'])
  for (let i = 0; i < 4; i++) {
    const ended = await client(t, { port }).then(
      (wire) => wire.closed(),
      (error: NodeJS.ErrnoException) => error.code,
    )
    assert.equal(ended, 'ECONNRESET')
  }
  await balancer.printed(/line db - 0 servers-full/)
  assert.deepEqual(
    (await balancer.status()).pools[0].servers.map(({ active }) => active),
    [2, 2],
  )
})

test('a connection that finds all servers full waits in the queue, and gets the place that comes free', async (t) => {
  const { balancer, port } = await start(t, ['a'], { limits: { maxConnections: 1, queue: { size: 2, timeout: '10s' } } })
  const first = await client(t, { port })
  await first.readUntil('\n')
  const second = await client(t, { port })
  await second.write('said while waiting')
  const third = await client(t, { port })
  while ((await balancer.status()).listeners[0].connections < 3) assert.equal(balancer.process.exitCode, null)
  assert.equal(second.pending, '')
  first.end()
  assert.equal(await Promise.race([second.readUntil('\n'), third.readUntil('\n')]), 'a\n')
  const [served, waiting] = second.pending !== '' || third.pending === '' ? [second, third] : [third, second]
  served.reset()
  waiting.reset()
  for (;;) {
    const { listeners, pools } = await balancer.status()
    if (listeners[0].connections === 0 && pools[0].servers[0].active === 0) break
  }
  assert.equal(await (await client(t, { port })).readUntil('\n'), 'a\n')
})

test('a connection that waits too long is reset', async (t) => {
  const { balancer, port } = await start(t, ['a'], { limits: { maxConnections: 1, queue: { size: 2, timeout: '50ms' } } })
  await (await client(t, { port })).readUntil('\n')
  assert.equal(await (await client(t, { port })).closed(), 'ECONNRESET')
  await balancer.printed(/line db - 0 servers-full/)
})

test('a client stays with its server by its address', async (t) => {
  const { balancer, port } = await start(t, ['a', 'b', 'c'], { persistence: { table: { key: 'source', expires: '1m' } } })
  const name = async () => {
    const wire = await client(t, { port })
    const said = await wire.readUntil('\n')
    wire.end()
    await wire.closed()
    return said.trim()
  }
  const first = await name()
  for (let i = 0; i < 8; i++) assert.equal(await name(), first)
  // A server that drains keeps its clients; one in maintenance does not.
  await balancer.call('PATCH', `/api/v1/pools/servers/servers/${first}`, { admin: 'drain' })
  assert.equal(await name(), first)
  await balancer.call('PATCH', `/api/v1/pools/servers/servers/${first}`, { admin: 'maintenance' })
  assert.notEqual(await name(), first)
})

test('a hash of the address chooses the same server in every worker', async (t) => {
  const { port } = await start(t, ['a', 'b', 'c', 'd'], { algorithm: 'source-hash' })
  const names = new Set<string>()
  for (let i = 0; i < 12; i++) names.add(await (await client(t, { port })).readUntil('\n'))
  assert.equal(names.size, 1)
})

test('connections that no server can take go to the pool that says sorry', async (t) => {
  const [full, spare] = [await named(t, 'full'), await named(t, 'spare')]
  const balancer = await evener(t, {
    ...LOG,
    listeners: { db: { bind: '127.0.0.1:0', tcp: { pool: 'servers' } } },
    pools: {
      servers: { servers: [full.address], limits: { maxConnections: 1, queue: { size: 1, timeout: '50ms' } }, sorry: { pool: 'spare' } },
      spare: { servers: [{ name: 'spare', address: spare.address }] },
    },
  })
  const port = await balancer.port('db')
  assert.equal(await (await client(t, { port })).readUntil('\n'), 'full\n')
  const waited = await client(t, { port })
  assert.equal(await waited.readUntil('\n'), 'spare\n')
  waited.end()
  await balancer.printed(/line db spare 1 complete/)
  await balancer.call('PATCH', `/api/v1/pools/servers/servers/${full.address}`, { admin: 'maintenance' })
  assert.equal(await (await client(t, { port })).readUntil('\n'), 'spare\n')
})
