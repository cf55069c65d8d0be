/**
 * Evener beside nginx and HAProxy, as HTTP/1.1 reverse proxies in front of one origin.
 *
 *   npm run bench -- http [--json [FILE]] [--seconds N] [--rounds N] [--cases a,b] [--contenders a,b]
 *
 * How it measures is told in bench/harness/run.ts.
 */
import { loadCase, runBench } from './harness/run.ts'
import { LOAD_CASES } from './http/cases.ts'
import { contenders } from './http/contenders.ts'
import { idleCase } from './http/idle.ts'
import { startCase } from './http/start.ts'

const all = contenders()
await runBench('http', [...LOAD_CASES.map((one) => loadCase(one, all)), idleCase(all), startCase(all)], all, ['haproxy', 'h2load'])
