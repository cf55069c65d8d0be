import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { temporaryFolder } from '../support/cleanup.ts'
import { request } from '../support/client.ts'
import { command } from '../support/command.ts'
import { type Evener, evener, proxyTo } from '../support/evener.ts'
import { origin } from '../support/origin.ts'

async function answers(t: Parameters<typeof request>[0], balancer: Evener, count = 6): Promise<string[]> {
  const port = await balancer.port('web')
  const seen = new Set<string>()
  for (let i = 0; i < count; i++) seen.add((await request(t, { port }, '/')).body.toString())
  return [...seen].sort()
}

test('a server that is added gets requests from every worker at once, one that is removed gets none', async (t) => {
  const [a, b] = [await origin(t, 'a'), await origin(t, 'b')]
  const balancer = await evener(t, proxyTo([{ name: 'a', address: a.address }]))
  assert.deepEqual(await answers(t, balancer), ['a'])
  const added = await balancer.call('POST', '/api/v1/pools/app/servers', { name: 'b', address: b.address, weight: 2 })
  assert.equal(added.status, 201, added.text)
  const { source, weight, health } = added.json as { source: string; weight: number; health: string }
  assert.deepEqual({ source, weight, health }, { source: 'admin API', weight: 2, health: 'up' })
  assert.deepEqual(await answers(t, balancer), ['a', 'b'])
  assert.equal((await balancer.call('DELETE', '/api/v1/pools/app/servers/a')).status, 200)
  assert.deepEqual(await answers(t, balancer), ['b'])
  assert.equal((await balancer.call('DELETE', '/api/v1/pools/app/servers/b')).status, 200)
  assert.equal((await request(t, { port: await balancer.port('web') }, '/')).status, 503)
  assert.match(balancer.output, /server app\/b: added \(127\.0\.0\.1:\d+\), by the admin API/)
})

test('a server that is added is checked before it gets a request', async (t) => {
  const a = await origin(t, 'a')
  const sick = await origin(t, 'sick', (incoming, response) => response.writeHead(incoming.url === '/healthz' ? 503 : 200).end('sick'))
  const balancer = await evener(t, proxyTo([{ name: 'a', address: a.address }], { pool: { check: { http: { path: '/healthz' } } } }))
  const added = await balancer.call('POST', '/api/v1/pools/app/servers', { name: 'sick', address: sick.address })
  assert.equal((added.json as { health: string }).health, 'down')
  assert.deepEqual(await answers(t, balancer), ['a'])
})

test('a request that runs on a removed server ends as if nothing had been', async (t) => {
  const arrived = Promise.withResolvers<() => void>()
  const slow = await origin(t, 'slow', (_, response) => arrived.resolve(() => response.end('slow')))
  const fast = await origin(t, 'fast')
  const balancer = await evener(t, proxyTo([{ name: 'slow', address: slow.address }]))
  const port = await balancer.port('web')
  const running = request(t, { port }, '/')
  const finish = await arrived.promise
  await balancer.call('POST', '/api/v1/pools/app/servers', { name: 'fast', address: fast.address })
  await balancer.call('DELETE', '/api/v1/pools/app/servers/slow')
  assert.deepEqual(await answers(t, balancer), ['fast'])
  finish()
  assert.equal((await running).body.toString(), 'slow')
})

test('changes of servers are kept over a reload, and with a state file over a restart', async (t) => {
  const servers = [await origin(t, 'a'), await origin(t, 'b'), await origin(t, 'c')]
  const [a, b, c] = servers.map(({ address }, index) => ({ name: 'abc'[index], address }))
  const stateFile = join(temporaryFolder(t), 'state.json')
  const config = proxyTo([a, b], { top: { stateFile } })
  const first = await evener(t, config)
  await first.call('PATCH', '/api/v1/pools/app/servers/a', { admin: 'drain' })
  await first.call('DELETE', '/api/v1/pools/app/servers/b')
  await first.call('POST', '/api/v1/pools/app/servers', c)
  assert.equal((await first.call('POST', '/api/v1/reload')).status, 200)
  assert.deepEqual(await answers(t, first), ['c'])
  first.process.kill('SIGKILL')
  await first.ended()
  const second = await evener(t, config)
  assert.deepEqual(await answers(t, second), ['c'])
  const [pool] = (await second.status()).pools
  assert.deepEqual(
    pool.servers.map(({ name, admin }) => [name, admin]),
    [
      ['a', 'drain'],
      ['c', 'ready'],
    ],
  )
})

test('a corrupt state file is told, set aside and ignored', async (t) => {
  const a = await origin(t, 'a')
  const stateFile = join(temporaryFolder(t), 'state.json')
  writeFileSync(stateFile, '{"version": 1, "pools": {"app"')
  const balancer = await evener(t, proxyTo([{ name: 'a', address: a.address }], { top: { stateFile } }))
  assert.match(balancer.output, /state file [^ ]*state\.json is ignored, and so are the changes of servers in it: .*JSON/)
  assert.deepEqual(await answers(t, balancer), ['a'])
  assert.match(readFileSync(`${stateFile}.unreadable`, 'utf8'), /^\{"version": 1/)
  await balancer.call('PATCH', '/api/v1/pools/app/servers/a', { weight: 5 })
  assert.equal(JSON.parse(readFileSync(stateFile, 'utf8')).pools.app.changed.a.weight.value, 5)
})

test('what cannot be added or removed is refused in words', async (t) => {
  const a = await origin(t, 'a')
  const balancer = await evener(t, proxyTo([{ name: 'a', address: a.address }]))
  for (const [method, path, body, status, words] of [
    ['POST', '/api/v1/pools/app/servers', { name: 'a', address: '10.0.0.1:80' }, 409, /has a server "a" already/],
    ['POST', '/api/v1/pools/app/servers', { address: '10.0.0.1' }, 400, /address: .*port/],
    ['POST', '/api/v1/pools/app/servers', { address: '10.0.0.1:80', wieght: 3 }, 400, /wieght/],
    ['POST', '/api/v1/pools/ap/servers', { address: '10.0.0.1:80' }, 404, /no pool "ap"/],
    ['DELETE', '/api/v1/pools/app/servers/b', undefined, 404, /no server "b"/],
    ['GET', '/api/v1/pools/app/sessions', undefined, 409, /no persistence by table/],
  ] as const) {
    const answer = await balancer.call(method, path, body)
    assert.equal(answer.status, status, answer.text)
    assert.match(answer.text.replaceAll('\\"', '"'), words)
  }
})

test('the commands add, weigh, drain and remove servers', async (t) => {
  const [a, b] = [await origin(t, 'a'), await origin(t, 'b')]
  const balancer = await evener(t, proxyTo([{ name: 'a', address: a.address }]))
  const run = (...words: string[]) => command(t, [...words, '--admin', balancer.admin])
  assert.match((await run('server', 'add', 'app/b', b.address, '--weight', '3')).stdout, /^app\/b: added, up$/m)
  assert.match((await run('server', 'weight', 'app/b', '4')).stdout, /^app\/b: weight 4$/m)
  assert.match((await run('server', 'drain', 'app/a')).stdout, /^app\/a: drain$/m)
  assert.match((await run('status')).stdout, /^ {2}b +127\.0\.0\.1:\d+ +up +ready +4 .* admin API /m)
  assert.match((await run('server', 'remove', 'app/a')).stdout, /^app\/a: removed$/m)
  assert.deepEqual(await answers(t, balancer), ['b'])
  const refused = await run('server', 'remove', 'app/a')
  assert.equal(refused.code, 1)
  assert.match(refused.stderr, /has no server "a"; it has "b"/)
})
