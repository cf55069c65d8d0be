/** Every folder of examples/ is started, with its own servers, and does what its README says. */
import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { globSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { WebSocket } from 'ws'
import { selfSigned } from '../support/certificate.ts'
import { type Cleanup, temporaryFolder } from '../support/cleanup.ts'
import { type RequestOptions, request } from '../support/client.ts'
import { postgresql, postgresqlStandby } from '../support/databases.ts'
import { type Evener, serving, startFile } from '../support/evener.ts'
import { needs, needsRoot, program } from '../support/needs.ts'
import { refusedPort } from '../support/origin.ts'
import { fieldValue, type WireResponse } from '../support/wire.ts'

const EXAMPLES = join(import.meta.dirname, '../../examples')

test('every example is started by a test below, and listed', () => {
  const folders = readdirSync(EXAMPLES, { withFileTypes: true }).filter((entry) => entry.isDirectory())
  const self = readFileSync(import.meta.filename, 'utf8')
  const list = readFileSync(join(EXAMPLES, 'README.md'), 'utf8')
  for (const { name } of folders) {
    assert.ok(self.includes(`startExample(t, '${name}'`) || self.includes(`'${name}/try.sh'`), `examples/${name} is not tested`)
    assert.ok(list.includes(`[${name}](${name})`), `examples/${name} is not in examples/README.md`)
  }
})

test('packet: the kernel forwards in namespaces, by weight, and nothing is left', needsRoot('ip', 'ethtool', 'curl'), () => {
  const said = execFileSync('sh', [join(EXAMPLES, 'packet/try.sh')], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
    timeout: 60_000,
  })
  assert.deepEqual([said.match(/^server a$/gm)?.length, said.match(/^server b$/gm)?.length], [6, 3])
  assert.doesNotMatch(execFileSync('ip', ['netns', 'list'], { encoding: 'utf8' }), /evener-try/)
})

test('proxy: requests are shared by weight', async (t) => {
  const { get, count } = await startExample(t, 'proxy')
  for (let i = 0; i < 8; i++) await get('/')
  // Two workers take turns of their own, so that shares hold for each of them.
  const [a, b, c] = count()
  assert.equal(a + b + c, 8)
  assert.ok(a >= b && a >= c && b > 0, `${a}, ${b}, ${c}`)
})

test('routes: hosts, paths, redirects, answers and changes', async (t) => {
  const { get, ports } = await startExample(t, 'routes')
  assert.equal(text(await get('/ping')), 'pong\n')
  const moved = await get('/sale?page=2', { host: 'www.shop.test' })
  assert.deepEqual([moved.status, fieldValue(moved, 'location')], [301, 'https://shop.test/sale?page=2'])
  const image = await get('/img/logo.png', { host: 'cdn.shop.test' })
  assert.match(text(image), new RegExp(`^server ${ports[2]},.* GET cdn.shop.test/static/logo.png `))
  assert.equal(fieldValue(image, 'cache-control'), 'public, max-age=3600')
  assert.match(text(await get('/admin/users')), new RegExp(`^server (${ports[0]}|${ports[1]}),`))
  assert.match(text(await get('/')), new RegExp(`^server (${ports[0]}|${ports[1]}),`))
})

test('failover: the spare server takes over when both others fail their checks, and gives back', async (t) => {
  const { get, ports, evener } = await startExample(t, 'failover')
  const fail = (port: number, what: 'fail' | 'heal') => request(t, { port }, `/healthz/${what}`)
  await Promise.all([fail(ports[0], 'fail'), fail(ports[1], 'fail')])
  await Promise.all([evener.printed(/app\/a is down/), evener.printed(/app\/b is down/)])
  assert.match(text(await get('/')), new RegExp(`^server ${ports[2]},`))
  await fail(ports[0], 'heal')
  await evener.printed(/app\/a is down[\s\S]*app\/a is up/)
  assert.match(text(await get('/')), new RegExp(`^server ${ports[0]},`))
})

