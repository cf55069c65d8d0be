/** A result file as far as the table needs it. */
export interface ResultFile {
  readonly date: string
  readonly commit: string
  readonly machine: {
    readonly cpu: string
    readonly cores: number
    readonly kernel: string
    readonly isVirtual: boolean
    readonly node: string
  }
  readonly versions: Readonly<Record<string, string>>
  readonly settings: { readonly seconds: number; readonly rounds: number }
  readonly cases: readonly ResultCase[]
}

interface ResultCase {
  readonly name: string
  readonly title: string
  readonly unit?: string
  readonly medians: readonly {
    readonly contender: string
    readonly value?: number
    readonly cpuMicrosPerRequest?: number
    readonly p99Micros?: number
  }[]
}

const PEERS = ['nginx', 'haproxy'] as const

/** The measured table for README.md. Says nothing that is not in the file. */
export function formatResults(file: ResultFile, name: string): string {
  const { machine, versions } = file
  const cpu = `${machine.cpu}, ${machine.cores} cores${machine.isVirtual ? ', virtual' : ''}`
  const loads = file.cases.filter((one) => one.unit === undefined)
  const others = file.cases.filter((one) => one.unit !== undefined)
  return `CPU time of the proxy for each request, in microseconds (user and system, all threads), one core for each proxy. Below 1.00 Evener is
cheaper. Evener ${versions.evener}, nginx ${versions.nginx}, HAProxy ${versions.haproxy}; ${cpu}, Linux ${machine.kernel}, Node ${machine.node}; medians of ${file.settings.rounds} runs of
${file.settings.seconds} s, ${file.date}, [${name}](bench/results/${name}).

| case | Evener | nginx | HAProxy | × nginx | × HAProxy | p99 ms: Evener, nginx, HAProxy |
|---|---|---|---|---|---|---|
${loads.map(loadRow).join('\n')}

| | Evener | nginx | HAProxy |
|---|---|---|---|
${others.map(otherRow).join('\n')}
`
}

function loadRow(one: ResultCase): string {
  const [evener, ...peers] = inOrder(one)
  const cost = (median: (typeof one.medians)[number] | undefined) => median?.cpuMicrosPerRequest ?? Number.NaN
  const latency = (median: (typeof one.medians)[number] | undefined) =>
    median?.p99Micros === undefined ? '–' : (median.p99Micros / 1000).toFixed(1)
  const cells = [one.title, cost(evener), ...peers.map(cost), ...peers.map((peer) => cost(evener) / cost(peer))]
  const texts = cells.map((cell, index) => (typeof cell === 'string' ? cell : cell.toFixed(index > 3 || cell < 100 ? 2 : 0)))
  return `| ${[...texts, [evener, ...peers].map(latency).join(', ')].join(' | ')} |`
}

function otherRow(one: ResultCase): string {
  const values = inOrder(one).map((median) => Math.round(median?.value ?? Number.NaN).toLocaleString('en'))
  return `| ${one.title}, ${one.unit} | ${values.join(' | ')} |`
}

function inOrder({ medians }: ResultCase) {
  const evener = medians.find(({ contender }) => contender.startsWith('evener'))
  return [evener, ...PEERS.map((peer) => medians.find(({ contender }) => contender === peer))]
}
