/**
 * What docs/failure-modes.md promises, as a user would meet it: servers are processes that are killed, frozen and started again under
 * load. Each test says what was lost.
 */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { client, request, requestBytes } from '../support/client.ts'
import { type Evener, evener, proxyTo } from '../support/evener.ts'
import { type Load, load } from '../support/load.ts'
import { origin, rawOrigin } from '../support/origin.ts'
import { type ServerProcess, serverProcess } from '../support/server-process.ts'

const CHECK = { tcp: {}, interval: '100ms', timeout: '500ms', rise: 2, fall: 2 }
const RETRY = { attempts: 3, on: ['connect-failure', 'reset', 'timeout'] }
const response = '200ms'

async function serversOf(t: TestContext, ...names: string[]): Promise<ServerProcess[]> {
  return Promise.all(names.map((name) => serverProcess(t, name)))
}

async function balancing(
  t: TestContext,
  servers: readonly { readonly name: string; readonly address: string }[],
  { pool = {}, retry = RETRY as object } = {},
): Promise<{ readonly balancer: Evener; readonly port: number }> {
  const named = servers.map(({ name, address }) => ({ name, address }))
  const balancer = await evener(t, proxyTo(named, { pool: { check: CHECK, ...pool }, route: { retry } }))
  return { balancer, port: await balancer.port('web') }
}

async function nothingLost(running: Load): Promise<void> {
  assert.deepEqual((await running.stop()).failures, [])
}

test('a server is killed under load: no GET is lost, and the POSTs that it was working on at most', async (t) => {
  const [a, b, c] = await serversOf(t, 'a', 'b', 'c')
  const { balancer, port } = await balancing(t, [a, b, c])
  const [reading, writing] = [load(t, port, { clients: 8 }), load(t, port, { clients: 4, method: 'POST' })]
  await Promise.all([reading.more(300), writing.more(100)])
  await b.kill()
  await balancer.printed(/server app\/b is down: tcp check: connection refused/)
  await Promise.all([reading.more(300), writing.more(100)])
  await nothingLost(reading)
  const { failures } = await writing.stop()
  assert.ok(failures.length <= 4, failures.join(', '))
  for (const failure of failures) assert.match(failure, /^502 /)
})

test('a server is frozen: GETs wait for its time-out once, and go elsewhere', async (t) => {
  const [a, b] = await serversOf(t, 'a', 'b')
  const check = { http: { path: '/' }, interval: '100ms', timeout: '200ms', rise: 1, fall: 2 }
  const { balancer, port } = await balancing(t, [a, b], { pool: { check, timeouts: { response } } })
  const running = load(t, port)
  await running.more(100)
  b.freeze()
  await balancer.printed(/server app\/b is down: http check: no answer within 200 ms/)
  await running.more(100)
  b.thaw()
  await balancer.printed(/is down[\s\S]*server app\/b is up/)
  await running.heard('b')
  await nothingLost(running)
})

test('a server that answers far more slowly than the others is taken out, and nothing is lost', async (t) => {
  const [a, b, c] = await serversOf(t, 'a', 'b', 'c')
  const slow = await serverProcess(t, 'slow', { delayMs: 300 })
  const outliers = { interval: '500ms', minRequests: 2, slowFactor: 3, slowMin: '50ms', ejection: '1m' }
  const { balancer, port } = await balancing(t, [a, b, c, slow], { pool: { outliers } })
  const running = load(t, port, { clients: 8 })
  await balancer.printed(/server app\/slow is ejected: response times more than 3 times the median, out for 60 s/)
  const before = running.counts.answers.get('slow') ?? 0
  await running.more(200)
  assert.ok((running.counts.answers.get('slow') ?? 0) - before <= 8, 'what was under way at most')
  await nothingLost(running)
})

test('a server vanishes without a word: the request on its connection waits for the time-out, and is answered by another', async (t) => {
  // A machine without power sends neither FIN nor RST: what is sent to it is never answered.
  let isGone = false
  const vanished = await rawOrigin(t, async (wire) => {
    for (;;) {
      await wire.readRequest()
      if (!isGone) await wire.write('HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nvanished')
    }
  })
  const alive = await origin(t, 'alive')
  const servers = [
    { name: 'vanished', address: vanished.address, priority: 0 },
    { name: 'alive', address: alive.address, priority: 1 },
  ]
  const balancer = await evener(t, proxyTo(servers, { pool: { timeouts: { response } }, route: { retry: RETRY } }))
  const wire = await client(t, { port: await balancer.port('web') })
  await wire.write(requestBytes('/'))
  assert.equal((await wire.readResponse()).body.toString(), 'vanished')
  isGone = true
  await wire.write(requestBytes('/'))
  assert.equal((await wire.readResponse()).body.toString(), 'alive')
  await wire.write(requestBytes('/', { method: 'POST', body: 'once' }))
  assert.equal((await wire.readResponse('POST')).status, 504, 'a POST may have been worked on: it is not sent again')
})