test('resource: traffic follows what the agents say', async (t) => {
  const { get, ports, evener, count } = await startExample(t, 'resource', ['servers.mjs', 'servers.mjs', 'agents.mjs', 'agents.mjs'])
  const say = (what: string) => request(t, { port: ports[2] }, `/set?${what}`)
  const reason = async () => (await evener.status()).pools[0].servers[0].agent?.reason
  for (let i = 0; i < 10; i++) await get('/')
  assert.deepEqual(count().slice(0, 2), [5, 5])
  await say('cpu=80')
  while ((await reason()) !== 'agent: up, capacity 20 %');
  for (let i = 0; i < 10; i++) await get('/')
  assert.deepEqual(count().slice(0, 2), [7, 13])
  await say('admin=drain&reason=deploy')
  await evener.printed(/app\/a is drain: agent: up, drain, capacity 20 % \(deploy\)/)
  for (let i = 0; i < 10; i++) await get('/')
  assert.deepEqual(count().slice(0, 2), [7, 23])
})

test('tcp-udp: connections are shared out by number, datagrams are passed on, both are logged', async (t) => {
  const { get, evener, ports } = await startExample(t, 'tcp-udp')
  for (let i = 0; i < 4; i++) assert.match(text(await get('/')), new RegExp(`^server (${ports[0]}|${ports[1]}),`))
  await evener.printed(/web 127\.0\.0\.1 app\/[ab] \d+ in, \d+ out, [\d.]+ ms: complete/)
  const logs = createSocket('udp4').bind(ports[2], '127.0.0.1')
  t.after(() => logs.close())
  await once(logs, 'listening')
  const received = once(logs, 'message')
  const client = createSocket('udp4')
  t.after(() => client.close())
  client.send('<13>hello', await evener.port('syslog'), '127.0.0.2')
  assert.equal(String((await received)[0]), '<13>hello')
})

test('databases: writes go to the primary, reads to a replica, and to the primary where there is none', {
  timeout: 60_000,
  ...needs('pg_ctlcluster', 'psql', 'openssl'),
}, async (t) => {
  const access = ['host all all 127.0.0.1/32 trust', 'host replication follower 127.0.0.1/32 trust']
  const accounts = ["CREATE ROLE probe LOGIN PASSWORD 'secret'", 'CREATE ROLE follower LOGIN REPLICATION']
  const primary = await postgresql(t, selfSigned(t, 'db.test'), access, accounts)
  const standby = await postgresqlStandby(t, primary.ports[0])
  const { evener, port } = await startExample(t, 'databases', [await refusedPort(), primary.ports[0], standby.ports[0]])
  const read = await evener.port('read')
  const ask = (host: string, at: number) =>
    execFileSync(program('psql'), ['-XAt', '-c', 'SELECT pg_is_in_recovery()', `host=${host} port=${at} user=probe dbname=postgres`], {
      encoding: 'utf8',
    }).trim()
  assert.deepEqual([ask('127.0.0.1', port), ask('127.0.0.2', read)], ['f', 't'])
  await evener.call('PATCH', '/api/v1/pools/replicas/servers/c', { admin: 'drain' })
  assert.equal(ask('127.0.0.2', read), 'f')
})

test('discovery: servers come and go with a file', async (t) => {
  const { get, ports, evener } = await startExample(t, 'discovery')
  const seen = async (): Promise<(string | undefined)[]> => {
    const found = new Set<string | undefined>()
    for (let i = 0; i < 8; i++) found.add(/^server (\d+)/.exec(text(await get('/')))?.[1])
    return [...found].sort()
  }
  assert.deepEqual(await seen(), ports.map(String).sort())
  writeFileSync(join(evener.folder, 'servers.yaml'), `- { name: b, address: "127.0.0.1:${ports[1]}" }\n`)
  await evener.printed(/1 server: - c 127/)
  while ((await evener.status()).pools[0].servers.length > 2);
  assert.deepEqual(await seen(), ports.slice(0, 2).map(String).sort())
})

