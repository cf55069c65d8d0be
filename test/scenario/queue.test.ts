import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { temporaryFolder } from '../support/cleanup.ts'
import { client, request, requestBytes } from '../support/client.ts'
import { type Evener, evener, proxyTo } from '../support/evener.ts'
import { heldOrigin } from '../support/held-origin.ts'

const LIMITS = { maxRequests: 1, queue: { size: 10, timeout: '20s' } }

/** Resolves when so many requests wait in the pool, over all workers. */
async function queued(balancer: Evener, count: number): Promise<void> {
  for (;;) {
    const { pools } = (await balancer.call('GET', '/api/v1/pools')).json as { pools: { queue: { length: number } }[] }
    if (pools[0].queue.length === count) return
  }
}

test('requests that find the pool full are served in the order in which they came, over all workers', async (t) => {
  const server = await heldOrigin(t)
  const balancer = await evener(t, proxyTo([server.address], { pool: { limits: LIMITS } }))
  const port = await balancer.port('web')
  const answers = [request(t, { port }, '/0')]
  await server.holds(1)
  for (let i = 1; i <= 6; i++) {
    answers.push(request(t, { port }, `/${i}`))
    await queued(balancer, i)
  }
  for (let i = 0; i <= 6; i++) {
    await server.holds(1)
    server.release(1)
    await answers[i]
  }
  assert.deepEqual(
    server.requests.map(({ uri }) => uri),
    ['/0', '/1', '/2', '/3', '/4', '/5', '/6'],
  )
  assert.equal(server.most, 1)
})

test('a body waits with its request and is sent whole', async (t) => {
  const server = await heldOrigin(t)
  const balancer = await evener(t, proxyTo([server.address], { pool: { limits: LIMITS } }))
  const port = await balancer.port('web')
  const first = request(t, { port }, '/first')
  await server.holds(1)
  const body = 'x'.repeat(300_000)
  const second = request(t, { port }, '/second', { method: 'POST', body })
  await queued(balancer, 1)
  server.open()
  assert.equal((await first).status, 200)
  assert.equal((await second).status, 200)
  assert.equal(server.requests[1].body, body)
})

test('a full queue refuses, and who waits too long is told so; both are in the log', async (t) => {
  const server = await heldOrigin(t)
  const limits = { maxRequests: 1, queue: { size: 1, timeout: '300ms' } }
  const config = { accessLog: { path: '${LOG}' }, ...proxyTo([server.address], { pool: { limits } }) }
  const log = join(temporaryFolder(t), 'access.log')
  const balancer = await evener(t, config, { env: { LOG: log } })
  const port = await balancer.port('web')
  const first = request(t, { port }, '/first')
  await server.holds(1)
  const second = request(t, { port }, '/second')
  await queued(balancer, 1)
  const third = await request(t, { port }, '/third')
  assert.equal(third.status, 503)
  assert.match(third.body.toString(), /wait already/)
  assert.equal((await second).status, 503)
  server.open()
  assert.equal((await first).status, 200)
  const metrics = (await balancer.call('GET', '/metrics')).text
  assert.match(metrics, /^evener_pool_queued_total\{pool="app"\} 1$/m)
  assert.match(metrics, /^evener_pool_queue_wait_seconds_count\{pool="app"\} 1$/m)
  assert.match(metrics, /^evener_http_terminations_total\{listener="web",termination="queue-full"\} 1$/m)
  assert.match(metrics, /^evener_http_terminations_total\{listener="web",termination="queue-timeout"\} 1$/m)
  balancer.process.kill('SIGTERM')
  await balancer.ended()
  const lines = readFileSync(log, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  const bySecond = lines.find(({ uri }) => uri === '/second')
  assert.equal(bySecond.queuePosition, 0)
  assert.ok(bySecond.queueTime >= 300)
  assert.deepEqual(
    lines.filter(({ uri }) => uri !== '/second').map(({ queueTime, queuePosition }) => [queueTime, queuePosition]),
    [
      [null, null],
      [null, null],
    ],
  )
})

test('a request of a better priority is served before those that wait', async (t) => {
  const server = await heldOrigin(t)
  const routes = [
    { match: { path: '/urgent' }, pool: 'app', queue: { priority: 0 } },
    { match: { path: '/idle' }, pool: 'app', queue: { priority: 3 } },
    { pool: 'app' },
  ]
  const balancer = await evener(t, proxyTo([server.address], { pool: { limits: LIMITS }, http: { routes } }))
  const port = await balancer.port('web')
  const answers = [request(t, { port }, '/first')]
  await server.holds(1)
  for (const [index, uri] of ['/idle', '/usual', '/urgent'].entries()) {
    answers.push(request(t, { port }, uri))
    await queued(balancer, index + 1)
  }
  server.open()
  await Promise.all(answers)
  assert.deepEqual(
    server.requests.map(({ uri }) => uri),
    ['/first', '/urgent', '/usual', '/idle'],
  )
})

test('who goes away leaves its place to the next', async (t) => {
  const server = await heldOrigin(t)
  const balancer = await evener(t, proxyTo([server.address], { pool: { limits: LIMITS } }))
  const port = await balancer.port('web')
  const first = request(t, { port }, '/first')
  await server.holds(1)
  const impatient = await client(t, { port })
  await impatient.write(requestBytes('/impatient'))
  await queued(balancer, 1)
  const last = request(t, { port }, '/last')
  await queued(balancer, 2)
  impatient.reset()
  await queued(balancer, 1)
  server.open()
  assert.equal((await first).status, 200)
  assert.equal((await last).status, 200)
  assert.deepEqual(
    server.requests.map(({ uri }) => uri),
    ['/first', '/last'],
  )
})

test('those who wait keep their place over a reload', async (t) => {
  const server = await heldOrigin(t)
  const config = proxyTo([server.address], { pool: { limits: LIMITS } })
  const balancer = await evener(t, config)
  const port = await balancer.port('web')
  const answers = [request(t, { port }, '/0')]
  await server.holds(1)
  for (let i = 1; i <= 4; i++) {
    answers.push(request(t, { port }, `/${i}`))
    await queued(balancer, i)
    if (i === 2) assert.equal((await balancer.call('POST', '/api/v1/reload')).status, 200)
  }
  server.open()
  await Promise.all(answers)
  assert.deepEqual(
    server.requests.map(({ uri }) => uri),
    ['/0', '/1', '/2', '/3', '/4'],
  )
})
