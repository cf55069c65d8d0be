import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { type TestContext, test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { request } from '../support/client.ts'
import { command } from '../support/command.ts'
import { type Evener, evener, proxyTo } from '../support/evener.ts'
import { needs, program } from '../support/needs.ts'
import { origin } from '../support/origin.ts'

const BINARY = fileURLToPath(new URL('../../bin/evener.js', import.meta.url))

async function balancer(t: TestContext): Promise<Evener> {
  const a = await origin(t, 'a')
  const running = await evener(t, proxyTo([{ name: 'a', address: a.address }]))
  await request(t, { port: await running.port('web') }, '/')
  return running
}

test('evener top --once prints one frame as plain text', async (t) => {
  const { admin } = await balancer(t)
  const { code, stdout, stderr } = await command(t, ['top', '--once', '--interval', '0.1', '--admin', admin])
  assert.equal(code, 0, stderr)
  assert.match(stdout, /^evener \S+ {3}up \d+ s {3}2 workers/)
  assert.match(stdout, /^pool app \(round-robin\): 1 of 1 available$/m)
  assert.match(stdout, /^a +up +ready +1 +0 +0 /m)
  assert.doesNotMatch(stdout, /\x1b/)
})

test('evener top --once says when there is no Evener', async (t) => {
  const { code, stderr } = await command(t, ['top', '--once', '--admin', 'http://127.0.0.1:1'])
  assert.equal(code, 1)
  assert.match(stderr, /no Evener answers/)
})

/** `evener top` on a terminal of its own. */
function onTerminal(t: TestContext, admin: string) {
  const line = `'${process.execPath}' '${BINARY}' top --interval 0.1 --admin ${admin}`
  const env = { ...process.env, TERM: 'xterm', NODE_OPTIONS: '' }
  const child = spawn(program('script'), ['-qefc', line, '/dev/null'], { stdio: ['pipe', 'pipe', 'inherit'], env })
  t.after(() => void child.kill('SIGKILL'))
  let text = ''
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk
    child.emit('shown')
  })
  const shown = async (pattern: RegExp) => {
    while (!pattern.test(text)) await once(child, 'shown')
  }
  const ended = once(child, 'close').then(([code]) => code as number)
  return { press: (keys: string) => child.stdin.write(keys), shown, ended, text: () => text }
}

for (const [name, keys] of [
  ['q', 'q'],
  ['Ctrl-C', '\x03'],
] as const) {
  test(`evener top shows what changes, and ${name} ends it and gives the terminal back`, needs('script'), async (t) => {
    const running = await balancer(t)
    const top = onTerminal(t, running.admin)
    await top.shown(/\x1b\[\?1049h[\s\S]*a +up +ready/)
    await running.call('PATCH', '/api/v1/pools/app/servers/a', { admin: 'drain' })
    await top.shown(/a +up +drain/)
    top.press(keys)
    assert.equal(await top.ended, 0)
    assert.match(top.text(), /\x1b\[\?25h\x1b\[\?1049l\s*$/)
  })
}

test('evener top goes on while Evener is away', needs('script'), async (t) => {
  const running = await balancer(t)
  const top = onTerminal(t, running.admin)
  await top.shown(/a +up +ready/)
  running.process.kill('SIGKILL')
  await top.shown(/no Evener answers at/)
  top.press('q')
  assert.equal(await top.ended, 0)
})