test('canary: a header and one in twenty get the new version, and a cookie keeps it', async (t) => {
  const { get, ports, count } = await startExample(t, 'canary')
  assert.match(text(await get('/', { fields: { 'X-Canary': '1' } })), new RegExp(`^server ${ports[2]},`))
  let cookie = ''
  for (let i = 0; i < 40; i++) {
    const response = await get('/')
    if (text(response).startsWith(`server ${ports[2]},`)) cookie = fieldValue(response, 'set-cookie')?.split(';')[0] ?? ''
  }
  const [, , fresh] = count()
  assert.ok(fresh >= 1 + 1 && fresh <= 1 + 3, `${fresh} of 41`)
  for (let i = 0; i < 4; i++) assert.match(text(await get('/', { fields: { Cookie: cookie } })), new RegExp(`^server ${ports[2]},`))
})

test('sessions: a client stays with its server while that drains, and gets another one after that', async (t) => {
  const { get, evener } = await startExample(t, 'sessions')
  const first = await get('/')
  const cookie = fieldValue(first, 'set-cookie')?.split(';')[0] ?? ''
  const serverOf = (response: WireResponse): string => /^server (\d+)/.exec(text(response))?.[1] ?? ''
  const { pools } = (await evener.call('GET', '/api/v1/pools')).json as { pools: { servers: { name: string; address: string }[] }[] }
  const { name } = pools[0].servers.find(({ address }) => address.endsWith(serverOf(first))) as { name: string }
  for (const [admin, stays] of [
    ['drain', true],
    ['maintenance', false],
  ] as const) {
    await evener.call('PATCH', `/api/v1/pools/shop/servers/${name}`, { admin })
    assert.equal(serverOf(await get('/', { fields: { Cookie: cookie } })) === serverOf(first), stays)
  }
})

test('overload: many requests at once all get their answer, and without servers there is a page', async (t) => {
  const { get, evener, ports } = await startExample(t, 'overload')
  const answers = await Promise.all(Array.from({ length: 40 }, () => get('/')))
  assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]))
  for (const port of ports) await evener.call('PATCH', `/api/v1/pools/app/servers/127.0.0.1:${port}`, { admin: 'maintenance' })
  const page = await get('/')
  assert.deepEqual([page.status, text(page), fieldValue(page, 'retry-after')], [503, '<h1>Back soon</h1>\n', '30'])
})

