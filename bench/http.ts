/**
 * Evener beside nginx and HAProxy, as HTTP/1.1 reverse proxies in front of one origin.
 *
 *   npm run bench -- http [--json [FILE]] [--seconds N] [--rounds N] [--cases a,b] [--contenders a,b]
 *
 * Each proxy has core 0 to itself while it is measured, origin and load share core 1. Runs are short and take turns (A B C A B C …);
 * what is printed are medians. The cost of a request is the CPU time of the whole process, user and system, all threads,
 * divided by the requests that the load tool counted. Every answer's status and length is checked.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { findProgram } from '../scripts/test/packages.ts'
import { LOAD_CASES } from './http/cases.ts'
import { type Contender, type ContenderName, contenders } from './http/contenders.ts'
import { measureIdle } from './http/idle.ts'
import { measure, type Setting } from './http/measure.ts'
import { startOrigin } from './http/origin.ts'
import { printIdle, printLoadCase, printStartUp, ratios, summarize } from './http/print.ts'
import { measureStartUp } from './http/startup.ts'
import { median } from './http/statistics.ts'
import { verify } from './http/verify.ts'
import { describeCommit, describeMachine, packageVersion } from './machine.ts'

const IDLE_TITLE = 'memory of an idle connection, 10,000 of them'
const START_TITLE = 'from start to the first answer'
const CASE_NAMES = [...LOAD_CASES.map((one) => one.name), 'idle', 'start']

const { values: flags } = parseArgs({
  allowPositionals: false,
  options: {
    json: { type: 'string' },
    seconds: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '5' },
    cases: { type: 'string', default: CASE_NAMES.join(',') },
    contenders: { type: 'string', default: 'evener,evener-portable,nginx,haproxy' },
  },
})

const wanted = readList(flags.cases, CASE_NAMES)
const chosen = readList(flags.contenders, ['evener', 'evener-portable', 'nginx', 'haproxy']) as ContenderName[]
requireTools()

const folder = mkdtempSync(join(tmpdir(), 'evener-bench-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130))

const date = new Date().toISOString().slice(0, 10)
const all = contenders(packageVersion())
const origin = await startOrigin(1, folder)
for (const { load } of LOAD_CASES) await verify(origin.port, load)
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
for (const name of wanted) results.push(await runCase(name))
await origin.stop()
if (flags.json !== undefined) writeResults(flags.json === '' ? join(import.meta.dirname, 'results', `http-${date}.json`) : flags.json)
process.exit(0)

async function runCase(name: string): Promise<object> {
  const pick = (names: readonly ContenderName[]): Contender[] => names.filter((one) => chosen.includes(one)).map((one) => all[one])
  if (name === 'idle') {
    const memory = await measureIdle(pick(['evener', 'nginx', 'haproxy']), setting)
    printIdle(IDLE_TITLE, memory)
    const medians = memory.map(({ contender, bytesPerConnection }) => ({ contender, value: median(bytesPerConnection) }))
    return { name, title: IDLE_TITLE, unit: 'bytes per connection', medians, ratios: ratios(medians), runs: memory }
  }
  if (name === 'start') {
    const starts = await measureStartUp(pick(['evener', 'evener-portable', 'nginx', 'haproxy']), setting)
    printStartUp(START_TITLE, starts)
    const medians = starts.map(({ contender, milliseconds }) => ({ contender, value: median(milliseconds) }))
    return { name, title: START_TITLE, unit: 'ms', medians, ratios: ratios(medians), runs: starts }
  }
  const one = LOAD_CASES.find((each) => each.name === name)
  if (one === undefined) throw new Error(`no case ${name}`)
  const measured = await measure(one, pick(one.contenders), setting)
  printLoadCase(one.title, measured)
  const medians = measured.map(summarize)
  const costs = medians.map(({ contender, cpuMicrosPerRequest }) => ({ contender, value: cpuMicrosPerRequest }))
  return { name, title: one.title, load: one.load, medians, ratios: ratios(costs), runs: measured }
}

function writeResults(file: string): void {
  const versions = Object.fromEntries(chosen.map((name) => [name, all[name].version]))
  const stamp = { date, commit: describeCommit(), machine: describeMachine(), versions }
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(
    file,
    `${JSON.stringify({ ...stamp, settings: { seconds: setting.seconds, rounds: setting.rounds }, cases: results }, null, 2)}\n`,
  )
  console.log(`\nwritten to ${file}`)
}

function readList(text: string, known: readonly string[]): string[] {
  const names = text.split(',')
  const unknown = names.filter((name) => !known.includes(name))
  if (unknown.length > 0) fail(`unknown: ${unknown.join(', ')}; there are ${known.join(', ')}`)
  return names
}

function requireTools(): void {
  const missing = ['nginx', 'haproxy', 'wrk', 'h2load', 'taskset'].filter((name) => findProgram(name) === undefined)
  if (missing.length > 0) fail(`not installed: ${missing.join(', ')}`)
  if (cpus().length < 2) fail('two cores are needed, one for the proxy and one for the load')
}

function fail(why: string): never {
  console.error(`bench http: ${why}`)
  process.exit(2)
}
