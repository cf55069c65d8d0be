import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runCheck } from '../../support/check-run.ts'
import { needs } from '../../support/needs.ts'
import { memcached, redis } from '../../support/services.ts'

test('redis checks of Redis', needs('redis-server'), async (t) => {
  const primary = await redis(t)
  const replica = await redis(t, '--replicaof', `127.0.0.1 ${primary.ports[0]}`, '--requirepass', 'secret', '--masterauth', '')
  const [first, second] = [primary, replica].map(({ ports }) => `127.0.0.1:${ports[0]}`)

  await t.test('PING, and the role where it matters', async () => {
    assert.equal(await runCheck(first, { redis: {} }), 'ok: PONG')
    assert.equal(await runCheck(first, { redis: { role: 'primary' } }), 'ok: the role is master')
    assert.equal(await runCheck(first, { redis: { role: 'replica' } }), 'failed: the role is "master", expected "slave"')
    assert.equal(await runCheck(second, { redis: { password: 'secret', role: 'replica' } }), 'ok: the role is slave')
    assert.equal(await runCheck(second, { redis: { user: 'default', password: 'secret' } }), 'ok: PONG')
  })

  await t.test('a password that is missing or wrong is told', async () => {
    assert.equal(await runCheck(second, { redis: {} }), 'failed: the answer to PING is "NOAUTH Authentication required."')
    assert.match(await runCheck(second, { redis: { password: 'x' } }), /^failed: the answer to AUTH is "WRONGPASS /)
    assert.match(await runCheck(first, { redis: { user: 'nobody', password: 'x' } }), /^failed: the answer to AUTH is "WRONGPASS /)
    assert.match(await runCheck(first, { memcached: {} }), /^failed: "-ERR unknown command .*" is not memcached$/)
  })
})

test('memcached checks of memcached', needs('memcached'), async (t) => {
  const { ports } = await memcached(t)
  const address = `127.0.0.1:${ports[0]}`
  assert.match(await runCheck(address, { memcached: {} }), /^ok: version "1\.\d+\.\d+"$/)
  assert.equal(await runCheck(address, { redis: {} }), 'failed: "ERROR" is not Redis')
})
