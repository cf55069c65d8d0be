import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { temporaryFolder } from '../support/cleanup.ts'
import { evener, proxyTo } from '../support/evener.ts'
import { origin } from '../support/origin.ts'

test('a command hears of servers that go and come, of operators, and of a pool without servers', async (t) => {
  const a = await origin(t, 'a', (incoming, response) => response.writeHead(isHealthy || incoming.url !== '/healthz' ? 200 : 503).end())
  let isHealthy = true
  const path = join(temporaryFolder(t), 'events')
  const balancer = await evener(t, {
    ...proxyTo([{ name: 'a', address: a.address }], {
      pool: { check: { http: { path: '/healthz' }, interval: '50ms', rise: 1, fall: 1 } },
    }),
    hooks: { file: { command: ['/bin/sh', '-c', `echo "$EVENER_EVENT $EVENER_POOL $EVENER_SERVER $EVENER_STATE" >> ${path}`] } },
  })
  isHealthy = false
  await balancer.printed(/pool app is out of service: none of 1 servers is left/)
  isHealthy = true
  await balancer.printed(/pool app is in service again: 1 of 1 servers/)
  await balancer.call('PATCH', '/api/v1/pools/app/servers/a', { admin: 'drain' })
  let delivered = 0
  while (delivered < 7) {
    const { hooks } = (await balancer.call('GET', '/api/v1/status')).json as { hooks: { delivered: number }[] }
    delivered = hooks[0].delivered
  }
  assert.deepEqual(readFileSync(path, 'utf8').split('\n').slice(0, 7), [
    'health app a up',
    'health app a down',
    'availability app  down',
    'health app a up',
    'availability app  up',
    'admin app a drain',
    'availability app  down',
  ])
  assert.match((await balancer.call('GET', '/metrics')).text, /^evener_hook_events_total\{hook="file",result="delivered"\} 7$/m)
})
