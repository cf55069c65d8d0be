import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { client, request } from '../support/client.ts'
import { type Evener, evener, proxyTo } from '../support/evener.ts'
import { type HttpOrigin, origin, rawOrigin } from '../support/origin.ts'
import { fieldValues } from '../support/wire.ts'

const SECRET = 'a secret of the operator'

interface Site {
  readonly balancer: Evener
  readonly servers: Readonly<Record<string, HttpOrigin>>
  ask(cookie?: string, fields?: Record<string, string>): Promise<{ server: string; setCookie: string[] }>
}

/** Servers a, b and c behind a pool; each answers with its name and sets the cookies that `sets` gives it. */
async function site(t: TestContext, pool: object, sets: (name: string) => string[] = () => []): Promise<Site> {
  const servers: Record<string, HttpOrigin> = {}
  for (const name of ['a', 'b', 'c']) {
    servers[name] = await origin(t, name, (_, response) => {
      for (const cookie of sets(name)) response.appendHeader('Set-Cookie', cookie)
      response.end(name)
    })
  }
  const list = Object.entries(servers).map(([name, { address }]) => ({ name, address }))
  const balancer = await evener(t, proxyTo(list, { pool }))
  const port = await balancer.port('web')
  const ask: Site['ask'] = async (cookie, fields = {}) => {
    const response = await request(t, { port }, '/', { fields: { ...(cookie === undefined ? {} : { Cookie: cookie }), ...fields } })
    assert.equal(response.status, 200)
    return { server: response.body.toString(), setCookie: fieldValues(response, 'set-cookie') }
  }
  return { balancer, servers, ask }
}

const pairOf = (setCookie: string): string => setCookie.split(';')[0]
const change = ({ balancer }: Site, server: string, admin: string) =>
  balancer.call('PATCH', `/api/v1/pools/app/servers/${server}`, { admin })

test('an inserted cookie keeps a client with its server, in every worker, and the server does not see it', async (t) => {
  const shop = await site(t, { persistence: { cookie: { name: 'SRV', sameSite: 'lax', maxAge: '1h' } } })
  const { server, setCookie } = await shop.ask()
  assert.equal(setCookie.length, 1)
  assert.match(setCookie[0], /^SRV=[\w-]+; Path=\/; Max-Age=3600; HttpOnly; SameSite=Lax$/)
  assert.ok(!setCookie[0].includes('127.0.0.1') && !Buffer.from(pairOf(setCookie[0]).slice(4), 'base64url').includes('127.0.0.1'))
  const before = shop.servers[server].requests.length
  for (const cookie of [
    pairOf(setCookie[0]),
    `x=1; ${pairOf(setCookie[0])}`,
    `${pairOf(setCookie[0])};y=2`,
    `x=1;${pairOf(setCookie[0])}; y=2`,
  ]) {
    assert.deepEqual(await shop.ask(cookie), { server, setCookie: [] })
  }
  assert.deepEqual(
    shop.servers[server].requests.slice(before).map(({ headers }) => headers.cookie),
    [undefined, 'x=1', 'y=2', 'x=1; y=2'],
  )
})

test('a draining server keeps its sessions and gets no new ones; one that is gone hands them over', async (t) => {
  const shop = await site(t, { persistence: { cookie: {} } })
  const { server, setCookie } = await shop.ask()
  await change(shop, server, 'drain')
  for (let i = 0; i < 4; i++) assert.equal((await shop.ask(pairOf(setCookie[0]))).server, server)
  for (let i = 0; i < 6; i++) assert.notEqual((await shop.ask()).server, server)
  await shop.servers[server].stop()
  const moved = await shop.ask(pairOf(setCookie[0]))
  assert.notEqual(moved.server, server)
  for (let i = 0; i < 4; i++) assert.deepEqual(await shop.ask(pairOf(moved.setCookie[0])), { server: moved.server, setCookie: [] })
})

test('a session outlives a reload, by cookie and by table', async (t) => {
  for (const persistence of [{ cookie: { secret: SECRET } }, { table: { key: 'header:X-User' } }]) {
    const shop = await site(t, { persistence })
    const user = { 'X-User': 'ann' }
    const { server, setCookie } = await shop.ask(undefined, user)
    assert.equal((await shop.balancer.call('POST', '/api/v1/reload')).status, 200)
    for (let i = 0; i < 6; i++) assert.equal((await shop.ask(setCookie.map(pairOf)[0], user)).server, server)
  }
})

test('a signed value cannot be forged, and an encrypted one is another for each client', async (t) => {
  const signed = await site(t, { persistence: { cookie: { secret: SECRET } } })
  const first = await signed.ask()
  const value = pairOf(first.setCookie[0])
  const forged = `${value.slice(0, -1)}${value.endsWith('A') ? 'B' : 'A'}`
  assert.equal((await signed.ask(value)).setCookie.length, 0)
  assert.equal((await signed.ask(forged)).setCookie.length, 1)

  const encrypted = await site(t, { persistence: { cookie: { secret: SECRET, format: 'encrypted' } } })
  const values = new Map<string, Set<string>>()
  for (let i = 0; i < 6; i++) {
    const { server, setCookie } = await encrypted.ask()
    values.set(server, (values.get(server) ?? new Set()).add(pairOf(setCookie[0])))
  }
  assert.deepEqual(
    [...values.values()].map(({ size }) => size),
    [2, 2, 2],
  )
  for (const [server, cookies] of values)
    for (const cookie of cookies) assert.deepEqual(await encrypted.ask(cookie), { server, setCookie: [] })
})

