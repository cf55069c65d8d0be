/**
 * The engines alone: a forwarder that does the least a proxy can do (bench/engine/forwarder.ts), beside nginx.
 *
 *   npm run bench -- engine [SECONDS] [ROUNDS]
 *
 * What the proxy costs on top of this is the price of HTTP, routes, pools and counters. Method as in bench/http.ts.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { LOAD_CASES } from './http/cases.ts'
import { type Contender, contenders } from './http/contenders.ts'
import { measure, type Setting } from './http/measure.ts'
import { startOrigin } from './http/origin.ts'
import { printLoadCase } from './http/print.ts'
import { packageVersion } from './machine.ts'

const FORWARDER = join(import.meta.dirname, 'engine/forwarder.ts')
const CASES = ['small-1', 'small-64', 'small-512', '16k', '1m']
const [seconds = '2', rounds = '5'] = process.argv.slice(2)

const folder = mkdtempSync(join(tmpdir(), 'evener-bench-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130))

const { nginx, evener, 'evener-portable': portable } = contenders(packageVersion())
const origin = await startOrigin(1, folder)
const setting: Setting = {
  folder,
  proxyCore: 0,
  loadCore: 1,
  originPort: origin.port,
  originPid: origin.pid,
  seconds: Number(seconds),
  rounds: Number(rounds),
}
for (const one of LOAD_CASES.filter(({ name }) => CASES.includes(name))) {
  printLoadCase(one.title, await measure(one, [forwarder(evener, 'uring'), forwarder(portable, 'portable'), nginx], setting))
}
await origin.stop()
process.exit(0)

/** Takes the place of Evener among the contenders. */
function forwarder(place: Contender, kind: string): Contender {
  const command = (_folder: string, port: number, originPort: number) => [
    process.execPath,
    FORWARDER,
    kind,
    String(port),
    String(originPort),
  ]
  return { ...place, command }
}
