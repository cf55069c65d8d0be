import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { MessageChannel } from 'node:worker_threads'
import { planFromInput } from '../../../src/config/index.ts'
import { Observation } from '../../../src/control/observation.ts'
import { temporaryFolder } from '../../support/cleanup.ts'

test('what workers have sent before the end is written, though their answers may overtake it', async (t) => {
  const path = join(temporaryFolder(t), 'access.log')
  const bind = '127.0.0.1:0'
  const input = {
    accessLog: { path, format: 'combined' },
    listeners: { web: { bind, http: { routes: [{ respond: { status: 200 } }] } } },
  }
  const { plan } = planFromInput(input)
  assert.ok(plan !== undefined)
  const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
  const observation = new Observation(plan, 1, silent)
  observation.commit(plan)
  const { port1, port2 } = new MessageChannel()
  t.after(() => port2.close())
  observation.attach(port1)
  for (const line of ['one\n', 'two\n']) {
    const bytes = new Uint8Array(Buffer.from(line)).buffer as ArrayBuffer
    port2.postMessage({ bytes, length: 4 }, [bytes])
  }
  observation.collect()
  await observation.close()
  assert.equal(readFileSync(path, 'utf8'), 'one\ntwo\n')
})
