import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { cpus, release, totalmem } from 'node:os'
import { join } from 'node:path'

/** What a result must be read with. Names no host and no path. */
export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memoryGiB: number
  readonly kernel: string
  readonly isVirtual: boolean
  readonly node: string
  readonly openssl: string
}

export function describeMachine(): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
    isVirtual: / hypervisor( |$)/m.test(readFileSync('/proc/cpuinfo', 'latin1')),
    node: process.versions.node,
    openssl: process.versions.openssl ?? '',
  }
}

/** The commit that is measured, with "+" behind it when the work tree differs from it. */
export function describeCommit(): string {
  const git = (...rest: string[]) => execFileSync('git', rest, { cwd: import.meta.dirname, encoding: 'utf8' }).trim()
  try {
    const isChanged = git('status', '--porcelain', '--', '../../src', '../../native', '../../bin') !== ''
    return git('rev-parse', '--short', 'HEAD') + (isChanged ? '+' : '')
  } catch {
    return 'unknown'
  }
}

export function packageVersion(): string {
  return JSON.parse(readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8')).version
}
