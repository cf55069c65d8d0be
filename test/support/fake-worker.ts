/** A worker thread of WorkerGroup without an engine: it tells what it is asked, and dies when the plan says so. */
import { parentPort, workerData } from 'node:worker_threads'

interface Asked {
  readonly type: string
  readonly generation: number
  readonly plan?: { readonly plan: FakePlan; readonly slots: { readonly generation: number } }
}

export interface FakePlan {
  readonly listeners: readonly {
    readonly name: string
    readonly bind: readonly { readonly family: 4; readonly host: string; readonly port: number }[]
  }[]
  /** Index of a worker, what it dies of, and how often: its first so many lives. */
  readonly dies?: { readonly index: number; readonly of: string; readonly lives: Int32Array; readonly times: number }
  readonly refuses?: number
}

const { index } = workerData as { readonly index: number }
const prepared = new Map<number, FakePlan>()

parentPort?.on('message', (message: Asked) => {
  const plan = message.plan?.plan ?? prepared.get(message.generation) ?? [...prepared.values()].at(-1)
  const dies = plan?.dies
  if (dies?.index === index && dies.of === message.type && Atomics.add(dies.lives, 0, 1) < dies.times) process.exit(7)
  switch (message.type) {
    case 'prepare': {
      if (plan?.refuses === index) {
        say({ type: 'refused', generation: message.generation, failure: { code: 'LISTEN_FAILED', message: 'no' } })
        return
      }
      prepared.set(message.generation, plan as FakePlan)
      const bound = ({ host, port }: { host: string; port: number }) => `${host}:${port === 0 ? 40_000 + index : port}`
      const addresses = Object.fromEntries((plan?.listeners ?? []).map(({ name, bind }) => [name, bind.map(bound)]))
      say({ type: 'warning', message: `${index} prepared ${message.generation} at ${Object.values(addresses).flat().join()}` })
      say({ type: 'prepared', generation: message.generation, addresses })
      return
    }
    case 'commit':
      say({ type: 'warning', message: `${index} ${prepared.delete(message.generation) ? 'has' : 'lacks'} ${message.generation}` })
      say({ type: 'committed', generation: message.generation })
      return
    case 'rollback':
      prepared.delete(message.generation)
      say({ type: 'committed', generation: message.generation })
      return
    case 'drain':
      say({ type: 'drained' })
  }
})

function say(message: object): void {
  parentPort?.postMessage(message)
}

say({ type: 'ready', engine: 'portable', reason: 'fake' })
