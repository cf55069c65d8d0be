import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { connect } from 'node:net'
import { type TestContext, test } from 'node:test'
import { client } from '../support/client.ts'
import { type Evener, evener } from '../support/evener.ts'
import { rawOrigin, refusedPort } from '../support/origin.ts'
import { parseExposition } from '../support/prometheus.ts'
import { seededRandom } from '../support/random.ts'
import type { Wire } from '../support/wire.ts'

interface Changes {
  readonly tcp?: object
  readonly pool?: object
  readonly top?: object
  readonly bind?: string
}

function tcpTo(servers: readonly (string | object)[], { tcp, pool, top, bind = '127.0.0.1:0' }: Changes = {}): object {
  return { ...top, listeners: { db: { bind, tcp: { pool: 'servers', ...tcp } } }, pools: { servers: { servers, ...pool } } }
}

async function start(
  t: TestContext,
  servers: readonly (string | object)[],
  changes?: Changes,
): Promise<{ balancer: Evener; port: number }> {
  const balancer = await evener(t, tcpTo(servers, changes))
  return { balancer, port: await balancer.port('db') }
}

const LOG = {
  accessLog: { path: 'stdout', format: 'line {listener} {pool} {server} {bytesIn} {bytesOut} {attempts} {termination} {client}' },
}

/** How a connection that is not wanted ends; the reset may come before connect() has returned. */
function end(t: TestContext, port: number): Promise<string | undefined> {
  return client(t, { port }).then(
    (wire) => wire.closed(),
    (error: NodeJS.ErrnoException) => error.code,
  )
}

/** A server that says its name, then echoes. */
function named(t: TestContext, name: string) {
  return rawOrigin(t, async (wire) => {
    await wire.write(`${name}\n`)
    for (;;) await wire.write(await wire.read(1))
  })
}

test('bytes go both ways as they are, and the server may speak first', async (t) => {
  const server = await rawOrigin(t, async (wire) => {
    await wire.write('220 hello\r\n')
    assert.equal(await wire.readUntil('\n'), 'EHLO \xff\x00\r\n')
    await wire.write('250 \x00\xfe\r\n')
  })
  const { port } = await start(t, [server.address])
  const wire = await client(t, { port })
  assert.equal(await wire.readUntil('\n'), '220 hello\r\n')
  await wire.write('EHLO \xff\x00\r\n')
  assert.equal(await Promise.race([wire.readUntil('\n'), server.failure]), '250 \x00\xfe\r\n')
})

test('what a client sends before its server is connected reaches the server whole', async (t) => {
  const server = await rawOrigin(
    t,
    async (wire) =>
      void (await wire.write(
        createHash('sha256')
          .update(await wire.readToEnd())
          .digest(),
      )),
  )
  const { port } = await start(t, [server.address])
  const bytes = Buffer.alloc(3_000_000, 'all of it at once, before anything is connected. ')
  const wire = await client(t, { port })
  await wire.write(bytes)
  wire.end()
  assert.deepEqual(await wire.read(32), createHash('sha256').update(bytes).digest())
})

test('a client that has ended its side still gets what the server sends', async (t) => {
  const server = await rawOrigin(t, async (wire) => {
    const all = await wire.readToEnd()
    await wire.write(`you said ${all.length}`)
    wire.end()
  })
  const { port } = await start(t, [server.address])
  const wire = await client(t, { port })
  await wire.write('12345')
  wire.end()
  assert.equal((await wire.readToEnd()).toString(), 'you said 5')
})

test('a server that has ended its side still gets what the client sends', async (t) => {
  const got = Promise.withResolvers<string>()
  const server = await rawOrigin(t, async (wire) => {
    await wire.write('bye')
    wire.end()
    got.resolve((await wire.readToEnd()).toString())
  })
  const { port } = await start(t, [server.address])
  const wire = await client(t, { port })
  assert.equal((await wire.readToEnd()).toString(), 'bye')
  await wire.write('late words')
  wire.end()
  assert.equal(await got.promise, 'late words')
})

