import { once } from 'node:events'
import type { TestContext } from 'node:test'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import type { SocketAddress } from '../../src/core/index.ts'
import { createEngine } from '../../src/engine/index.ts'
import type { Backend } from './engine.ts'

export interface EngineThread {
  readonly worker: Worker
  readonly address: SocketAddress
}

interface Orders {
  readonly engineThread: { kind: Backend['kind']; address: SocketAddress; reusePort: boolean }
}

/** An engine in a thread of its own that echoes what it receives on `address`. */
export async function engineThread(
  t: TestContext,
  backend: Backend,
  address: SocketAddress,
  options: { reusePort?: boolean } = {},
): Promise<EngineThread> {
  const orders: Orders = { engineThread: { kind: backend.kind, address, reusePort: options.reusePort ?? false } }
  const worker = new Worker(new URL(import.meta.url), { workerData: orders })
  t.after(() => worker.terminate())
  const [bound] = (await once(worker, 'message')) as [SocketAddress]
  return { worker, address: bound }
}

async function serve({ kind, address, reusePort }: Orders['engineThread']): Promise<void> {
  const { engine } = await createEngine(kind, { blockCount: 1024, receiveBlocks: 64 })
  engine.start()
  const listener = await engine.listen({ address, reusePort }, () => ({
    opened() {},
    received: (connection, start, end) => connection.send(start, end),
    ended: (connection) => connection.close(),
    drained() {},
    closed() {},
  }))
  parentPort?.postMessage(listener.address)
}

if (!isMainThread && workerData?.engineThread !== undefined) await serve((workerData as Orders).engineThread)
