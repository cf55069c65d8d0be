import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import type { Contender, Contenders } from '../harness/contender.ts'
import { type Setting, start } from '../harness/measure.ts'
import { printTable, ratios } from '../harness/print.ts'
import { readMemory } from '../harness/process-use.ts'
import { type BenchCase, pick } from '../harness/run.ts'
import { median, spread } from '../harness/statistics.ts'

interface IdleMemory {
  readonly contender: string
  readonly bytesPerConnection: readonly number[]
}

const TITLE = 'memory of an idle connection, 10,000 of them'
const CONNECTIONS = 10_000
const WARM_UP_CONNECTIONS = 200
const AT_ONCE = 100
const REQUEST = 'GET /small HTTP/1.1\r\nHost: bench.test\r\n\r\n'

/** Memory that a kept-alive connection costs once its request has been answered, for 10,000 of them in a fresh process. */
export function idleCase(all: Contenders): BenchCase {
  return {
    name: 'idle',
    async run(setting, chosen) {
      const memory = await measureIdle(pick(['evener', 'nginx', 'haproxy'], all, chosen), setting)
      const rows = memory.map(({ contender, bytesPerConnection }) => [
        contender,
        Math.round(median(bytesPerConnection)).toLocaleString('en'),
        `± ${(spread(bytesPerConnection) * 50).toFixed(0)} %`,
      ])
      printTable(TITLE, ['', 'bytes/connection', 'spread'], rows)
      const medians = memory.map(({ contender, bytesPerConnection }) => ({ contender, value: median(bytesPerConnection) }))
      return { name: 'idle', title: TITLE, unit: 'bytes per connection', medians, ratios: ratios(medians), runs: memory }
    },
  }
}

async function measureIdle(all: readonly Contender[], setting: Setting): Promise<IdleMemory[]> {
  const results = all.map((contender) => ({ contender: contender.name, bytesPerConnection: [] as number[] }))
  for (let round = 0; round < Math.min(3, setting.rounds); round++) {
    for (const [index, contender] of all.entries()) results[index].bytesPerConnection.push(await measureOnce(contender, setting))
  }
  return results
}

async function measureOnce(contender: Contender, setting: Setting): Promise<number> {
  const daemon = await start(contender, contender.variants[0], setting)
  const sockets: Socket[] = []
  try {
    // What the first requests cost once and for all (code, upstream connections) is not to be counted.
    for (let i = 0; i < WARM_UP_CONNECTIONS; i += AT_ONCE) await open(daemon.port, AT_ONCE, sockets)
    const before = readMemory(daemon.pid)
    for (let i = 0; i < CONNECTIONS; i += AT_ONCE) await open(daemon.port, AT_ONCE, sockets)
    return (readMemory(daemon.pid) - before) / CONNECTIONS
  } finally {
    for (const socket of sockets) socket.destroy()
    await daemon.stop()
  }
}

async function open(port: number, count: number, sockets: Socket[]): Promise<void> {
  await Promise.all(
    Array.from({ length: count }, async () => {
      const socket = connect(port, '127.0.0.1')
      sockets.push(socket)
      socket.write(REQUEST)
      const [answer] = (await once(socket, 'data')) as [Buffer]
      if (!answer.toString('latin1').startsWith('HTTP/1.1 200'))
        throw new Error(`unexpected answer ${answer.toString('latin1').slice(0, 100)}`)
      socket.resume()
    }),
  )
}