test('a reset of the client reaches the server as a reset, and the other way round', async (t) => {
  const server = await rawOrigin(t, async (wire, index) => {
    await wire.write('x')
    if (index === 1) {
      await wire.read(1)
      wire.reset()
    }
  })
  const { port } = await start(t, [server.address])
  const one = await client(t, { port })
  await one.read(1)
  one.reset()
  assert.equal(await (await server.connection(0)).closed(), 'ECONNRESET')
  const two = await client(t, { port })
  await two.read(1)
  await two.write('y')
  assert.equal(await two.closed(), 'ECONNRESET')
})

test('a side that is not read makes the other wait, and nothing is lost', async (t) => {
  const size = 8 * 1024 * 1024
  const random = seededRandom(7)
  const bytes = Buffer.from(Uint8Array.from({ length: size }, () => random() * 256))
  const digest = createHash('sha256').update(bytes).digest('hex')
  const server = await rawOrigin(t, async (wire) => {
    wire.pause()
    await wire.write(bytes)
    wire.resume()
    assert.equal(
      createHash('sha256')
        .update(await wire.read(size))
        .digest('hex'),
      digest,
    )
    await wire.write('ok')
  })
  const { port } = await start(t, [server.address])
  const wire = await client(t, { port })
  wire.pause()
  const sent = wire.write(bytes)
  // Both kernels' buffers and ours are far smaller: both writes are stuck until somebody reads.
  wire.resume()
  assert.equal(
    createHash('sha256')
      .update(await wire.read(size))
      .digest('hex'),
    digest,
  )
  await sent
  assert.equal((await Promise.race([wire.read(2), server.failure])).toString(), 'ok')
})

test('a long transfer is spliced where the engine can, and is counted as any other', async (t) => {
  const size = 4 * 1024 * 1024
  const server = await rawOrigin(t, async (wire) => {
    for (let i = 0; i < 2; i++) {
      await wire.write(Buffer.alloc(size, 'x'))
      await wire.write('.')
      assert.equal((await wire.read(2)).toString(), 'ok')
    }
    await wire.readToEnd()
    wire.end()
  })
  const { balancer, port } = await start(t, [{ name: 'a', address: server.address }], { top: LOG })
  const wire = await client(t, { port })
  for (let i = 0; i < 2; i++) {
    assert.equal((await wire.read(size + 1)).indexOf('.'), size)
    await wire.write('ok')
  }
  wire.end()
  await wire.closed()
  await balancer.printed(new RegExp(`line db servers a 4 ${2 * size + 2} 1 complete`))
  const page = (await balancer.call('GET', '/metrics')).text
  const spliced = Number(/evener_tcp_spliced_bytes_total\{listener="db"\} (\S+)/.exec(page)?.[1])
  if (process.env.EVENER_TEST_ENGINE === 'portable') assert.equal(spliced, 0)
  else assert.ok(spliced > size, `${spliced} bytes were spliced`)
})

test('a server that refuses is passed over, and the client notices nothing', async (t) => {
  const server = await named(t, 'alive')
  const { balancer, port } = await start(t, [`127.0.0.1:${await refusedPort()}`, server.address], { top: LOG })
  for (let i = 0; i < 6; i++) {
    const wire = await client(t, { port })
    assert.equal(await wire.readUntil('\n'), 'alive\n')
    wire.end()
    await wire.closed()
  }
  await balancer.printed(/ 2 complete/)
})

test('with no server left the connection is reset and the log says why', async (t) => {
  const { balancer, port } = await start(t, [`127.0.0.1:${await refusedPort()}`, `127.0.0.1:${await refusedPort()}`], { top: LOG })
  assert.equal(await end(t, port), 'ECONNRESET')
  await balancer.printed(/line db servers \S+ 0 0 3 connect-failed 127\.0\.0\.1/)
  await balancer.call('PATCH', `/api/v1/pools/servers/servers/${(await balancer.status()).pools[0].servers[0].name}`, {
    admin: 'maintenance',
  })
  await balancer.call('PATCH', `/api/v1/pools/servers/servers/${(await balancer.status()).pools[0].servers[1].name}`, { admin: 'drain' })
  assert.equal(await end(t, port), 'ECONNRESET')
  await balancer.printed(/line db servers - 0 0 0 no-server/)
})

