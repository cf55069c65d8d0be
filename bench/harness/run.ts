/**
 * What the benchmarks of proxies have in common. Each proxy has core 0 to itself while it is measured, origin and load share core 1.
 * Runs are short and take turns (A B C A B C …); what is printed are medians. The cost of a request is the CPU time of the whole
 * process, user and system, all threads, divided by the requests that the load tool counted. Every answer's status and length is checked.
 */
import type { Contender, Contenders } from './contender.ts'
import { readFlags } from './flags.ts'
import type { LoadCase } from './load.ts'
import { measure, type Setting } from './measure.ts'
import { startOrigin } from './origin.ts'
import { printLoadCase, ratios, summarize } from './print.ts'
import { writeResults } from './report.ts'
import { verify } from './verify.ts'
import { workFolder } from './work-folder.ts'

/** A part of a benchmark that can be run alone. */
export interface BenchCase {
  readonly name: string
  /** Measures, prints, and returns what goes into the result file. */
  run(setting: Setting, chosen: readonly string[]): Promise<object>
}

export function loadCase(one: LoadCase, all: Contenders): BenchCase {
  return {
    name: one.name,
    async run(setting, chosen) {
      await verify(setting.originPort, { ...one.load, isSecure: false })
      const measured = await measure(one, pick(one.contenders, all, chosen), setting)
      printLoadCase(one.title, measured)
      const medians = measured.map(summarize)
      const costs = medians.map(({ contender, cpuMicrosPerRequest }) => ({ contender, value: cpuMicrosPerRequest }))
      return { name: one.name, title: one.title, load: one.load, medians, ratios: ratios(costs), runs: measured }
    },
  }
}

/** Those of the names that are wanted. */
export function pick(names: readonly string[], all: Contenders, chosen: readonly string[]): Contender[] {
  return names.filter((name) => chosen.includes(name)).map((name) => all[name])
}

/** Runs the cases that the command line asks for, in its order, writes the results where it wants them, and ends the process. */
export async function runBench(bench: string, cases: readonly BenchCase[], all: Contenders, programs: readonly string[]): Promise<never> {
  const flags = readFlags(bench, {
    cases: cases.map(({ name }) => name),
    contenders: Object.keys(all),
    programs: ['nginx', 'wrk', ...programs],
  })
  const folder = workFolder()
  const origin = await startOrigin(1, folder)
  const { seconds, rounds } = flags
  const setting: Setting = { folder, proxyCore: 0, loadCore: 1, originPort: origin.port, originPid: origin.pid, seconds, rounds }
  const results: object[] = []
  for (const name of flags.cases) {
    for (const one of cases) if (one.name === name) results.push(await one.run(setting, flags.contenders))
  }
  await origin.stop()
  writeResults(bench, flags, Object.fromEntries(flags.contenders.map((name) => [name, all[name].version])), results)
  process.exit(0)
}
