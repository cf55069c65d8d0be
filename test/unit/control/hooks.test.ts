import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { Hooks } from '../../../src/control/hooks/hooks.ts'
import type { CommandHookPlan, WebHookPlan } from '../../../src/control/hooks/option.ts'
import { EVENT_KINDS, type StateEvent } from '../../../src/control/state-events.ts'
import { temporaryFolder } from '../../support/cleanup.ts'

function stateEvent(changes: Partial<StateEvent> = {}): StateEvent {
  const base = { kind: 'health', pool: 'app', server: 'a', state: 'down', reason: 'tcp check: connection refused' } as const
  return { ...base, sentence: '', level: 'warn', ...changes }
}

const COMMON = { name: 'oncall', kinds: EVENT_KINDS, pools: undefined, timeoutMs: 10_000, concurrency: 1, queueSize: 100 }

function command(script: string, changes: Partial<CommandHookPlan> = {}): CommandHookPlan {
  return { kind: 'command', ...COMMON, command: ['/bin/sh', '-c', script], ...changes }
}

/** Hooks, their log, and a wait for something that becomes true with a call. */
function fixture(t: TestContext) {
  const lines: string[] = []
  const say = (line: string) => void lines.push(line)
  const hooks = new Hooks({ debug: say, info: say, warn: say, error: say })
  t.after(() => hooks.close())
  const until = async (isSo: () => boolean) => {
    while (!isSo()) await new Promise((resolve) => setImmediate(resolve))
  }
  const done = (count: number) => until(() => hooks.status().reduce((sum, { delivered, failed }) => sum + delivered + failed, 0) >= count)
  return { hooks, lines, until, done }
}

