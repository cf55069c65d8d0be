/**
 * Evener beside nginx (stream), as proxies of datagrams in front of one echo.
 *
 *   npm run bench -- udp [--json [FILE]] [--seconds N] [--rounds N] [--cases a,b] [--contenders a,b]
 *
 * Each proxy has core 0 to itself while it is measured, echo and load share core 1. Runs take turns (A B A B …); what is printed are medians. The
 * cost of an exchange, one datagram there and one back, is the CPU time of the whole process, divided by the echoes that came back.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { type Contender, type Contenders, evener, nginx, type Place } from './harness/contender.ts'
import { freePort } from './harness/daemon.ts'
import { readFlags } from './harness/flags.ts'
import { readUse } from './harness/process-use.ts'
import { writeResults } from './harness/report.ts'
import { median, spread } from './harness/statistics.ts'
import { workFolder } from './harness/work-folder.ts'
import { nginxStream } from './tcp/contenders.ts'

const CASES = [
  { name: 'datagrams-64', title: '100 bytes there and back, 64 clients', clients: 64, bytes: 100, burst: 1 },
  { name: 'datagrams-512', title: '100 bytes there and back, 512 clients', clients: 512, bytes: 100, burst: 1 },
  { name: 'datagrams-1400', title: '1400 bytes there and back, 64 clients', clients: 64, bytes: 1400, burst: 1 },
  { name: 'bursts-1200', title: '16 × 1200 bytes there and back, 16 clients', clients: 16, bytes: 1200, burst: 16 },
] as const

const all: Contenders = {
  evener: evener('auto', evenerUdp),
  'evener-portable': evener('portable', evenerUdp),
  nginx: nginx(['as it comes'], ({ folder, port, originPort }) =>
    nginxStream(folder, port, `\n    listen 127.0.0.1:${port} udp reuseport;\n    proxy_pass 127.0.0.1:${originPort};`),
  ),
}

const flags = readFlags('udp', { cases: CASES.map(({ name }) => name), contenders: Object.keys(all), programs: ['nginx'] })
const run = promisify(execFile)
const folder = workFolder()
const echo = spawn('taskset', ['-c', '1', process.execPath, join(import.meta.dirname, 'udp/echo.ts')], {
  stdio: ['pipe', 'pipe', 'inherit'],
})
const children: ChildProcess[] = [echo]
process.on('exit', () => {
  for (const child of children) child.kill('SIGTERM')
})
const [originPort] = (await once(createInterface(echo.stdout), 'line')).map(Number)

const chosen = flags.contenders
const proxies = new Map<string, { readonly pid: number; readonly port: number }>()
for (const name of chosen) {
  proxies.set(name, await start(all[name]))
  // What compiles itself while it runs is to have done so.
  await runOnce(name, 64, 100, 3)
}

const results: object[] = []
for (const one of CASES.filter(({ name }) => flags.cases.includes(name))) {
  const runs = new Map<string, { costMicros: number; perSecond: number; p50: number; p99: number; lost: number }[]>()
  for (let round = 0; round < flags.rounds; round++) {
    for (const name of chosen) runs.set(name, [...(runs.get(name) ?? []), await runOnce(name, one.clients, one.bytes, one.burst)])
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
writeResults('udp', flags, Object.fromEntries(chosen.map((name) => [name, all[name].version])), results)
process.exit(0)

async function start(contender: Contender): Promise<{ pid: number; port: number }> {
  const port = await freePort()
  const child = spawn('taskset', ['-c', '0', ...contender.command(folder, port, originPort, contender.variants[0])], {
    stdio: ['ignore', 'ignore', 'ignore'],
  })
  children.push(child)
  // Ready is who echoes a datagram.
  const script = join(import.meta.dirname, 'udp/load.ts')
  for (;;) {
    if (child.exitCode !== null) throw new Error(`a proxy ended with ${child.exitCode}`)
    const { stdout } = await run(process.execPath, [script, String(port), '0.1', '1', '100'])
    if (JSON.parse(stdout).datagrams > 0) return { pid: child.pid as number, port }
  }
}

async function runOnce(name: string, clients: number, bytes: number, burst: number, seconds = flags.seconds) {
  const { pid, port } = proxies.get(name) as { pid: number; port: number }
  const before = readUse(pid).cpuMicros
  const script = join(import.meta.dirname, 'udp/load.ts')
  const { stdout } = await run('taskset', [
    '-c',
    '1',
    process.execPath,
    script,
    String(port),
    String(seconds),
    String(clients),
    String(bytes),
    String(burst),
  ])
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

function evenerUdp({ port }: Place): object {
  return { listeners: { relay: { bind: `127.0.0.1:${port}`, udp: { pool: 'origin' } } } }
}
