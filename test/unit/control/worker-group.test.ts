import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type TestContext, test } from 'node:test'
import { WorkerGroup, type WorkerSetupBase } from '../../../src/control/worker-group.ts'
import type { WorkerPlan } from '../../../src/control/worker-plan.ts'
import type { FakePlan } from '../../support/fake-worker.ts'

const SCRIPT = new URL('../../support/fake-worker.ts', import.meta.url)

async function group(t: TestContext) {
  const workers = new WorkerGroup({ workers: 3 } as WorkerSetupBase, SCRIPT)
  t.after(() => workers.close())
  const said: string[] = []
  workers.on('warning', (message) => said.push(message))
  workers.on('accessLog', (port) => port.unref())
  await workers.start(3)
  let generation = 0
  const apply = async (plan: Partial<FakePlan> = {}, onPrepared = () => {}) => {
    const listeners = [{ name: 'web', bind: [{ family: 4, host: '127.0.0.1', port: 0 }] }]
    return workers.apply(
      { plan: { listeners, ...plan }, slots: { generation: ++generation, pools: [] } } as unknown as WorkerPlan,
      onPrepared,
    )
  }
  return { workers, said, apply }
}

function death(index: number, of: string, times = 1) {
  return { index, of, times, lives: new Int32Array(new SharedArrayBuffer(4)) }
}

test('all workers listen on the port that port 0 was for the first, and keep it over a reload', async (t) => {
  const { apply, said } = await group(t)
  assert.deepEqual(await apply(), { web: ['127.0.0.1:40000'] })
  await apply()
  const prepared = said.filter((line) => line.includes('prepared'))
  assert.deepEqual(
    prepared,
    [1, 2].flatMap((generation) => [0, 1, 2].map((index) => `${index} prepared ${generation} at 127.0.0.1:40000`)),
  )
})

test('a worker that refuses a plan leaves all with the plan before', async (t) => {
  const { apply, said } = await group(t)
  await apply()
  let hasPrepared = false
  await assert.rejects(
    apply({ refuses: 1 }, () => (hasPrepared = true)),
    { code: 'LISTEN_FAILED' },
  )
  assert.equal(hasPrepared, false)
  await apply()
  assert.deepEqual(
    said.filter((line) => line.includes('has')).sort(),
    [0, 1, 2].flatMap((index) => [1, 3].map((generation) => `${index} has ${generation}`)),
  )
})

test('a worker that dies comes back with the plan in force and the same ports', async (t) => {
  const { apply, said, workers } = await group(t)
  await apply()
  const restarted = once(workers, 'restarted')
  await assert.rejects(apply({ dies: death(1, 'prepare') }), { code: 'WORKER_DIED' })
  await restarted
  assert.ok(said.includes('1 prepared 1 at 127.0.0.1:40000'))
  assert.equal(said.filter((line) => line === '1 has 1').length, 2)
  await apply()
  for (const index of [0, 1, 2]) assert.ok(said.includes(`${index} has 3`))
})

test('a worker that dies when a plan is put into force comes back with it, and the plan holds', async (t) => {
  const { apply, said } = await group(t)
  await apply()
  await apply({ dies: death(2, 'commit') })
  for (const index of [0, 1, 2]) assert.ok(said.includes(`${index} has 2`), said.join())
  await apply()
  for (const index of [0, 1, 2]) assert.ok(said.includes(`${index} has 3`))
})

test('a worker that cannot be kept alive is told', async (t) => {
  const { apply, workers } = await group(t)
  await apply()
  const lost = once(workers, 'lost')
  await apply({ dies: death(0, 'commit', 99) })
  assert.equal((await lost)[0], 0)
})

test('a worker that dies while it drains takes nothing away from the others', async (t) => {
  const { apply, workers } = await group(t)
  await apply({ dies: death(1, 'drain') })
  assert.equal(await workers.drain(10_000), true)
})

test('a drain ends when every worker has drained', async (t) => {
  const { apply, workers } = await group(t)
  await apply()
  assert.equal(await workers.drain(10_000), true)
})
