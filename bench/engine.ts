/**
 * The engines alone: a forwarder that does the least a proxy can do (bench/engine/forwarder.ts), beside nginx.
 *
 *   npm run bench -- engine [--json [FILE]] [--seconds N] [--rounds N] [--cases a,b] [--contenders a,b]
 *
 * What the proxy costs on top of this is the price of HTTP, routes, pools and counters. How it measures is told in bench/harness/run.ts.
 */
import { join } from 'node:path'
import type { Contender } from './harness/contender.ts'
import { loadCase, runBench } from './harness/run.ts'
import { LOAD_CASES } from './http/cases.ts'
import { contenders } from './http/contenders.ts'

const FORWARDER = join(import.meta.dirname, 'engine/forwarder.ts')
const CASES = ['small-1', 'small-64', 'small-512', '16k', '1m']

const { evener, 'evener-portable': portable, nginx } = contenders()
const all = { uring: forwarder(evener, 'uring'), portable: forwarder(portable, 'portable'), nginx }
await runBench(
  'engine',
  LOAD_CASES.filter(({ name }) => CASES.includes(name)).map((one) => loadCase({ ...one, contenders: Object.keys(all) }, all)),
  all,
  [],
)

/** Takes the place of Evener among the contenders. */
function forwarder(place: Contender, kind: string): Contender {
  return {
    ...place,
    name: kind,
    command: (_folder, port, originPort) => [process.execPath, FORWARDER, kind, String(port), String(originPort)],
  }
}