test('a connection on which nothing is said ends with the idle time-out; one that speaks does not', async (t) => {
  const server = await named(t, 'a')
  const { balancer, port } = await start(t, [server.address], { tcp: { timeouts: { idle: '400ms' } }, top: LOG })
  const [silent, speaking] = [await client(t, { port }), await client(t, { port })]
  await silent.readUntil('\n')
  await speaking.readUntil('\n')
  let isOver = false
  const ended = silent.closed().finally(() => (isOver = true))
  while (!isOver) {
    await speaking.write('.')
    await speaking.read(1)
  }
  assert.equal(await ended, 'ECONNRESET')
  await balancer.printed(/idle-timeout/)
  await speaking.write('.')
  assert.equal((await speaking.read(1)).toString(), '.')
})

test('after one side has ended, the other may be silent for its own time-out only', async (t) => {
  const server = await rawOrigin(t, async (wire, index) => {
    await wire.write('x')
    if (index === 1) wire.end()
    await wire.readToEnd()
    await new Promise(() => {})
  })
  const { balancer, port } = await start(t, [server.address], {
    tcp: { timeouts: { afterClientEnd: '50ms', afterServerEnd: '60ms' } },
    top: LOG,
  })
  const first = await client(t, { port })
  await first.read(1)
  first.end()
  assert.equal(await first.closed(), 'ECONNRESET')
  await balancer.printed(/half-closed-timeout/)
  const second = await client(t, { port })
  await second.readToEnd()
  await balancer.printed(/half-closed-timeout[\s\S]*half-closed-timeout/)
})

test('a reload leaves open connections with their server; new ones go by the new configuration', async (t) => {
  const [one, two] = [await named(t, 'one'), await named(t, 'two')]
  const config = (server: string) => ({ admin: { bind: '127.0.0.1:0' }, workers: 2, ...tcpTo([server]) })
  const { balancer, port } = await start(t, [one.address])
  const before = await client(t, { port })
  assert.equal(await before.readUntil('\n'), 'one\n')
  balancer.configure(config(two.address))
  assert.equal((await balancer.call('POST', '/api/v1/reload')).status, 200)
  const after = await client(t, { port })
  assert.equal(await after.readUntil('\n'), 'two\n')
  await before.write('still?')
  assert.equal((await before.read(6)).toString(), 'still?')
  // The same address, but requests now.
  balancer.configure({
    ...config(two.address),
    listeners: { db: { bind: '127.0.0.1:0', http: { routes: [{ respond: { body: 'web' } }] } } },
  })
  assert.equal((await balancer.call('POST', '/api/v1/reload')).status, 200)
  assert.equal(await (await fetch(`http://127.0.0.1:${port}/`)).text(), 'web')
  await before.write('and now?')
  assert.equal((await before.read(8)).toString(), 'and now?')
})

test('a shutdown waits for open connections, and takes no new ones', async (t) => {
  const server = await named(t, 'a')
  const { balancer, port } = await start(t, [server.address])
  const wire = await client(t, { port })
  await wire.readUntil('\n')
  balancer.process.kill('SIGTERM')
  await balancer.printed(/draining/)
  await wire.write('last words')
  assert.equal((await wire.read(10)).toString(), 'last words')
  wire.end()
  await wire.closed()
  assert.equal(await balancer.ended(), 0)
})

