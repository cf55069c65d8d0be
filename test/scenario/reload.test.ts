import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import { client, request, requestBytes } from '../support/client.ts'
import { command } from '../support/command.ts'
import { evener, proxyTo, start } from '../support/evener.ts'
import { origin } from '../support/origin.ts'

const base = { admin: { bind: '127.0.0.1:0' }, workers: 2, engine: process.env.EVENER_TEST_ENGINE ?? 'auto' }

/** Keeps asking over several connections until stopped; rejects at the first request that is not answered with 200. */
function load(t: { after(end: () => void): void }, port: number, connections: number) {
  let stopped = false
  let answered = 0
  const bodies = new Set<string>()
  const done = Promise.all(
    Array.from({ length: connections }, async () => {
      const wire = await client(t, { port })
      while (!stopped) {
        await wire.write(requestBytes('/'))
        const response = await wire.readResponse()
        assert.equal(response.status, 200)
        bodies.add(response.body.toString())
        answered++
      }
    }),
  )
  return {
    bodies,
    get answered() {
      return answered
    },
    async stop() {
      stopped = true
      await done
    },
    done,
  }
}

async function until(condition: () => boolean, work: Promise<unknown>): Promise<void> {
  while (!condition()) await Promise.race([new Promise((resolve) => setImmediate(resolve)), work.then(() => assert.fail('the load ended'))])
}

/** Resolves when the port refuses connections; each worker stops listening by itself. */
async function refused(t: { after(end: () => void): void }, port: number, host = '127.0.0.1'): Promise<void> {
  for (;;) {
    const error = await client(t, { host, port }).then(
      (wire) => wire.socket.destroy(),
      (reason: NodeJS.ErrnoException) => reason,
    )
    if (error instanceof Error && error.code === 'ECONNREFUSED') return
  }
}

test('a reload under load loses no request, and the new servers take over', async (t) => {
  const [one, two] = [await origin(t, 'one'), await origin(t, 'two')]
  const balancer = await evener(t, proxyTo([one.address]))
  const port = await balancer.port('web')
  const traffic = load(t, port, 8)
  await until(() => traffic.answered > 100, traffic.done)
  for (let i = 0; i < 10; i++) {
    balancer.configure({ ...base, ...proxyTo([i % 2 === 0 ? two.address : one.address]) })
    const answer = await balancer.call('POST', '/api/v1/reload')
    assert.equal(answer.status, 200, answer.text)
    const before = traffic.answered
    await until(() => traffic.answered > before + 50, traffic.done)
  }
  await traffic.stop()
  assert.deepEqual([...traffic.bodies].sort(), ['one', 'two'])
  assert.equal((await balancer.status()).config.generation, 11)
})

test('SIGHUP reloads too', async (t) => {
  const [one, two] = [await origin(t, 'one'), await origin(t, 'two')]
  const balancer = await evener(t, proxyTo([one.address]))
  balancer.configure({ ...base, ...proxyTo([two.address]) })
  balancer.process.kill('SIGHUP')
  await balancer.printed(/generation 2 is in force/)
  assert.equal((await request(t, { port: await balancer.port('web') }, '/')).body.toString(), 'two')
})

test('an invalid configuration changes nothing and says why', async (t) => {
  const server = await origin(t, 'still here')
  const balancer = await evener(t, proxyTo([server.address]))
  const port = await balancer.port('web')
  writeFileSync(balancer.configFile, JSON.stringify({ ...base, ...proxyTo([server.address], { pool: { algorithm: 'least-conections' } }) }))
  const answer = await balancer.call('POST', '/api/v1/reload')
  assert.equal(answer.status, 422)
  assert.match(answer.text, /least-conections/)
  const told = await command(t, ['reload', '--admin', balancer.admin])
  assert.equal(told.code, 1)
  assert.match(
    told.stderr,
    /:\d+:\d+ {2}pools\.app\.algorithm: unknown algorithm "least-conections"\n.*\n.*\^ {2}did you mean "least-connections"\?/,
  )
  await balancer.printed(/changed nothing: [^\n]*:\d+:\d+ {2}pools\.app\.algorithm/)
  assert.equal((await request(t, { port }, '/')).body.toString(), 'still here')
  assert.equal((await balancer.status()).config.generation, 1)
})

test('a new listener whose address is taken changes nothing and says why', async (t) => {
  const server = await origin(t, 'still here')
  const balancer = await evener(t, proxyTo([server.address]))
  const port = await balancer.port('web')
  const config = proxyTo([server.address]) as { listeners: Record<string, object>; pools: object }
  balancer.configure({
    ...base,
    ...config,
    listeners: { ...config.listeners, other: { bind: server.address, http: { routes: [{ pool: 'app' }] } } },
  })
  const answer = await balancer.call('POST', '/api/v1/reload')
  assert.equal(answer.status, 422)
  assert.match(answer.text, /in use/)
  assert.equal((await request(t, { port }, '/')).body.toString(), 'still here')
  assert.deepEqual(
    (await balancer.status()).listeners.map(({ name }) => name),
    ['web'],
  )
})

