import assert from 'node:assert/strict'
import { test } from 'node:test'
import { planFromInput } from '../../../src/config/index.ts'
import { explainRequest } from '../../../src/control/index.ts'

function explain(access: object, client: string): boolean {
  const { plan } = planFromInput({
    listeners: { vip: { bind: '10.0.0.100:80', packet: { pool: 'app', forward: 'dr', interfaces: ['eth0'], access } } },
    pools: { app: { servers: ['10.0.0.11:80'] } },
  })
  assert.ok(plan !== undefined)
  const { match, routes } = explainRequest(plan, { listener: undefined, method: 'GET', target: '-', host: undefined, fields: [], client })
  assert.equal(routes[0].id, 'listeners.vip.packet')
  return match === 0
}

test('a packet listener is explained by its access list: the narrowest range decides', () => {
  const access = { allow: ['10.0.0.0/8', '10.6.6.7/32'], deny: ['10.6.0.0/16'] }
  assert.deepEqual(
    ['10.1.1.1', '10.6.1.1', '10.6.6.7', '192.0.2.1', 'fd00::1'].map((client) => explain(access, client)),
    [true, false, true, false, false],
  )
  assert.deepEqual(
    [explain({}, '192.0.2.1'), explain({ deny: ['fd00::/8'] }, 'fd01::1'), explain({ deny: ['fd00::/8'] }, '10.1.1.1')],
    [true, false, true],
  )
})
