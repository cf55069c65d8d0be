import type { Measured, Run } from './measure.ts'
import { median, spread } from './statistics.ts'

/** Medians of a contender's runs, with the spread of its cost. */
export interface Summary {
  readonly contender: string
  readonly variant: string
  readonly cpuMicrosPerRequest: number
  readonly cpuSpread: number
  readonly userMicrosPerRequest: number
  readonly requestsPerSecond: number
  readonly busy: number
  readonly p50Micros: number | undefined
  readonly p99Micros: number | undefined
  readonly disturbance: number
}

export function summarize({ contender, variant, runs }: Measured): Summary {
  const latency = (read: (run: Run) => number | undefined) => {
    const values = runs.map(read).filter((value) => value !== undefined)
    return values.length === 0 ? undefined : median(values)
  }
  const middle = (read: (run: Run) => number) => median(runs.map(read))
  return {
    contender,
    variant,
    cpuMicrosPerRequest: middle((run) => run.cpuMicrosPerRequest),
    cpuSpread: spread(runs.map((run) => run.cpuMicrosPerRequest)),
    userMicrosPerRequest: middle((run) => run.userMicrosPerRequest),
    requestsPerSecond: middle((run) => run.requests / run.seconds),
    busy: middle((run) => run.busy),
    p50Micros: latency((run) => run.p50Micros),
    p99Micros: latency((run) => run.p99Micros),
    disturbance: middle((run) => run.disturbance),
  }
}

/** Ratios of the first contender's cost to each other's; below 1 the first is cheaper. */
export function ratios(values: readonly { readonly contender: string; readonly value: number }[]): Record<string, number> {
  const [first, ...peers] = values
  return Object.fromEntries(peers.map((peer) => [peer.contender, first.value / peer.value]))
}

export function printLoadCase(title: string, measured: readonly Measured[]): void {
  const summaries = measured.map(summarize)
  const rows = summaries.map((one) => [
    one.contender,
    one.cpuMicrosPerRequest.toFixed(2),
    `± ${(one.cpuSpread * 50).toFixed(0)} %`,
    one.userMicrosPerRequest.toFixed(2),
    Math.round(one.requestsPerSecond).toLocaleString('en'),
    `${Math.round(one.busy * 100)} %`,
    one.p50Micros?.toLocaleString('en') ?? '–',
    one.p99Micros?.toLocaleString('en') ?? '–',
    one.variant,
  ])
  printTable(title, ['', 'CPU µs/request', 'spread', 'user', 'requests/s', 'core', 'p50 µs', 'p99 µs', 'variant'], rows)
  printRatios(summaries.map(({ contender, cpuMicrosPerRequest }) => ({ contender, value: cpuMicrosPerRequest })))
  for (const { contender, trials } of measured) {
    if (trials === undefined) continue
    const costs = Object.entries(trials).map(([variant, cost]) => `${variant} ${cost.toFixed(0)}`)
    console.log(`  ${contender} at its cheapest; tried: ${costs.join(', ')}`)
  }
  printDisturbance(summaries)
}

/** Says so when the machine had other work to do during the runs, because then the figures are those of a disturbed machine. */
function printDisturbance(summaries: readonly Summary[]): void {
  const worst = Math.max(...summaries.map((one) => one.disturbance))
  if (worst > 0.05) console.log(`  disturbed: other work took up to ${Math.round(worst * 100)} % of the machine`)
}

function printRatios(values: readonly { contender: string; value: number }[]): void {
  const parts = Object.entries(ratios(values)).map(([peer, ratio]) => `${ratio.toFixed(2)} × ${peer}`)
  if (parts.length > 0) console.log(`  ${values[0].contender} costs ${parts.join(', ')}`)
}

export function printTable(title: string, head: readonly string[], rows: readonly (readonly string[])[]): void {
  const widths = head.map((cell, column) => Math.max(cell.length, ...rows.map((row) => row[column].length)))
  const line = (row: readonly string[]) =>
    row.map((cell, column) => (column === 0 || column === 8 ? cell.padEnd(widths[column]) : cell.padStart(widths[column]))).join('  ')
  console.log(`\n${title}`)
  for (const row of [head, ...rows]) console.log(`  ${line(row).trimEnd()}`)
}
