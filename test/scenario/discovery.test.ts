import assert from 'node:assert/strict'
import { once } from 'node:events'
import { renameSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { temporaryFolder } from '../support/cleanup.ts'
import { request } from '../support/client.ts'
import { type Evener, evener, proxyTo } from '../support/evener.ts'
import { knot } from '../support/knot.ts'
import { needs } from '../support/needs.ts'
import { origin } from '../support/origin.ts'

const KNOT = needs('knotd')

async function answers(t: Parameters<typeof request>[0], balancer: Evener, count = 6): Promise<string[]> {
  const port = await balancer.port('web')
  const seen = new Set<string>()
  for (let i = 0; i < count; i++) seen.add((await request(t, { port }, '/')).body.toString())
  return [...seen].sort()
}

test('servers come and go with the A records of a name, and those that stay keep their state', KNOT, async (t) => {
  const dns = await knot(t, 'app A 127.0.0.1\napp A 127.0.0.2')
  const discover = { dns: { name: 'app.test', port: 8080, resolvers: dns.address, minTtl: '100ms' } }
  const balancer = await evener(t, proxyTo([], { pool: { discover } }))
  assert.match(balancer.output, /pool app: dns app\.test @127\.0\.0\.1:\d+: 2 servers: \+ 127\.0\.0\.1:8080, \+ 127\.0\.0\.2:8080/)
  await balancer.call('PATCH', '/api/v1/pools/app/servers/127.0.0.2:8080', { weight: 7 })
  dns.zone('app A 127.0.0.2\napp A 127.0.0.3\napp AAAA ::1')
  const servers = await serversWhen(balancer, 3)
  await balancer.printed(/\+ 127\.0\.0\.3:8080.*- 127\.0\.0\.1:8080/)
  assert.deepEqual(
    servers.map(({ name, weight }) => [name, weight]),
    [
      ['127.0.0.2:8080', 7],
      ['127.0.0.3:8080', 1],
      ['[::1]:8080', 1],
    ],
  )
})

test('SRV records bring port, weight and priority, and their targets may be aliases', KNOT, async (t) => {
  const [a, b] = [await origin(t, 'a'), await origin(t, 'b')]
  const records = `_http._tcp.app SRV 0 3 ${a.port} one\n_http._tcp.app SRV 5 0 ${b.port} two\none A 127.0.0.1\ntwo CNAME one`
  const dns = await knot(t, records)
  const discover = { dns: { name: '_http._tcp.app.test', record: 'srv', resolvers: dns.address } }
  const balancer = await evener(t, proxyTo([], { pool: { discover } }))
  assert.deepEqual(await answers(t, balancer), ['a'])
  const servers = await serversWhen(balancer, 2)
  assert.deepEqual(
    servers.map(({ address, weight, priority }) => [address, weight, priority]).sort(),
    [
      [a.address, 3, 0],
      [b.address, 1, 5],
    ].sort(),
  )
  await a.stop()
  await balancer.call('PATCH', `/api/v1/pools/app/servers/${a.address}`, { admin: 'maintenance' })
  assert.deepEqual(await answers(t, balancer), ['b'])
})

test('an answer too long for a datagram is asked for over TCP', KNOT, async (t) => {
  const addresses = Array.from({ length: 200 }, (_, index) => `127.0.1.${index + 1}`)
  const dns = await knot(t, addresses.map((address) => `many A ${address}`).join('\n'))
  const discover = { dns: { name: 'many.test', record: 'a', port: 80, resolvers: dns.address } }
  const balancer = await evener(t, proxyTo([], { pool: { discover } }))
  assert.equal((await serversWhen(balancer, 200)).length, 200)
})

test('DNS that stops answering keeps the last answer, and says so', KNOT, async (t) => {
  const a = await origin(t, 'a')
  const dns = await knot(t, 'app A 127.0.0.1')
  const discover = { dns: { name: 'app.test', port: a.port, resolvers: dns.address, minTtl: '100ms', timeout: '200ms' } }
  const balancer = await evener(t, proxyTo([], { pool: { discover } }))
  assert.deepEqual(await answers(t, balancer), ['a'])
  dns.peer.process.kill('SIGSTOP')
  await balancer.printed(/no answer within 200 ms; going on with the last answer \(1 server\)/)
  assert.deepEqual(await answers(t, balancer), ['a'])
  dns.peer.process.kill('SIGCONT')
  await balancer.printed(/it answers again/)
})

test('a name that is gone keeps the last servers, unless the pool is to be empty then', KNOT, async (t) => {
  const dns = await knot(t, 'app A 127.0.0.1')
  const of = (whenEmpty: string) => ({ servers: [], discover: { dns: { name: 'app.test', port: 80, resolvers: dns.address }, whenEmpty } })
  const balancer = await evener(t, {
    listeners: { web: { bind: '127.0.0.1:0', http: { routes: [{ match: { path: '/a' }, pool: 'kept' }, { pool: 'emptied' }] } } },
    pools: { kept: of('keep'), emptied: of('apply') },
  })
  dns.zone('other A 127.0.0.1')
  await balancer.printed(/pool kept: .*there is no server in the answer; going on with the last answer/)
  await balancer.printed(/pool emptied: .*0 servers: - 127\.0\.0\.1:80/)
  const kept = (await balancer.status()).pools.map(({ servers }) => servers.length)
  assert.equal(kept[0], 1)
  assert.deepEqual((await serversWhen(balancer, 0, 'emptied')).length, 0)
})

test('a file with servers is read again when it changes, and one with an error changes nothing', async (t) => {
  const [a, b] = [await origin(t, 'a'), await origin(t, 'b')]
  const path = join(temporaryFolder(t), 'servers.yaml')
  const replace = (text: string) => {
    writeFileSync(`${path}.new`, text)
    renameSync(`${path}.new`, path)
  }
  replace(JSON.stringify([a.address]))
  const balancer = await evener(t, proxyTo([], { pool: { discover: { file: { path, interval: '50ms' } } } }))
  assert.deepEqual(await answers(t, balancer), ['a'])
  replace(`servers:\n  - { name: b, address: "${b.address}", weight: 2 }\n`)
  await balancer.printed(/1 server: \+ b 127.0.0.1:\d+, - 127/)
  while ((await serversWhen(balancer, 1))[0].name !== 'b');
  assert.deepEqual(await answers(t, balancer), ['b'])
  replace('- { address: "10.0.0.1" }')
  await balancer.printed(/server 0: address: .*port.*; going on with the last answer/)
  assert.deepEqual(await answers(t, balancer), ['b'])
})

test('an HTTP endpoint is asked for servers, and its silence takes none away', async (t) => {
  const [a, b] = [await origin(t, 'a'), await origin(t, 'b')]
  let answer: object | undefined = { servers: [{ name: 'a', address: a.address }] }
  const endpoint = createServer((incoming, response) => {
    if (answer === undefined) incoming.socket.destroy()
    else response.writeHead(incoming.headers['x-key'] === 'open' ? 200 : 403).end(JSON.stringify(answer))
  }).listen(0, '127.0.0.1')
  t.after(() => void endpoint.close().closeAllConnections())
  await once(endpoint, 'listening')
  const { port } = endpoint.address() as AddressInfo
  const http = { url: `http://127.0.0.1:${port}/servers?secret=1`, headers: { 'X-Key': 'open' }, interval: '50ms' }
  const balancer = await evener(t, proxyTo([], { pool: { discover: { http } } }))
  assert.deepEqual(await answers(t, balancer), ['a'])
  answer = [
    { name: 'a', address: a.address },
    { name: 'b', address: b.address },
  ]
  await balancer.printed(/2 servers: \+ b/)
  await serversWhen(balancer, 2)
  assert.deepEqual(await answers(t, balancer), ['a', 'b'])
  answer = undefined
  await balancer.printed(/http:\/\/127.0.0.1:\d+\/servers: .*going on with the last answer \(2 servers\)/)
  assert.deepEqual(await answers(t, balancer), ['a', 'b'])
  assert.doesNotMatch(balancer.output, /secret/)
})

interface Found {
  readonly name: string
  readonly address: string
  readonly weight: number
  readonly priority: number
}

/** The servers of a pool once there are so many: what was found is in force a moment after it was told. */
async function serversWhen(balancer: Evener, count: number, pool = 'app'): Promise<Found[]> {
  for (;;) {
    const found = (await balancer.call('GET', `/api/v1/pools/${pool}`)).json as { servers: Found[] }
    if (found.servers.length === count) return found.servers
  }
}