test('websocket: two clients get two servers, and talk', async (t) => {
  const { port, ports } = await startExample(t, 'websocket', ['servers.mjs', 'websocket/server.mjs', 'websocket/server.mjs'])
  const answers: string[] = []
  for (const name of ['first', 'second']) {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/socket`)
    t.after(() => socket.terminate())
    await once(socket, 'open')
    socket.send(name)
    answers.push(String((await once(socket, 'message'))[0]))
  }
  const servers = answers.map((answer) => Number(/server (\d+)/.exec(answer)?.[1]))
  assert.deepEqual(servers.sort(), [ports[1], ports[2]].sort(), answers.join())
})

test('typescript: routes and pools that a program made', async (t) => {
  const { get, ports } = await startExample(t, 'typescript')
  assert.match(text(await get('/orders/17')), new RegExp(`^server (${ports[0]}|${ports[1]}),.* GET test/17 `))
  assert.match(text(await get('/search/shoes')), new RegExp(`^server ${ports[2]},.* GET test/shoes `))
  assert.equal(text(await get('/other')), 'there are orders and search\n')
})

interface Example {
  readonly evener: Evener
  /** Where it listens. */
  readonly port: number
  /** The ports of its three servers. */
  readonly ports: readonly number[]
  get(uri: string, options?: RequestOptions): Promise<WireResponse>
  /** How many answers each server has given. */
  count(): number[]
}

/** Starts a copy of the example in which the ports are free ones; everything else is as it stands. */
test('https: a certificate made on the spot, a redirect to it, and routes by the version of TLS', async (t) => {
  const { evener, port } = await startExample(t, 'https')
  const secure = await import('node:https')
  const get = (path: string, options: object = {}): Promise<string> =>
    new Promise((resolve, reject) => {
      const asked = { port, host: '127.0.0.1', path, rejectUnauthorized: false, agent: false, ...options }
      const sent = secure.get(asked, (response) => {
        let body = `${response.statusCode} `
        response.on('data', (chunk: Buffer) => (body += chunk.toString()))
        response.on('end', () => resolve(body))
      })
      sent.on('error', reject)
    })
  assert.match(await get('/'), /^200 server \d+,/)
  assert.equal(await get('/new', { maxVersion: 'TLSv1.2' }), '426 TLS 1.3 please')
  const plain = await fetch(`http://127.0.0.2:${await evener.port('plain')}/a?b`, { redirect: 'manual' })
  assert.deepEqual([plain.status, plain.headers.get('location')], [301, 'https://localhost:8080/a?b'])
  assert.match(text(await request(t, { port }, '/')), /This port speaks HTTPS/)
})

test('acme: serves while nobody gives it a certificate, and says why', async (t) => {
  process.env['ACME_DIRECTORY'] = `https://127.0.0.1:${await refusedPort()}/directory`
  const { evener, port } = await startExample(t, 'acme')
  await evener.printed(/acme shop\.test, www\.shop\.test \(ec256\): no certificate: https:\/\/127\.0\.0\.1/)
  const { status, text: page } = await evener.call('GET', '/api/v1/certificates')
  assert.deepEqual([status, /"state": ?"failing"/.test(page)], [200, true])
  const plain = await request(t, { port: await evener.port('clear') }, '/a?b', { host: 'shop.test' })
  assert.deepEqual([plain.status, fieldValue(plain, 'location')], [301, 'https://shop.test/a?b'])
  assert.match(text(await request(t, { port }, '/')), /This port speaks HTTPS/)
})

/** `servers` are scripts that are started, and ports of what runs already. */
async function startExample(
  t: TestContext,
  name: string,
  servers: readonly (string | number)[] = ['servers.mjs', 'servers.mjs', 'servers.mjs'],
): Promise<Example> {
  const ports = await Promise.all(servers.map((each) => (typeof each === 'number' ? each : startServer(t, join(EXAMPLES, each)))))
  const [file] = globSync('evener.*', { cwd: join(EXAMPLES, name) })
  const folder = temporaryFolder(t)
  const copyOf = (path: string) => {
    const original = readFileSync(join(EXAMPLES, name, path), 'utf8').replaceAll(`examples/${name}/`, `${folder}/`)
    return ports.reduce((content, port, index) => content.replaceAll(String(3001 + index), String(port)), original)
  }
  const copy = copyOf(file)
  const configFile = join(folder, basename(file))
  for (const other of globSync('servers.*', { cwd: join(EXAMPLES, name) })) writeFileSync(join(folder, other), copyOf(other))
  writeFileSync(
    configFile,
    copy.replace('127.0.0.1:8080', '127.0.0.1:0').replace('127.0.0.1:9900', '127.0.0.1:0').replace('127.0.0.1:8081', '127.0.0.2:0'),
  )
  const evener = await serving(startFile(t, configFile))
  const port = await evener.port((await evener.status()).listeners[0].name)
  const answers = ports.map(() => 0)
  const get = async (uri: string, options: RequestOptions = {}) => {
    const response = await request(t, { port }, uri, options)
    const index = ports.indexOf(Number(/^server (\d+)/.exec(text(response))?.[1]))
    if (index !== -1) answers[index]++
    return response
  }
  return { evener, port, ports, get, count: () => answers }
}

async function startServer(t: Cleanup, script: string): Promise<number> {
  const child = spawn(process.execPath, [script, '0'], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.after(async () => {
    child.kill()
    await once(child, 'exit')
  })
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  return Number(/:(\d+)/.exec(line.toString())?.[1])
}

function text(response: WireResponse): string {
  return response.body.toString()
}
