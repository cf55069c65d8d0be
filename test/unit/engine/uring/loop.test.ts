import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import type { ConnectionHandler } from '../../../../src/engine/index.ts'
import { witness } from '../../../support/net.ts'
import { ringEngine, uring } from '../../../support/uring.ts'

const LOOPBACK = { family: 4, host: '127.0.0.1', port: 0 } as const
const quiet: ConnectionHandler = { opened() {}, received() {}, ended() {}, drained() {}, closed() {} }
const script = fileURLToPath(new URL('../../../support/engine-process.ts', import.meta.url))

for (const [name, schedule] of [
  ['a promise job', (job: () => void) => void Promise.resolve().then(job)],
  ['process.nextTick()', (job: () => void) => process.nextTick(job)],
  ['a promise job of a promise job', (job: () => void) => void Promise.resolve().then(() => Promise.resolve().then(job))],
  ['setImmediate()', (job: () => void) => void setImmediate(job)],
  ['setTimeout()', (job: () => void) => void setTimeout(job, 1)],
] as const) {
  test(`${name} of a handler runs although libuv has no event, and what it sends goes out`, uring, async (t) => {
    const engine = ringEngine(t)
    const listener = await engine.listen({ address: LOOPBACK }, () => ({
      ...quiet,
      received: (connection, start, end) => {
        engine.blocks.hold(start)
        schedule(() => {
          connection.send(start, end)
          engine.blocks.release(start)
        })
      },
    }))
    const client = (await witness(t, listener.address)).read()
    for (let i = 1; i <= 20; i++) {
      client.socket.write('x')
      await client.gets(i)
    }
  })
}

for (const where of ['main', 'worker'] as const) {
  test(`process.exit() in a handler ends the ${where} thread`, uring, async () => {
    const { code, output } = await run('exit', where)
    assert.equal(output, 'ready\nexiting\n')
    assert.equal(code, 7)
  })

  test(`an error in a promise job of a handler in the ${where} thread is uncaught, and the loop goes on`, uring, async () => {
    const { code, output } = await run('throw', where)
    assert.equal(output, 'ready\nuncaught: from a promise job\nserved\n')
    assert.equal(code, 0)
  })

  test(`a process with nothing but a closed engine in its ${where} thread ends by itself`, uring, async () => {
    const { code, output } = await run('close', where)
    assert.equal(output, 'ready\nclosed\n')
    assert.equal(code, 0)
  })
}

test('SIGTERM reaches the process while the ring sleeps', uring, async () => {
  const { code, output } = await run('signal', 'main')
  assert.equal(output, 'ready\nlistening\nsignal\n')
  assert.equal(code, 0)
})

async function run(what: string, where: string): Promise<{ code: number; output: string }> {
  const child = spawn(process.execPath, [script, what, where], { stdio: ['ignore', 'pipe', 'inherit'] })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk
    if (what === 'signal' && output.endsWith('listening\n')) child.kill('SIGTERM')
  })
  const [code] = await once(child, 'close')
  return { code, output }
}
