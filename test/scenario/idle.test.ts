import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { test } from 'node:test'
import { client, requestBytes } from '../support/client.ts'
import { evener, proxyTo } from '../support/evener.ts'
import { needsRoot, program } from '../support/needs.ts'
import { origin } from '../support/origin.ts'

const OBSERVED_MS = 1000

test('with connections open and nothing to do, a worker makes no system call', needsRoot('strace'), async (t) => {
  const server = await origin(t, 'a')
  const balancer = await evener(t, { workers: 2, ...proxyTo([server.address]) })
  const port = await balancer.port('web')
  const pid = balancer.process.pid as number
  const wire = await client(t, { port })
  await wire.write(requestBytes('/'))
  await wire.readResponse()
  const workers = threads(pid, /^evener-worker/)
  assert.equal(workers.length, 2)
  // What the compiler and the collector still have to do after the start comes to an end.
  for (;;) {
    const calls = await systemCalls(pid)
    const byWorkers = calls.filter(({ thread }) => workers.includes(thread))
    if (byWorkers.length === 0) break
  }
  // Not because it is not seen:
  let isTracing = true
  const traced = systemCalls(pid).finally(() => (isTracing = false))
  while (isTracing) {
    await wire.write(requestBytes('/'))
    await wire.readResponse()
  }
  assert.ok((await traced).some(({ thread }) => workers.includes(thread)))
})

function threads(pid: number, name: RegExp): number[] {
  const all = readdirSync(`/proc/${pid}/task`).map(Number)
  return all.filter((thread) => name.test(readFileSync(`/proc/${pid}/task/${thread}/comm`, 'latin1')))
}

/** What the threads of a process ask of the kernel for a while, without the calls that they waited in already and still do. */
async function systemCalls(pid: number): Promise<{ readonly thread: number; readonly call: string }[]> {
  const tracer = spawn(program('strace'), ['-f', '-q', '-p', String(pid)], { stdio: ['ignore', 'ignore', 'pipe'] })
  let text = ''
  tracer.stderr.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
  const enough = setTimeout(() => tracer.kill('SIGINT'), OBSERVED_MS)
  await once(tracer, 'close')
  clearTimeout(enough)
  const lines = [...text.matchAll(/^\[pid\s+(\d+)\] (.*)$/gm)]
  return lines
    .map(([, thread, call]) => ({ thread: Number(thread), call }))
    .filter(({ call }) => !/<(unfinished|detached) \.\.\.>$|restart_syscall/.test(call))
}
