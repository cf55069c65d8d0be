import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync, readFileSync, renameSync, watch } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { temporaryFolder } from '../support/cleanup.ts'
import { request } from '../support/client.ts'
import { type Evener, evener, proxyTo } from '../support/evener.ts'
import { origin } from '../support/origin.ts'

/** The lines of a file once there are so many. */
async function lines(file: string, count: number): Promise<string[]> {
  const watcher = watch(dirname(file))
  try {
    for (;;) {
      const changed = once(watcher, 'change')
      const found = existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(0, -1) : []
      if (found.length >= count) return found
      await changed
    }
  } finally {
    watcher.close()
  }
}

async function end(balancer: Evener): Promise<void> {
  balancer.process.kill('SIGTERM')
  assert.equal(await balancer.ended(), 0)
}

test('each exchange is a JSON line with what the client asked and who answered', async (t) => {
  const server = await origin(t, 'hello')
  const file = join(temporaryFolder(t), 'access.log')
  const balancer = await evener(
    t,
    proxyTo([{ name: 'a', address: server.address }], { top: { accessLog: { path: file, format: 'json' } } }),
  )
  const target = { port: await balancer.port('web') }
  await request(t, target, '/a?b', {
    method: 'POST',
    body: 'four',
    fields: { 'User-Agent': 'a "quoted"\tone', Referer: Buffer.from('http://é/').toString('latin1') },
  })
  await request(t, target, '/x/../y')
  // Two workers may have served them, and their lines come as they like.
  const [first, second] = (await lines(file, 2)).map((line) => JSON.parse(line)).sort((a, b) => a.status - b.status)
  const { time, duration, firstByte, ...rest } = first
  assert.ok(Math.abs(Date.parse(time) - Date.now()) < 60_000)
  assert.ok(duration >= firstByte && firstByte >= 0)
  assert.deepEqual(rest, {
    client: '127.0.0.1',
    method: 'POST',
    uri: '/a?b',
    host: 'test',
    version: '1.1',
    status: 200,
    bytesIn: 4,
    bytesOut: 5,
    attempts: 1,
    queueTime: null,
    queuePosition: null,
    listener: 'web',
    route: 'listeners.web.http.routes[0]',
    pool: 'app',
    server: 'a',
    termination: 'complete',
    userAgent: 'a "quoted"\tone',
    referer: 'http://é/',
    tlsVersion: null,
    tlsCipher: null,
    serverName: null,
    ja3: null,
    ja4: null,
  })
  assert.deepEqual([second.status, second.termination, second.pool], [400, 'request-refused', null])
})

test('a rotated log is opened anew on SIGUSR1, and no line is lost', async (t) => {
  const server = await origin(t)
  const file = join(temporaryFolder(t), 'access.log')
  const balancer = await evener(t, proxyTo([server.address], { top: { accessLog: { path: file, format: '{uri}' } } }))
  const target = { port: await balancer.port('web') }
  await request(t, target, '/before')
  await lines(file, 1)
  renameSync(file, `${file}.1`)
  balancer.process.kill('SIGUSR1')
  await request(t, target, '/after')
  const found = await lines(file, 1).then((after) => [...readFileSync(`${file}.1`, 'utf8').split('\n').slice(0, -1), ...after])
  assert.deepEqual(found, ['/before', '/after'])
})

test('what is logged when Evener is told to end is written', async (t) => {
  const server = await origin(t)
  const file = join(temporaryFolder(t), 'access.log')
  const balancer = await evener(t, proxyTo([server.address], { top: { accessLog: { path: file, format: 'combined' } } }))
  await request(t, { port: await balancer.port('web') }, '/last')
  await end(balancer)
  assert.match(readFileSync(file, 'utf8'), /^127\.0\.0\.1 - - \[[^\]]+ \+0000\] "GET \/last HTTP\/1\.1" 200 \d+ "-" "-"\n$/)
})

test('what the end of the grace period cuts off is written too, and says so', async (t) => {
  const asked = Promise.withResolvers<void>()
  const server = await origin(t, 'never', () => asked.resolve())
  const file = join(temporaryFolder(t), 'access.log')
  const top = { accessLog: { path: file, format: '{uri} {status} {termination}' }, timeouts: { drain: '100ms' } }
  const balancer = await evener(t, proxyTo([server.address], { top }))
  const answer = request(t, { port: await balancer.port('web') }, '/endless')
  await asked.promise
  await end(balancer)
  assert.equal((await answer).status, 503)
  assert.equal(readFileSync(file, 'utf8'), '/endless 503 shutdown\n')
})

test('not one of many lines is lost when Evener is told to end in the middle of its work', async (t) => {
  const server = await origin(t)
  const file = join(temporaryFolder(t), 'access.log')
  const balancer = await evener(t, proxyTo([server.address], { top: { accessLog: { path: file, format: '{uri}' } } }))
  const target = { port: await balancer.port('web') }
  let answered = 0
  const ask = async (): Promise<void> => {
    for (;;) {
      const answer = await request(t, target, '/').catch(() => undefined)
      if (answer === undefined) return
      answered++
      if (answered === 100) balancer.process.kill('SIGTERM')
    }
  }
  await Promise.all(Array.from({ length: 8 }, ask))
  assert.equal(await balancer.ended(), 0)
  const written = readFileSync(file, 'utf8').split('\n').length - 1
  assert.ok(written >= answered, `${answered} answers, ${written} lines`)
})

test('a log that cannot be written is said at the start, and costs no request', async (t) => {
  const server = await origin(t)
  const file = join(temporaryFolder(t), 'missing', 'access.log')
  const balancer = await evener(t, proxyTo([server.address], { top: { accessLog: { path: file, format: 'json' } } }))
  await balancer.printed(/access log .* cannot be written: its folder does not exist/)
  const target = { port: await balancer.port('web') }
  for (let i = 0; i < 20; i++) assert.equal((await request(t, target, '/')).status, 200)
  await end(balancer)
})
