import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A folder for configurations and logs that goes when the process ends, by itself or by a signal. */
export function workFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'evener-bench-'))
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130))
  return folder
}
