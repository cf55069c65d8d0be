import assert from 'node:assert/strict'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { checkExecute } from '../../../src/control/check-execute.ts'
import { runCheck } from '../../support/check-run.ts'
import { temporaryFolder } from '../../support/cleanup.ts'

/** A port to which a script opens a connection that lasts as long as any process that inherited it. */
async function lifeline(t: TestContext): Promise<{ port: number; held: Promise<void>; gone: Promise<void> }> {
  const [held, gone] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  const server = createServer((socket) => {
    held.resolve()
    socket.resume()
    socket.on('error', () => {})
    socket.on('close', () => gone.resolve())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => server.close())
  return { port: (server.address() as AddressInfo).port, held: held.promise, gone: gone.promise }
}

const shell = (script: string) => ['/bin/sh', '-c', script]
const exec = (script: string, more: object = {}) => runCheck('10.0.0.7:8080', { exec: { command: shell(script), ...more } })

test('the exit status decides, and the first line is the reason', async () => {
  assert.equal(await exec('exit 0'), 'ok: exit status 0')
  assert.equal(await exec('echo "load 0.5 | perf=1"; echo more'), 'ok: exit status 0: "load 0.5 | perf=1"')
  assert.equal(await exec('echo CRITICAL - no disk >&2; exit 2'), 'failed: exit status 2: "CRITICAL - no disk"')
  assert.equal(await exec('exit 1', { exitStatus: [0, 1] }), 'ok: exit status 1')
  assert.equal(await exec('kill -SEGV $$'), 'failed: ended by SIGSEGV')
  assert.equal(await exec("printf '\\033[31mred\\007\\n'"), 'ok: exit status 0: "[31mred"')
})

test('a program gets its arguments as they are, and an environment of its own', async () => {
  const command = ['/bin/echo', '-H', '{address}', '{port}', '$HOME', '; exit 1', '{addr', '']
  assert.equal(await runCheck('10.0.0.7:8080', { exec: { command } }), 'ok: exit status 0: "-H 10.0.0.7 8080 $HOME ; exit 1 {addr"')
  const script = '[ -z "$HOME" ] && [ -n "$PATH" ] && echo $EVENER_SERVER_ADDRESS $EVENER_SERVER_PORT $EVENER_CHECK_TIMEOUT $KEY $PWD'
  assert.equal(await exec(script, { environment: { KEY: 'k' } }), 'ok: exit status 0: "10.0.0.7 8080 5 k /"')
  const unix = await runCheck('unix:/run/app.sock', { exec: { command: shell('echo "$EVENER_SERVER_ADDRESS:$EVENER_SERVER_PORT"') } })
  assert.equal(unix, 'ok: exit status 0: "/run/app.sock:"')
})

test('a program that is not there or may not be run is a failure', async (t) => {
  assert.equal(await runCheck('10.0.0.7:1', { exec: { command: ['/nonexistent'] } }), 'failed: /nonexistent cannot be run: ENOENT')
  const file = join(temporaryFolder(t), 'script')
  writeFileSync(file, '#!/bin/sh\n', { mode: 0o600 })
  assert.equal(await runCheck('10.0.0.7:1', { exec: { command: [file] } }), `failed: ${file} cannot be run: EACCES`)
})

test('at the time-out the program is ended, and what it has started too', async (t) => {
  const { port, gone } = await lifeline(t)
  const script = `exec 9<>/dev/tcp/127.0.0.1/${port}; sleep 1000 & sleep 1000`
  const verdict = await runCheck('10.0.0.7:1', { exec: { command: ['/bin/bash', '-c', script] }, timeout: '300ms' })
  assert.equal(verdict, 'failed: not ended within 300 ms')
  await gone
})

test('what a program leaves behind ends with it', async (t) => {
  const { port, gone } = await lifeline(t)
  const script = `exec 9<>/dev/tcp/127.0.0.1/${port}; sleep 1000 & echo started`
  assert.equal(await runCheck('10.0.0.7:1', { exec: { command: ['/bin/bash', '-c', script] } }), 'ok: exit status 0: "started"')
  await gone
})

test('a program that writes without end is ended', async () => {
  assert.equal(
    await exec('while :; do echo yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy; done'),
    'failed: more than 1 MiB of output',
  )
})

test('after kill() nothing is told', async (t) => {
  const { port, held, gone } = await lifeline(t)
  const script = `exec 9<>/dev/tcp/127.0.0.1/${port}; sleep 1000`
  const seen: string[] = []
  const events = { exited: () => seen.push('exited'), failed: () => seen.push('failed') }
  const running = checkExecute({ file: '/bin/bash', arguments: ['-c', script], environment: {} }, events)
  await held
  running.kill()
  await gone
  assert.deepEqual(seen, [])
})
