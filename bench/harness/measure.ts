import { cpus } from 'node:os'
import type { Contender } from './contender.ts'
import { type Daemon, freePort, startDaemon } from './daemon.ts'
import { type Load, type LoadCase, runLoad } from './load.ts'
import { readMachineUse, readUse } from './process-use.ts'
import { median } from './statistics.ts'
import { verify } from './verify.ts'

export interface Setting {
  readonly folder: string
  readonly proxyCore: number
  readonly loadCore: number
  readonly originPort: number
  readonly originPid: number
  readonly seconds: number
  readonly rounds: number
}

/** One run of one contender. */
export interface Run {
  readonly requests: number
  readonly seconds: number
  readonly cpuMicrosPerRequest: number
  readonly userMicrosPerRequest: number
  /** Share of its core that the proxy used, 0 to 1. */
  readonly busy: number
  /** Absent where the load tool cannot tell (pipelining). */
  readonly p50Micros: number | undefined
  readonly p99Micros: number | undefined
  /** Share of the machine that went to work which is not the benchmark's, 0 to 1. A high one spoils a run. */
  readonly disturbance: number
}

export interface Measured {
  readonly contender: string
  readonly variant: string
  /** What each variant cost in the trials by which it was chosen, CPU µs a request; absent where nothing was tried. */
  readonly trials?: Readonly<Record<string, number>>
  readonly runs: readonly Run[]
}

interface Entry {
  readonly contender: Contender
  readonly variant: string
  readonly trials?: Readonly<Record<string, number>>
  readonly daemon: Daemon
  readonly runs: Run[]
}

/** The just-in-time compiler needs some; everybody gets them. */
const WARM_UP_SECONDS = 3

/** Runs a case: every contender in turn, A B C A B C …, so that what disturbs the machine disturbs all of them. */
export async function measure(one: LoadCase, all: readonly Contender[], setting: Setting): Promise<Measured[]> {
  const entries: Entry[] = []
  try {
    for (const contender of all) entries.push(await enter(one, contender, setting))
    for (let round = 0; round < setting.rounds; round++) {
      for (const entry of entries) entry.runs.push(await runOnce(entry.daemon, one.load, setting.seconds, setting))
    }
    return entries.map(({ contender, variant, trials, runs }) => ({ contender: contender.name, variant, trials, runs }))
  } finally {
    for (const { daemon } of entries) await daemon.stop()
  }
}

async function enter(one: LoadCase, contender: Contender, setting: Setting): Promise<Entry> {
  const trials = one.isTuned === true && contender.variants.length > 1 ? await tryVariants(one, contender, setting) : undefined
  const variant = trials === undefined ? contender.variants[0] : cheapest(trials)
  const daemon = await start(contender, variant, setting)
  await verify(daemon.port, one.load)
  await runLoad(setting.loadCore, daemon.port, WARM_UP_SECONDS, one.load, setting.folder)
  return { contender, variant, trials, daemon, runs: [] }
}

/** What each variant costs in short trials, two of each: medians of CPU µs a request. */
async function tryVariants(one: LoadCase, contender: Contender, setting: Setting): Promise<Record<string, number>> {
  const daemons = await Promise.all(contender.variants.map((variant) => start(contender, variant, setting)))
  const costs: number[][] = contender.variants.map(() => [])
  for (let round = 0; round < 2; round++) {
    for (const [index, daemon] of daemons.entries()) costs[index].push((await runOnce(daemon, one.load, 1, setting)).cpuMicrosPerRequest)
  }
  for (const daemon of daemons) await daemon.stop()
  return Object.fromEntries(contender.variants.map((variant, index) => [variant, median(costs[index])]))
}

function cheapest(trials: Readonly<Record<string, number>>): string {
  return Object.entries(trials).reduce((best, one) => (one[1] < best[1] ? one : best))[0]
}

export async function start(contender: Contender, variant: string, { folder, proxyCore, originPort }: Setting): Promise<Daemon> {
  const port = await freePort()
  return startDaemon(proxyCore, port, contender.command(folder, port, originPort, variant), contender.isSecure)
}

async function runOnce(daemon: Daemon, load: Load, seconds: number, { loadCore, folder, originPid }: Setting): Promise<Run> {
  const before = readAll(daemon.pid, originPid)
  const result = await runLoad(loadCore, daemon.port, seconds, load, folder)
  const after = readAll(daemon.pid, originPid)
  const cpuMicros = after.proxy.cpuMicros - before.proxy.cpuMicros
  const othersMicros = after.busyMicros - before.busyMicros - (after.oursMicros - before.oursMicros)
  return {
    requests: result.requests,
    seconds: result.seconds,
    cpuMicrosPerRequest: cpuMicros / result.requests,
    userMicrosPerRequest: (after.proxy.userMicros - before.proxy.userMicros) / result.requests,
    busy: cpuMicros / (result.seconds * 1e6),
    p50Micros: result.p50Micros,
    p99Micros: result.p99Micros,
    disturbance: Math.max(0, othersMicros / (result.seconds * 1e6 * cpus().length)),
  }
}

function readAll(proxyPid: number, originPid: number) {
  const proxy = readUse(proxyPid)
  const { busyMicros, endedChildrenMicros } = readMachineUse()
  return {
    proxy,
    busyMicros,
    oursMicros: proxy.cpuMicros + readUse(originPid).cpuMicros + process.cpuUsage().user + process.cpuUsage().system + endedChildrenMicros,
  }
}
