import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import type { TestContext } from 'node:test'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import type { SocketAddress } from '../../src/core/index.ts'

const BACKLOG = 1

/**
 * A TCP port whose accept queue is full and stays full, so that a connect to it gets no answer: its thread listens and then
 * sleeps for good.
 */
export async function deafListener(t: TestContext): Promise<SocketAddress> {
  const worker = new Worker(new URL(import.meta.url), { workerData: { deafListener: true } })
  t.after(() => worker.terminate())
  const [port] = (await once(worker, 'message')) as [number]
  const fillers: Socket[] = []
  t.after(() => {
    for (const filler of fillers) filler.destroy()
  })
  // The kernel takes one connection more than the backlog says, and at least one SYN is then left without an answer.
  for (let i = 0; i <= BACKLOG; i++) {
    const filler = connect({ port, host: '127.0.0.1' })
    filler.on('error', () => {})
    fillers.push(filler)
    await once(filler, 'connect')
  }
  return { family: 4, host: '127.0.0.1', port }
}

if (!isMainThread && workerData?.deafListener === true) {
  const server = createServer().listen({ port: 0, host: '127.0.0.1', backlog: BACKLOG }, () => {
    const bound = server.address()
    parentPort?.postMessage(bound !== null && typeof bound !== 'string' ? bound.port : 0)
    // The message leaves before this thread stops.
    setImmediate(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0))
  })
}
