/**
 * npm run bench -- packet [--json [FILE]] [--seconds N] [--rounds N] [--cases program,network]
 *
 * program: what a packet costs in the kernel, by BPF_PROG_RUN. network: whole connections and bytes between network namespaces, beside
 * nginx (stream), HAProxy (mode tcp) and nftables (DNAT). Needs root; everything happens in namespaces of its own.
 */
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import { describeCommit, describeMachine } from './harness/machine.ts'
import { measureNetwork } from './packet/network.ts'

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'boolean', default: false },
    seconds: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '3' },
    cases: { type: 'string', default: 'program,network' },
  },
})
const cases = flags.cases.split(',')
const date = new Date().toISOString()
const results: Record<string, unknown> = { date, commit: describeCommit(), machine: describeMachine() }

if (cases.includes('program')) {
  const figures = measureProgram()
  Object.assign(results, figures)
  console.table(figures.nanosecondsPerPacket)
  console.table(figures.newFlowsPerSecondWith100Servers)
}
if (cases.includes('network')) {
  const figures = await measureNetwork(Number(flags.seconds), Number(flags.rounds))
  results.network = figures
  console.table(figures)
}
if (flags.json) {
  const file = positionals[0] ?? join(import.meta.dirname, 'results', `packet-${date.slice(0, 10)}.json`)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, `${JSON.stringify(results, null, 2)}\n`)
}

function measureProgram(): { nanosecondsPerPacket: object; newFlowsPerSecondWith100Servers: object } {
  const folder = mkdtempSync(join(tmpdir(), 'evener-bench-'))
  try {
    const file = join(folder, 'program.json')
    const { status } = spawnSync('unshare', ['--net', process.execPath, join(import.meta.dirname, 'packet/program.ts'), file], {
      stdio: 'inherit',
    })
    if (status !== 0) process.exit(1)
    return JSON.parse(readFileSync(file, 'utf8'))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
