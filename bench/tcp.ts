/**
 * Evener beside nginx (stream) and HAProxy (mode tcp), as proxies of connections in front of one origin.
 *
 *   npm run bench -- tcp [--json [FILE]] [--seconds N] [--rounds N] [--cases a,b] [--contenders a,b]
 *
 * On the harness of bench/http: what the connections carry is HTTP, because its load tools are good, but no contender reads it. Cores,
 * turns and costs are those of that benchmark.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import type { LoadCase } from './http/cases.ts'
import type { ContenderName } from './http/contenders.ts'
import { measure, type Setting } from './http/measure.ts'
import { startOrigin } from './http/origin.ts'
import { printLoadCase, ratios, summarize } from './http/print.ts'
import { describeCommit, describeMachine, packageVersion } from './machine.ts'
import { contenders } from './tcp/contenders.ts'

const ALL = ['evener', 'nginx', 'haproxy'] as const

const CASES: readonly LoadCase[] = [
  { name: 'small-1', title: 'some 100 bytes each way, 1 connection', load: { path: '/small', connections: 1 }, contenders: ALL },
  {
    name: 'small-64',
    title: 'some 100 bytes each way, 64 connections',
    load: { path: '/small', connections: 64 },
    contenders: ALL,
    isTuned: true,
  },
  { name: 'small-512', title: 'some 100 bytes each way, 512 connections', load: { path: '/small', connections: 512 }, contenders: ALL },
  { name: '1m', title: '1 MiB to the client, 64 connections', load: { path: '/1m', connections: 64 }, contenders: ALL, isTuned: true },
  {
    name: 'upload',
    title: '64 KiB to the server, 64 connections',
    load: { path: '/upload', connections: 64, upload: 64 * 1024 },
    contenders: ALL,
    isTuned: true,
  },
  {
    name: 'connect',
    title: 'a connection for each exchange, 64 at once',
    load: { path: '/small', connections: 64, close: true },
    contenders: ALL,
  },
  {
    name: 'portable',
    title: 'some 100 bytes each way, 64 connections, portable engine',
    load: { path: '/small', connections: 64 },
    contenders: ['evener-portable', 'nginx', 'haproxy'],
  },
]

const { values: flags } = parseArgs({
  allowPositionals: false,
  options: {
    json: { type: 'string' },
    seconds: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '5' },
    cases: { type: 'string', default: CASES.map(({ name }) => name).join(',') },
    contenders: { type: 'string', default: 'evener,evener-portable,nginx,haproxy' },
  },
})

if (cpus().length < 2) {
  console.error('bench tcp: two cores are needed, one for the proxy and one for the load')
  process.exit(2)
}
const folder = mkdtempSync(join(tmpdir(), 'evener-bench-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130))

const all = contenders(packageVersion())
const chosen = flags.contenders.split(',') as ContenderName[]
const origin = await startOrigin(1, folder)
const setting: Setting = {
  folder,
  proxyCore: 0,
  loadCore: 1,
  originPort: origin.port,
  originPid: origin.pid,
  seconds: Number(flags.seconds),
  rounds: Number(flags.rounds),
}

const results: object[] = []
for (const one of CASES.filter(({ name }) => flags.cases.split(',').includes(name))) {
  const measured = await measure(
    one,
    one.contenders.filter((name) => chosen.includes(name)).map((name) => all[name]),
    setting,
  )
  printLoadCase(one.title, measured)
  const medians = measured.map(summarize)
  const costs = medians.map(({ contender, cpuMicrosPerRequest }) => ({ contender, value: cpuMicrosPerRequest }))
  results.push({ name: one.name, title: one.title, load: one.load, medians, ratios: ratios(costs), runs: measured })
}
await origin.stop()
if (flags.json !== undefined) writeResults()
process.exit(0)

function writeResults(): void {
  const date = new Date().toISOString().slice(0, 10)
  const file = flags.json === '' || flags.json === undefined ? join(import.meta.dirname, 'results', `tcp-${date}.json`) : flags.json
  const versions = Object.fromEntries(chosen.map((name) => [name, all[name].version]))
  const stamp = { date, commit: describeCommit(), machine: describeMachine(), versions }
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(
    file,
    `${JSON.stringify({ ...stamp, settings: { seconds: setting.seconds, rounds: setting.rounds }, cases: results }, null, 2)}\n`,
  )
  console.log(`\nwritten to ${file}`)
}