test('connections, bytes and ends are counted, and status shows them', async (t) => {
  const server = await named(t, 'count')
  const { balancer, port } = await start(t, [{ name: 'a', address: server.address }], { top: LOG })
  const wire = await client(t, { port })
  await wire.readUntil('\n')
  await wire.write('1234')
  await wire.read(4)
  const during = await balancer.status()
  assert.deepEqual([during.listeners[0].connections, during.pools[0].servers[0].active], [1, 1])
  wire.end()
  await wire.closed()
  await balancer.printed(/line db servers a 4 10 1 complete/)
  const page = (await balancer.call('GET', '/metrics')).text
  assert.ok(parseExposition(page).has('evener_tcp_connections_total'))
  assert.match(page, /evener_tcp_connections_total\{listener="db",termination="complete"\} 1\n/)
  assert.match(page, /evener_tcp_received_bytes_total\{listener="db"\} 4\n/)
  assert.match(page, /evener_tcp_sent_bytes_total\{listener="db"\} 10\n/)
  const after = await balancer.status()
  assert.deepEqual([after.listeners[0].connections, after.listeners[0].requests, after.pools[0].servers[0].active], [0, 1, 0])
})

test('a server that dies under load costs the connections that it had, and no others', async (t) => {
  const servers = [await named(t, 'one'), await named(t, 'two')]
  const { balancer, port } = await start(
    t,
    servers.map((server, index) => ({ name: `s${index}`, address: server.address })),
    { pool: { algorithm: 'least-connections' } },
  )
  let broken = 0
  let stopped = false
  let completed = 0
  const worker = async () => {
    while (!stopped) {
      let wire: Wire | undefined
      try {
        wire = await client(t, { port })
        await wire.readUntil('\n')
        for (let i = 0; i < 5; i++) {
          await wire.write('ping')
          await wire.read(4)
        }
        wire.end()
        await wire.readToEnd()
        completed++
      } catch {
        broken++
        wire?.socket.destroy()
      }
    }
  }
  const workers = Array.from({ length: 8 }, worker)
  const reached = async (count: number) => {
    while (completed < count) await new Promise((resolve) => setImmediate(resolve))
  }
  await reached(50)
  const open = (await balancer.status()).pools[0].servers[0].active
  await servers[0].stop()
  await reached(completed + 200)
  stopped = true
  await Promise.all(workers)
  assert.ok(broken <= Math.max(8, open), `${broken} connections were broken`)
  while ((await balancer.status()).pools[0].servers.some(({ active }) => active > 0)) assert.equal(balancer.process.exitCode, null)
})

test('connections of a server that goes down or into maintenance are kept, or reset where the listener says so', async (t) => {
  const server = await named(t, 'a')
  const pools = { servers: { servers: [{ name: 'a', address: server.address }] } }
  const listener = (host: string, onServerDown: string) => ({ bind: `${host}:0`, tcp: { pool: 'servers', onServerDown } })
  const balancer = await evener(t, {
    ...LOG,
    listeners: { keeping: listener('127.0.0.2', 'keep'), resetting: listener('127.0.0.1', 'reset') },
    pools,
  })
  const kept = await client(t, { host: '127.0.0.2', port: await balancer.port('keeping') })
  const dropped = await client(t, { port: await balancer.port('resetting') })
  await Promise.all([kept.readUntil('\n'), dropped.readUntil('\n')])
  await balancer.call('PATCH', '/api/v1/pools/servers/servers/a', { admin: 'maintenance' })
  assert.equal(await dropped.closed(), 'ECONNRESET')
  await balancer.printed(/line resetting servers a 0 2 1 server-down/)
  await kept.write('x')
  assert.equal((await kept.read(1)).toString(), 'x')
})

test('the reset of a port scanner or a health check of another balancer leaves nothing behind', async (t) => {
  const server = await named(t, 'a')
  const { balancer, port } = await start(t, [server.address])
  await Promise.all(
    Array.from(
      { length: 50 },
      () =>
        new Promise<void>((resolve) => {
          const socket = connect(port, '127.0.0.1', () => socket.resetAndDestroy())
          socket.on('close', () => resolve())
        }),
    ),
  )
  const wire: Wire = await client(t, { port })
  assert.equal(await wire.readUntil('\n'), 'a\n')
  wire.end()
  await wire.closed()
  for (;;) {
    const { listeners, pools } = await balancer.status()
    if (listeners[0].connections === 0 && pools[0].servers[0].active === 0) break
  }
})
