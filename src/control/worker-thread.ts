import { parentPort, workerData } from 'node:worker_threads'
import { EvenerError } from '../core/index.ts'
import { createEngine } from '../engine/index.ts'
import { PoolTable } from '../pool/index.ts'
import { ProxyWorker, type PreparedSite } from '../proxy/index.ts'
import { connectAccessLog, MetricsRegistry } from '../observe/index.ts'
import type { FromWorker, ToWorker, WorkerFailure, WorkerSetup } from './messages.ts'

/** Entry of a worker thread: an engine, a proxy on it, and the messages of the control thread. */
const setup = workerData as WorkerSetup
const port = parentPort
if (port === null) throw new Error('worker-thread.ts is started by the control thread')

const say = (message: FromWorker): void => port.postMessage(message)

try {
  await serve()
} catch (error) {
  say({ type: 'failed', failure: failureOf(error) })
  process.exitCode = 1
}

async function serve(): Promise<void> {
  const { engine, reason } = await createEngine(setup.engine, setup.engineOptions, {
    onError: (error) => say({ type: 'error', message: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
  })
  const worker = new ProxyWorker(engine, {
    index: setup.index,
    table: PoolTable.attach(setup.poolTable),
    metrics: MetricsRegistry.attach(setup.metrics, setup.index),
    accessLog: connectAccessLog(setup.accessLog),
  })
  const prepared = new Map<number, PreparedSite>()
  port?.on('message', (message: ToWorker) => void handle(worker, prepared, message))
  engine.start()
  say({ type: 'ready', engine: engine.kind, reason })
}

async function handle(worker: ProxyWorker, prepared: Map<number, PreparedSite>, message: ToWorker): Promise<void> {
  switch (message.type) {
    case 'prepare':
      try {
        const site = await worker.prepare(message.plan.plan, message.plan.slots)
        prepared.set(message.generation, site)
        say({ type: 'prepared', generation: message.generation, addresses: site.addresses() })
      } catch (error) {
        say({ type: 'refused', generation: message.generation, failure: failureOf(error) })
      }
      return
    case 'commit': {
      const site = prepared.get(message.generation)
      prepared.delete(message.generation)
      if (site !== undefined) worker.commit(site)
      say({ type: 'committed', generation: message.generation })
      return
    }
    case 'rollback': {
      const site = prepared.get(message.generation)
      prepared.delete(message.generation)
      if (site !== undefined) worker.rollback(site)
      say({ type: 'committed', generation: message.generation })
      return
    }
    case 'drain':
      await worker.drain()
      say({ type: 'drained' })
      return
    case 'stop':
      process.exit(0)
  }
}

function failureOf(error: unknown): WorkerFailure {
  if (error instanceof EvenerError) return { code: error.code, message: error.message }
  return { code: 'SYSTEM_CALL_FAILED', message: error instanceof Error ? error.message : String(error) }
}