test('what workers refuse changes nothing, in status and metrics either', async (t) => {
  const server = await origin(t, 'still here')
  const balancer = await evener(t, proxyTo([server.address]))
  const port = await balancer.port('web')
  const config = proxyTo([server.address]) as { listeners: { web: object }; pools: object }
  balancer.configure({
    ...base,
    ...config,
    listeners: { other: { ...config.listeners.web, bind: 'unix:/nonexistent/evener.sock' } },
  })
  const answer = await balancer.call('POST', '/api/v1/reload')
  assert.equal(answer.status, 422, answer.text)
  assert.equal((await request(t, { port }, '/')).body.toString(), 'still here')
  assert.deepEqual(
    (await balancer.status()).listeners.map(({ name }) => name),
    ['web'],
  )
  assert.match((await balancer.call('GET', '/metrics')).text, /evener_connections\{listener="web"\}/)
})

test('a listener is added and removed by reloads', async (t) => {
  const server = await origin(t, 'ok')
  const config = proxyTo([server.address]) as { listeners: Record<string, object> }
  const balancer = await evener(t, config)
  balancer.configure({
    ...base,
    ...config,
    listeners: { ...config.listeners, more: { bind: '127.0.0.2:0', http: { routes: [{ pool: 'app' }] } } },
  })
  assert.equal((await balancer.call('POST', '/api/v1/reload')).status, 200)
  const port = await balancer.port('more')
  assert.equal((await request(t, { host: '127.0.0.2', port }, '/')).body.toString(), 'ok')
  balancer.configure({ ...base, ...config })
  assert.equal((await balancer.call('POST', '/api/v1/reload')).status, 200)
  await refused(t, port, '127.0.0.2')
})

test('a busy port is one clear error, and nothing is left running', async (t) => {
  const server = await origin(t)
  const failed = start(t, proxyTo([server.address], { listener: { bind: server.address } }))
  assert.equal(await failed.ended(), 1)
  assert.match(failed.output, new RegExp(`${server.address} is in use`))
})

test('a second Evener on the same port is refused, although ports could be shared', async (t) => {
  const server = await origin(t)
  const first = await evener(t, proxyTo([server.address]))
  const port = await first.port('web')
  const second = start(t, proxyTo([server.address], { listener: { bind: `127.0.0.1:${port}` } }))
  assert.equal(await second.ended(), 1)
  assert.match(second.output, /in use/)
})

test('SIGTERM lets the running request finish, refuses new connections, and ends with 0', async (t) => {
  const asked = Promise.withResolvers<void>()
  const answer = Promise.withResolvers<void>()
  const server = await origin(t, 'slow', (_, response) => {
    asked.resolve()
    void answer.promise.then(() => response.end('finished'))
  })
  const balancer = await evener(t, proxyTo([server.address]))
  const port = await balancer.port('web')
  const idle = await client(t, { port })
  const wire = await client(t, { port })
  await wire.write(requestBytes('/'))
  await asked.promise
  balancer.process.kill('SIGTERM')
  await balancer.printed(/draining/)
  await idle.closed()
  await refused(t, port)
  answer.resolve()
  const response = await wire.readResponse()
  assert.equal(response.body.toString(), 'finished')
  assert.deepEqual(
    response.fields.filter(([name]) => name.toLowerCase() === 'connection'),
    [['Connection', 'close']],
  )
  assert.equal(await balancer.ended(), 0)
})

test('the grace period ends what does not finish', async (t) => {
  const asked = Promise.withResolvers<void>()
  const server = await origin(t, 'never', () => asked.resolve())
  const balancer = await evener(t, { timeouts: { drain: '100ms' }, ...proxyTo([server.address]) })
  const wire = await client(t, { port: await balancer.port('web') })
  await wire.write(requestBytes('/'))
  await asked.promise
  balancer.process.kill('SIGTERM')
  assert.equal(await balancer.ended(), 0)
})

test('all workers listen on the port that the kernel chose for the first, after a reload too', {
  skip: process.platform !== 'linux',
}, async (t) => {
  const server = await origin(t)
  const config = proxyTo([server.address])
  const balancer = await evener(t, config)
  const port = await balancer.port('web')
  const listening = () => {
    const ending = `:${port.toString(16).toUpperCase().padStart(4, '0')} 00000000:0000 0A `
    return readFileSync('/proc/net/tcp', 'latin1')
      .split('\n')
      .filter((line) => line.includes(ending)).length
  }
  assert.equal(listening(), 2)
  assert.equal((await balancer.call('POST', '/api/v1/reload')).status, 200)
  assert.equal(await balancer.port('web'), port)
  assert.equal(listening(), 2)
})
