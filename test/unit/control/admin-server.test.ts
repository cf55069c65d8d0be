import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AdminServer } from '../../../src/control/admin/server.ts'
import { request } from '../../support/client.ts'

test('a request whose target is no URL is answered with 400, not as a failure of Evener', async (t) => {
  const server = new AdminServer({ bind: { family: 4, host: '127.0.0.1', port: 0 }, token: undefined }, () => ({
    status: 200,
    text: 'fine\n',
  }))
  await server.listen()
  t.after(() => server.close())
  const target = { port: Number(server.address.split(':')[1]) }
  assert.equal((await request(t, target, '//', { host: 'localhost' })).status, 400)
  assert.equal((await request(t, target, '/', { host: 'localhost' })).status, 200)
})
