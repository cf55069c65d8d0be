import assert from 'node:assert/strict'
import { test } from 'node:test'
import { client, request, requestBytes } from '../support/client.ts'
import { evener, proxyTo } from '../support/evener.ts'
import { heldOrigin } from '../support/held-origin.ts'
import { origin, rawOrigin } from '../support/origin.ts'

test('a request of a server that goes down is tried elsewhere, or ends with it', async (t) => {
  const [held, good] = [await heldOrigin(t), await origin(t, 'good')]
  const servers = [
    { name: 'held', address: held.address },
    { name: 'good', address: good.address, priority: 1 },
  ]
  const balancer = await evener(t, proxyTo(servers, { http: { onServerDown: 'reset' }, route: { retry: { on: ['reset'] } } }))
  const port = await balancer.port('web')
  const [get, post] = [request(t, { port }, '/get'), request(t, { port }, '/post', { method: 'POST', body: 'x' })]
  await held.holds(2)
  await balancer.call('PATCH', '/api/v1/pools/app/servers/held', { admin: 'maintenance' })
  assert.equal((await get).body.toString(), 'good')
  assert.equal((await post).status, 502)
})

test('a response of a server that goes down is cut off, and one that may finish is not', async (t) => {
  for (const onServerDown of ['reset', 'keep']) {
    const server = await rawOrigin(t, async (wire) => {
      await wire.readRequest()
      await wire.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf ')
      await wire.closed()
    })
    const balancer = await evener(t, proxyTo([{ name: 'a', address: server.address }], { http: { onServerDown } }))
    const wire = await client(t, { port: await balancer.port('web') })
    await wire.write(requestBytes('/'))
    await wire.readUntil('half ')
    await balancer.call('PATCH', '/api/v1/pools/app/servers/a', { admin: 'maintenance' })
    if (onServerDown === 'reset') {
      assert.equal((await wire.readToEnd()).length, 0)
      continue
    }
    assert.equal((await request(t, { port: await balancer.port('web') }, '/')).status, 503)
    const upstream = await server.connection(0)
    await upstream.write('whole')
    assert.equal((await wire.read(5)).toString(), 'whole')
  }
})