test('a prefixed cookie is the server’s own again when it comes back', async (t) => {
  const sets = (name: string): string[] => [`sid=of-${name}; HttpOnly`, 'other=1']
  const shop = await site(t, { persistence: { cookie: { name: 'sid', mode: 'prefix', secret: SECRET } } }, sets)
  const { server, setCookie } = await shop.ask()
  assert.match(setCookie[0], new RegExp(`^sid=[\\w-]+~of-${server}; HttpOnly$`))
  assert.equal(setCookie[1], 'other=1')
  const again = await shop.ask(`x=1; ${pairOf(setCookie[0])}; y=2`)
  assert.equal(again.server, server)
  assert.equal(shop.servers[server].requests.at(-1)?.headers.cookie, `x=1; sid=of-${server}; y=2`)
})

test('a rewritten cookie has our value, a passive one the name of the server', async (t) => {
  const rewritten = await site(t, { persistence: { cookie: { name: 'SRV', mode: 'rewrite' } } }, () => ['SRV=anything; Path=/shop'])
  const first = await rewritten.ask()
  assert.match(first.setCookie[0], /^SRV=[\w-]{12}; Path=\/shop$/)
  for (let i = 0; i < 4; i++) assert.equal((await rewritten.ask(pairOf(first.setCookie[0]))).server, first.server)

  const passive = await site(t, { persistence: { cookie: { name: 'SRV', mode: 'passive' } } }, (name) => [`SRV=${name}`])
  assert.deepEqual((await passive.ask('SRV=b')).setCookie, ['SRV=b'])
  for (const name of ['a', 'b', 'c', 'b', 'a']) assert.equal((await passive.ask(`SRV=${name}`)).server, name)
})

test('a table keeps a key on its server over all workers, follows drain, and gives it to another server when that is gone', async (t) => {
  const shop = await site(t, { persistence: { table: { key: 'cookie:sid' } } })
  const homes = new Map<string, string>()
  for (let i = 0; i < 9; i++) homes.set(`sid=${i}`, (await shop.ask(`sid=${i}`)).server)
  assert.equal(new Set(homes.values()).size, 3)
  for (const [cookie, server] of homes) assert.equal((await shop.ask(cookie)).server, server)
  await change(shop, 'a', 'drain')
  for (const [cookie, server] of homes) assert.equal((await shop.ask(cookie)).server, server)
  await change(shop, 'a', 'maintenance')
  for (const [cookie, server] of homes) {
    const now = (await shop.ask(cookie)).server
    if (server === 'a') homes.set(cookie, now)
    assert.notEqual(now, 'a')
  }
  await change(shop, 'a', 'ready')
  for (const [cookie, server] of homes) assert.equal((await shop.ask(cookie)).server, server)
})

test('a session by address ends when it was not used for its time', async (t) => {
  const shop = await site(t, { persistence: { table: { expires: '1s', size: 10 } } })
  const { server } = await shop.ask()
  for (let i = 0; i < 5; i++) assert.equal((await shop.ask()).server, server)
  const sessions = async (): Promise<number> =>
    ((await shop.balancer.call('GET', '/api/v1/pools')).json as { pools: { sessions: number }[] }).pools[0].sessions
  assert.equal(await sessions(), 1)
  while ((await sessions()) > 0);
  assert.notEqual((await shop.ask()).server, server)
})

test('a WebSocket gets the cookie with its handshake', async (t) => {
  const server = await rawOrigin(t, async (wire) => {
    await wire.readRequest()
    await wire.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\nSet-Cookie: own=1\r\n\r\n')
    await wire.closed()
  })
  const balancer = await evener(t, proxyTo([server.address], { pool: { persistence: { cookie: {} } } }))
  const wire = await client(t, { port: await balancer.port('web') })
  await wire.write('GET / HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n')
  const head = (await wire.readUntil('\r\n\r\n')).toString()
  assert.match(head, /^HTTP\/1\.1 101 /)
  assert.match(head, /\r\nSet-Cookie: own=1\r\n/)
  assert.match(head, /\r\nSet-Cookie: EVSRV=[\w-]+; Path=\/; HttpOnly\r\n/)
})

test('the cookie of a pool that cannot take a request says nothing about the pool that takes it instead', async (t) => {
  const [gone, spare] = [await origin(t, 'gone'), await origin(t, 'spare')]
  const persistence = { cookie: {} }
  const balancer = await evener(t, {
    listeners: { web: { bind: '127.0.0.1:0', http: { routes: [{ pool: 'app' }] } } },
    pools: {
      app: { servers: [{ name: 'a', address: gone.address }], persistence, sorry: { pool: 'plain' } },
      plain: { servers: [{ name: 'a', address: gone.address, admin: 'maintenance' }], sorry: { pool: 'sticky' } },
      sticky: { servers: [{ name: 'a', address: spare.address }], persistence },
    },
  })
  const port = await balancer.port('web')
  const first = await request(t, { port }, '/')
  const cookie = pairOf(fieldValues(first, 'set-cookie')[0])
  await balancer.call('PATCH', '/api/v1/pools/app/servers/a', { admin: 'maintenance' })
  const second = await request(t, { port }, '/', { fields: { Cookie: `x=1; ${cookie}` } })
  assert.equal(second.body.toString(), 'spare')
  assert.equal(fieldValues(second, 'set-cookie').length, 1)
  assert.equal(spare.requests[0].headers.cookie, 'x=1')
})