/** A receiver of webhooks that answers when it is told to. */
async function receiver(t: TestContext) {
  const calls: { readonly headers: IncomingMessage['headers']; readonly body: string; readonly response: ServerResponse }[] = []
  const server = createServer(async (incoming, response) => {
    let body = ''
    for await (const chunk of incoming) body += chunk
    calls.push({ headers: incoming.headers, body, response })
    server.emit('call')
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => void server.close().closeAllConnections())
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`
  const call = async (index: number) => {
    while (calls.length <= index) await once(server, 'call')
    return calls[index]
  }
  const plan = (changes: Partial<WebHookPlan> = {}): WebHookPlan => ({ kind: 'webhook', ...COMMON, url, headers: [], ...changes })
  return { calls, call, plan }
}

test('a command has the event in its environment and on its input, and nothing of ours', async (t) => {
  const { hooks, lines, done } = fixture(t)
  const path = join(temporaryFolder(t), 'out')
  process.env.SECRET_OF_A_TEST = 'sesame'
  t.after(() => void delete process.env.SECRET_OF_A_TEST)
  hooks.apply([command(`{ cat; env; } > ${path}`)])
  hooks.tell(stateEvent({ reason: 'it said "$(reboot)"; rm -rf' }), new Date(0))
  await done(1)
  assert.deepEqual(lines, [])
  const [json, ...environment] = readFileSync(path, 'utf8').split('\n')
  const event = {
    time: '1970-01-01T00:00:00.000Z',
    kind: 'health',
    pool: 'app',
    server: 'a',
    state: 'down',
    reason: 'it said "$(reboot)"; rm -rf',
  }
  assert.deepEqual(JSON.parse(json), event)
  for (const line of [
    'EVENER_EVENT=health',
    'EVENER_POOL=app',
    'EVENER_SERVER=a',
    'EVENER_STATE=down',
    'EVENER_REASON=it said "$(reboot)"; rm -rf',
  ]) {
    assert.ok(environment.includes(line), line)
  }
  assert.doesNotMatch(environment.join('\n'), /SECRET_OF_A_TEST/)
})

test('a command that fails, is not there, or takes too long is told in the log, and ends with all that it started', async (t) => {
  const { hooks, lines, done } = fixture(t)
  const path = join(temporaryFolder(t), 'late')
  hooks.apply([
    command('echo wrong number >&2; exit 3', { name: 'fails' }),
    { ...command(''), name: 'absent', command: ['/nonexistent/program'] },
    command(`(sleep 30; touch ${path}) & sleep 30`, { name: 'slow', timeoutMs: 50 }),
  ])
  hooks.tell(stateEvent())
  await done(3)
  assert.match(lines.join('\n'), /hook fails: it ended with 3: wrong number$/m)
  assert.match(lines.join('\n'), /hook absent: it cannot be run: .*ENOENT/)
  assert.match(lines.join('\n'), /hook slow: it took longer than 50 ms/)
  assert.equal(existsSync(path), false)
})

test('a webhook is a POST of JSON, and anything but 2xx is a failure', async (t) => {
  const { hooks, lines, done } = fixture(t)
  const { call, plan } = await receiver(t)
  hooks.apply([plan({ headers: [{ name: 'Authorization', value: 'Bearer x' }] })])
  hooks.tell(stateEvent({ kind: 'breaker', server: null, state: 'open', reason: 'too many requests failed' }))
  const first = await call(0)
  assert.equal(first.headers.authorization, 'Bearer x')
  assert.deepEqual(
    { ...JSON.parse(first.body), time: '' },
    { time: '', kind: 'breaker', pool: 'app', server: null, state: 'open', reason: 'too many requests failed' },
  )
  first.response.writeHead(204).end()
  await done(1)
  hooks.tell(stateEvent())
  ;(await call(1)).response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end()
  hooks.tell(stateEvent())
  ;(await call(2)).response.writeHead(500).end()
  await done(3)
  assert.match(lines.join('\n'), /hook oncall: status 500/)
  assert.deepEqual(hooks.status(), [{ name: 'oncall', running: 0, waiting: 0, delivered: 1, failed: 2, dropped: 0 }])
})

test('one event after the other is told in order; more than may wait are dropped, and that is said once', async (t) => {
  const { hooks, lines, done, until } = fixture(t)
  const { calls, call, plan } = await receiver(t)
  hooks.apply([plan({ queueSize: 2 })])
  for (const server of ['a', 'b', 'c', 'd', 'e']) hooks.tell(stateEvent({ server }))
  await call(0)
  assert.deepEqual(hooks.status(), [{ name: 'oncall', running: 1, waiting: 2, delivered: 0, failed: 0, dropped: 2 }])
  for (let index = 0; index < 3; index++) (await call(index)).response.writeHead(200).end()
  await done(3)
  assert.deepEqual(
    calls.map(({ body }) => JSON.parse(body).server),
    ['a', 'b', 'c'],
  )
  assert.deepEqual(lines, ['hook oncall: 2 events wait already; further ones are dropped'])
  await until(() => hooks.status()[0].running === 0)
})

test('so many are told at a time as the hook allows', async (t) => {
  const { hooks, done } = fixture(t)
  const { calls, call, plan } = await receiver(t)
  hooks.apply([plan({ concurrency: 3 })])
  for (let index = 0; index < 5; index++) hooks.tell(stateEvent())
  await call(2)
  assert.equal(calls.length, 3)
  for (let index = 0; index < 5; index++) (await call(index)).response.writeHead(200).end()
  await done(5)
})

test('a hook is told of the kinds and pools that it asks for', async (t) => {
  const { hooks } = fixture(t)
  const { call, plan } = await receiver(t)
  hooks.apply([plan({ kinds: ['health'], pools: ['app'] })])
  hooks.tell(stateEvent({ pool: 'other' }))
  hooks.tell(stateEvent({ kind: 'admin' }))
  hooks.tell(stateEvent({ server: 'z' }))
  assert.equal(JSON.parse((await call(0)).body).server, 'z')
  assert.equal(hooks.status()[0].waiting, 0)
})

test('a hook that a new configuration leaves alone goes on, one that it drops ends', async (t) => {
  const { hooks, lines, until } = fixture(t)
  const { call, plan } = await receiver(t)
  hooks.apply([plan(), plan({ name: 'dropped' })])
  hooks.tell(stateEvent())
  await call(1)
  hooks.apply([plan()])
  assert.equal(hooks.status()[0].running, 1)
  for (const index of [0, 1]) (await call(index)).response.writeHead(200).end()
  await until(() => hooks.status()[0].delivered === 1)
  assert.deepEqual(lines, [])
})

test('a command of the configuration is a list of words, whatever is in them', async (t) => {
  const { hooks, done } = fixture(t)
  const folder = temporaryFolder(t)
  const script = join(folder, 'hook with blanks')
  writeFileSync(script, `#!/bin/sh\nprintf '%s|' "$@" > "${folder}/words"\n`, { mode: 0o700 })
  hooks.apply([{ ...command(''), command: [script, 'a b', '$(x)', ''] }])
  hooks.tell(stateEvent())
  await done(1)
  assert.equal(readFileSync(`${folder}/words`, 'utf8'), 'a b|$(x)||')
})
