/**
 * Evener beside nginx (stream), as proxies of datagrams in front of one echo.
 *
 *   npm run bench -- udp [--json [FILE]] [--seconds N] [--rounds N] [--contenders a,b]
 *
 * Each proxy has core 0 to itself while it is measured, echo and load share core 1. Runs take turns (A B A B …); what is printed are medians. The
 * cost of an exchange, one datagram there and one back, is the CPU time of the whole process, divided by the echoes that came back.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { parseArgs, promisify } from 'node:util'
import { program, programVersion } from '../test/support/needs.ts'
import { freePort } from './http/daemon.ts'
import { readUse } from './http/process-use.ts'
import { median, spread } from './http/statistics.ts'
import { describeCommit, describeMachine, packageVersion } from './machine.ts'
import { nginxStream } from './tcp/contenders.ts'

const { values: flags } = parseArgs({
  allowPositionals: false,
  options: {
    json: { type: 'string' },
    seconds: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '5' },
    contenders: { type: 'string', default: 'evener,evener-portable,nginx' },
  },
})

const CASES = [
  { name: 'datagrams-64', title: '100 bytes there and back, 64 clients', clients: 64, bytes: 100 },
  { name: 'datagrams-512', title: '100 bytes there and back, 512 clients', clients: 512, bytes: 100 },
  { name: 'datagrams-1400', title: '1400 bytes there and back, 64 clients', clients: 64, bytes: 1400 },
] as const

type Command = (folder: string, port: number, originPort: number) => readonly string[]

const CONTENDERS: Readonly<Record<string, Command>> = {
  evener: evener('auto'),
  'evener-portable': evener('portable'),
  nginx: (folder, port, originPort) => {
    const file = join(folder, `nginx-${port}.conf`)
    writeFileSync(file, nginxStream(folder, port, `\n    listen 127.0.0.1:${port} udp reuseport;\n    proxy_pass 127.0.0.1:${originPort};`))
    return [program('nginx'), '-p', folder, '-e', 'stderr', '-c', file]
  },
}

const run = promisify(execFile)
const folder = mkdtempSync(join(tmpdir(), 'evener-bench-'))
const echo = spawn('taskset', ['-c', '1', process.execPath, join(import.meta.dirname, 'udp/echo.ts')], {
  stdio: ['pipe', 'pipe', 'inherit'],
})
const children: ChildProcess[] = [echo]
process.on('exit', () => {
  for (const child of children) child.kill('SIGTERM')
  rmSync(folder, { recursive: true, force: true })
})
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130))
const [originPort] = (await once(createInterface(echo.stdout), 'line')).map(Number)

const chosen = flags.contenders.split(',')
const proxies = new Map<string, { readonly pid: number; readonly port: number }>()
for (const name of chosen) {
  proxies.set(name, await start(CONTENDERS[name]))
  // What compiles itself while it runs is to have done so.
  await runOnce(name, 64, 100, '3')
}

const results: object[] = []
for (const one of CASES) {
  const runs = new Map<string, { costMicros: number; perSecond: number; p50: number; p99: number; lost: number }[]>()
  for (let round = 0; round < Number(flags.rounds); round++) {
    for (const name of chosen) runs.set(name, [...(runs.get(name) ?? []), await runOnce(name, one.clients, one.bytes)])
  }
  console.log(`\n${one.title}`)
  const medians = chosen.map((name) => {
    const all = runs.get(name) ?? []
    const of = (key: 'costMicros' | 'perSecond' | 'p50' | 'p99' | 'lost') => median(all.map((each) => each[key]))
    return {
      contender: name,
      costMicros: of('costMicros'),
      spread: spread(all.map((each) => each.costMicros)),
      perSecond: of('perSecond'),
      p50: of('p50'),
      p99: of('p99'),
      lost: of('lost'),
    }
  })
  console.table(
    medians.map((each) => ({
      '': each.contender,
      'CPU µs/exchange': each.costMicros.toFixed(2),
      'spread ±%': Math.round(each.spread * 50),
      'exchanges/s': Math.round(each.perSecond),
      'p50 µs': Math.round(each.p50),
      'p99 µs': Math.round(each.p99),
      lost: each.lost,
    })),
  )
  const nginx = medians.find(({ contender }) => contender === 'nginx')
  if (nginx !== undefined)
    for (const each of medians)
      if (each !== nginx) console.log(`${each.contender}: ${(each.costMicros / nginx.costMicros).toFixed(2)} × nginx`)
  results.push({ ...one, medians, runs: Object.fromEntries(runs) })
}
if (flags.json !== undefined) writeResults()
process.exit(0)

async function start(command: Command): Promise<{ pid: number; port: number }> {
  const port = await freePort()
  const child = spawn('taskset', ['-c', '0', ...command(folder, port, originPort)], { stdio: ['ignore', 'ignore', 'ignore'] })
  children.push(child)
  // Ready is who echoes a datagram.
  const script = join(import.meta.dirname, 'udp/load.ts')
  for (;;) {
    if (child.exitCode !== null) throw new Error(`a proxy ended with ${child.exitCode}`)
    const { stdout } = await run(process.execPath, [script, String(port), '0.1', '1', '100'])
    if (JSON.parse(stdout).datagrams > 0) return { pid: child.pid as number, port }
  }
}

async function runOnce(name: string, clients: number, bytes: number, seconds = flags.seconds) {
  const { pid, port } = proxies.get(name) as { pid: number; port: number }
  const before = readUse(pid).cpuMicros
  const script = join(import.meta.dirname, 'udp/load.ts')
  const { stdout } = await run('taskset', ['-c', '1', process.execPath, script, String(port), seconds, String(clients), String(bytes)])
  const result = JSON.parse(stdout)
  // The load begins a fifth of a second before it counts.
  const counted = result.datagrams * (1 + 0.2 / result.seconds)
  if (result.wrong > 0 || result.datagrams === 0) throw new Error(`${name}: ${stdout}`)
  return {
    costMicros: (readUse(pid).cpuMicros - before) / counted,
    perSecond: result.datagrams / result.seconds,
    p50: result.p50,
    p99: result.p99,
    lost: result.lost,
  }
}

function evener(engine: string): Command {
  return (into, port, origin) => {
    const file = join(into, `evener-${port}.json`)
    const config = {
      workers: 1,
      engine,
      admin: { bind: '127.0.0.1:0' },
      listeners: { relay: { bind: `127.0.0.1:${port}`, udp: { pool: 'origin' } } },
      pools: { origin: { servers: [{ name: 'a', address: `127.0.0.1:${origin}` }] } },
    }
    writeFileSync(file, JSON.stringify(config))
    return [process.execPath, join(import.meta.dirname, '../bin/evener.js'), 'run', '-c', file]
  }
}

function writeResults(): void {
  const date = new Date().toISOString().slice(0, 10)
  const file = flags.json === '' || flags.json === undefined ? join(import.meta.dirname, 'results', `udp-${date}.json`) : flags.json
  const versions = { evener: packageVersion(), nginx: programVersion('nginx').replace(/^.*nginx\//, '') }
  const stamp = { date, commit: describeCommit(), machine: describeMachine(), versions }
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(
    file,
    `${JSON.stringify({ ...stamp, settings: { seconds: flags.seconds, rounds: flags.rounds }, cases: results }, null, 2)}\n`,
  )
  console.log(`\nwritten to ${file}`)
}
