import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Flags } from './flags.ts'
import { describeCommit, describeMachine } from './machine.ts'

/** Writes the results into the file that --json names, or bench/results/BENCH-DATE.json, stamped with the machine. Without --json nothing. */
export function writeResults(bench: string, flags: Flags, versions: Readonly<Record<string, string>>, cases: readonly object[]): void {
  if (flags.json === undefined) return
  const date = new Date().toISOString().slice(0, 10)
  const file = flags.json === '' ? join(import.meta.dirname, '../results', `${bench}-${date}.json`) : flags.json
  const { seconds, rounds } = flags
  const report = { date, commit: describeCommit(), machine: describeMachine(), versions, settings: { seconds, rounds }, cases }
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, `${JSON.stringify(report, null, 2)}\n`)
  console.log(`\nwritten to ${file}`)
}
