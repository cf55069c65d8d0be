import assert from 'node:assert/strict'
import { test } from 'node:test'
import { client, request } from '../support/client.ts'
import { evener } from '../support/evener.ts'
import { origin } from '../support/origin.ts'
import { fieldValue } from '../support/wire.ts'

function config(routes: readonly object[], address: string): object {
  return { listeners: { web: { bind: '127.0.0.1:0', http: { routes } } }, pools: { app: { servers: [address] } } }
}

test('a rule for a path cannot be passed by, however the path is spelled', async (t) => {
  const server = await origin(t)
  const routes = [{ match: { path: ['/admin', '/admin/*'] }, respond: { status: 403 } }, { pool: 'app' }]
  const balancer = await evener(t, config(routes, server.address))
  const target = { port: await balancer.port('web') }
  for (const uri of ['/admin', '/admin/', '/admin/x?y', '/%61dmin', '//admin', '///%61dmin//x', '/%61%64%6D%69%6E/x', 'http://test//admin'])
    assert.equal((await request(t, target, uri)).status, 403, uri)
  for (const uri of ['/x/../admin', '/./admin', '/x/%2e%2e/admin', '/x/..%2fadmin', '/x/..%5cadmin', '/x/..;/admin', '/admin%00', '/%zz'])
    assert.equal((await request(t, target, uri)).status, 400, uri)
  assert.equal(server.requests.length, 0)
})

test('a path is forwarded as it came, but for slashes that could begin a host', async (t) => {
  const server = await origin(t)
  const balancer = await evener(t, config([{ pool: 'app' }], server.address))
  const target = { port: await balancer.port('web') }
  for (const uri of ['/%7Ejoe/a%2Fb//c?x=%61', '//evil.test/admin', '////', '/.well-known/x'])
    assert.equal((await request(t, target, uri)).status, 200)
  assert.deepEqual(
    server.requests.map(({ uri }) => uri),
    ['/%7Ejoe/a%2Fb//c?x=%61', '/evil.test/admin', '/', '/.well-known/x'],
  )
})

test('a rewrite changes the path, and header edits change both heads', async (t) => {
  const server = await origin(t)
  const routes = [
    {
      match: { path: '/api/*', header: { 'x-version': { regex: '^2' } } },
      pool: 'app',
      rewrite: { prefix: '/api/', replacement: '/v2/' },
      requestHeaders: { remove: ['X-Secret', 'user-agent'], set: { Host: 'internal.test', 'X-Version': 'two' }, add: { 'X-Tag': 'a' } },
      responseHeaders: { set: { 'X-Frame-Options': 'DENY' }, remove: ['x-powered-by', 'Content-Type'] },
    },
    { match: { path: '~ ^/item/([0-9]+)$' }, pool: 'app', rewrite: { regex: '^/item/([0-9]+)$', replacement: '/items/$1/show' } },
  ]
  const balancer = await evener(t, config(routes, server.address))
  const target = { port: await balancer.port('web') }
  const fields = { 'X-Version': '2.1', 'x-secret': '1', 'User-Agent': 'me', 'X-Tag': 'b' }
  const response = await request(t, target, '/api//users/%7ejoe?q=/api/', { fields })
  assert.equal(response.status, 200)
  assert.equal(fieldValue(response, 'x-frame-options'), 'DENY')
  assert.equal(fieldValue(response, 'content-type'), undefined)
  const { uri, headers } = server.requests[0]
  assert.equal(uri, '/v2/users/~joe?q=/api/')
  assert.equal(headers.host, 'internal.test')
  assert.equal(headers['x-version'], 'two')
  assert.equal(headers['x-tag'], 'b, a')
  assert.equal(headers['x-secret'], undefined)
  assert.equal(headers['user-agent'], undefined)
  assert.equal((await request(t, target, '/item/42')).status, 200)
  assert.equal(server.requests[1].uri, '/items/42/show')
  assert.equal((await request(t, target, '/api/x')).status, 404)
})

test('a redirect takes parts of the request and cannot be made to write another field', async (t) => {
  const server = await origin(t)
  const routes = [
    { match: { path: '/old/*' }, redirect: { to: 'https://new.test{uri}', status: 301 } },
    { redirect: { to: 'https://{host}{path}', status: 308 } },
  ]
  const balancer = await evener(t, config(routes, server.address))
  const target = { port: await balancer.port('web') }
  const first = await request(t, target, '/old/a%0d%0aSet-Cookie:x?b=%0A"<')
  assert.equal(first.status, 301)
  assert.equal(fieldValue(first, 'location'), 'https://new.test/old/a%0d%0aSet-Cookie:x?b=%0A%22%3C')
  const second = await request(t, target, '//evil.test/%2e', { host: 'Shop.test:81' })
  assert.equal(second.status, 400)
  const third = await request(t, target, '//evil.test/x?y', { host: 'Shop.test:81' })
  assert.equal(fieldValue(third, 'location'), 'https://Shop.test:81/evil.test/x')
})

test('"OPTIONS *" reaches routes that ask for no path', async (t) => {
  const server = await origin(t)
  const routes = [
    { match: { path: '/*' }, respond: { status: 418 } },
    { match: { method: 'OPTIONS' }, respond: { status: 204 } },
  ]
  const balancer = await evener(t, config(routes, server.address))
  const wire = await client(t, { port: await balancer.port('web') })
  await wire.write('OPTIONS * HTTP/1.1\r\nHost: test\r\n\r\n')
  assert.equal((await wire.readResponse('OPTIONS')).status, 204)
})