test('a client vanishes without a word: its connection is closed after its time-outs, and its server is free', async (t) => {
  const server = await origin(t)
  const top = { timeouts: { requestHead: '100ms', idle: '100ms' } }
  const balancer = await evener(t, proxyTo([server.address], { top }))
  const port = await balancer.port('web')
  const [idle, halfway] = [await client(t, { port }), await client(t, { port })]
  await halfway.write('GET / HTTP/1.1\r\nHost: te')
  await Promise.all([idle.closed(), halfway.closed()])
  // The client sees the end before it is counted.
  while ((await balancer.status()).listeners[0].connections > 0);
  assert.equal((await balancer.status()).pools[0].servers[0].active, 0)
})

test('a server resets its connection after the head: that one answer is lost, and the client can tell', async (t) => {
  const broken = await rawOrigin(t, async (wire) => {
    await wire.readRequest()
    await wire.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf')
    wire.socket.resetAndDestroy()
  })
  const good = await origin(t, 'good')
  const servers = [
    { name: 'broken', address: broken.address },
    { name: 'good', address: good.address },
  ]
  const pool = { check: undefined, outliers: { consecutiveFailures: 3, ejection: '1m' } }
  const balancer = await evener(t, proxyTo(servers, { pool, route: { retry: RETRY } }))
  const running = load(t, await balancer.port('web'), { clients: 1 })
  await balancer.printed(/server app\/broken is ejected: 3 failures in a row, out for 60 s/)
  await running.more(20)
  const { failures, answers } = await running.stop()
  assert.equal(failures.length, 3, failures.join(', '))
  assert.deepEqual([...answers.keys()], ['good'], 'no half answer was taken for a whole one')
})

test('a server comes back: it gets requests again, a growing share, and none is lost', async (t) => {
  const [a, b] = await serversOf(t, 'a', 'b')
  const { balancer, port } = await balancing(t, [a, b], { pool: { slowStart: '1s' } })
  const running = load(t, port)
  await running.more(50)
  await b.kill()
  await balancer.printed(/server app\/b is down/)
  await b.start()
  await balancer.printed(/is down[\s\S]*server app\/b is up/)
  const { servers } = (await balancer.status()).pools[0]
  assert.equal(servers[1].health, 'starting')
  await running.heard('b')
  await nothingLost(running)
})

test('all servers are gone: 503 at once for as long as that lasts, and everything again as soon as one is back', async (t) => {
  const [a, b] = await serversOf(t, 'a', 'b')
  const { balancer, port } = await balancing(t, [a, b])
  const running = load(t, port, { clients: 2 })
  await running.more(50)
  await Promise.all([a.kill(), b.kill()])
  await balancer.printed(/pool app is out of service: none of 2 servers is left/)
  const answer = await request(t, { port }, '/')
  assert.equal(answer.status, 503)
  assert.match(answer.body.toString(), /No server is available/)
  await b.start()
  await balancer.printed(/pool app is in service again: 1 of 2 servers/)
  await running.heard('b')
  const failed = running.counts.failures.length
  await running.more(50)
  assert.equal(running.counts.failures.length, failed)
  for (const failure of running.counts.failures) assert.match(failure, /^50[23] /)
})

test('a server flaps: the others carry on, no GET is lost, and it is told as often as it changes', async (t) => {
  const [a, b] = await serversOf(t, 'a', 'b')
  const { balancer, port } = await balancing(t, [a, b], { pool: { check: { ...CHECK, rise: 1, fall: 1 } } })
  const running = load(t, port)
  for (let round = 1; round <= 3; round++) {
    await b.kill()
    await balancer.printed(new RegExp(`(is down[\\s\\S]*){${round}}`))
    await b.start()
    await balancer.printed(new RegExp(`(is down[\\s\\S]*server app/b is up[\\s\\S]*){${round}}`))
    await running.heard('b')
  }
  await nothingLost(running)
  assert.equal(balancer.output.match(/server app\/b is down/g)?.length, 3)
})
