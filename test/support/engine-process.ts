/** A process with an engine of its own, in the main thread or in a worker, for tests of how the two live together. */
import { writeSync } from 'node:fs'
import { connect } from 'node:net'
import { isMainThread, Worker, workerData } from 'node:worker_threads'
import type { ConnectionHandler, Engine, Listener } from '../../src/engine/index.ts'
import { RingEngine } from '../../src/engine/uring/engine.ts'
import { SMALL } from './uring.ts'

const quiet: ConnectionHandler = { opened() {}, received() {}, ended() {}, drained() {}, closed() {} }
/** At once, whichever thread it is. */
const say = (text: string) => writeSync(1, `${text}\n`)

const acts: Record<string, (engine: Engine) => Promise<void>> = {
  async exit(engine) {
    dial(await engine.listen({ address: { family: 4, host: '127.0.0.1', port: 0 } }, () => ({ ...quiet, received: () => exit() })))
  },
  async throw(engine) {
    process.on('uncaughtException', (error) => say(`uncaught: ${error.message}`))
    let count = 0
    const listener = await engine.listen({ address: { family: 4, host: '127.0.0.1', port: 0 } }, () => ({
      ...quiet,
      received(connection, start, end) {
        connection.send(start, end)
        if (count++ > 0) return
        void Promise.resolve().then(() => {
          throw new Error('from a promise job')
        })
      },
    }))
    const client = dial(listener)
    let echoes = 0
    client.on('data', () => {
      if (echoes++ === 0) client.write('y')
      else {
        say('served')
        client.destroy()
        void engine.close()
      }
    })
  },
  async close(engine) {
    await engine.listen({ address: { family: 4, host: '127.0.0.1', port: 0 } }, () => quiet)
    await engine.close()
    say('closed')
  },
  async signal(engine) {
    await engine.listen({ address: { family: 4, host: '127.0.0.1', port: 0 } }, () => quiet)
    process.on('SIGTERM', () => {
      say('signal')
      process.removeAllListeners('SIGTERM')
      void engine.close()
    })
    say('listening')
  },
}

function dial({ address }: Listener) {
  if (address.family === 'unix') throw new Error('a TCP address was expected')
  const client = connect(address.port, address.host)
  client.on('error', () => {})
  client.write('x')
  return client
}

function exit(): void {
  say('exiting')
  process.exit(7)
}

async function main(what: string): Promise<void> {
  const engine = new RingEngine(SMALL, { report: (error) => say(`reported: ${error}`) })
  engine.start()
  await new Promise((resolve) => setImmediate(resolve))
  say('ready')
  await acts[what](engine)
}

const [what, where] = process.argv.slice(2)
if (isMainThread && where === 'worker') {
  const worker = new Worker(new URL(import.meta.url), { workerData: what })
  worker.on('exit', (code) => {
    process.exitCode = code
  })
} else await main(isMainThread ? what : workerData)
