import { execFileSync } from 'node:child_process'
import { findProgram, TEST_PACKAGES } from '../../scripts/test/packages.ts'

/** Options of a test; `skip` is false or the reason. */
export interface Need {
  readonly skip: string | false
}

/**
 * For tests that run another program: `test('…', needs('nginx'), async (t) => …)`. The reason starts with "needs ", which
 * `CI=true npm test` takes for a failure. Every program must be in TEST_PACKAGES, so that CI can install it.
 */
export function needs(...programs: string[]): Need {
  for (const program of programs) {
    const wanted = TEST_PACKAGES.find((one) => one.provides === program)
    if (wanted === undefined) throw new Error(`${program} is not in scripts/test/packages.ts`)
    if (findProgram(program) === undefined) return { skip: `needs ${program} (Debian package ${wanted.name})` }
  }
  return { skip: false }
}

/** For tests that only root can run: interfaces, namespaces, raw sockets, BPF. */
export function needsRoot(...programs: string[]): Need {
  return process.getuid?.() === 0 ? needs(...programs) : { skip: 'root only' }
}

/** Full path of a program that needs() found. */
export function program(name: string): string {
  const path = findProgram(name)
  if (path === undefined) throw new Error(`${name} is not installed`)
  return path
}

/** "nginx version: nginx/1.22.1" and the like: the first line that the program prints about itself. */
export function programVersion(name: string, flag = '-v'): string {
  return execFileSync('sh', ['-c', `"$0" ${flag} 2>&1 || true`, program(name)], { encoding: 'utf8' }).split('\n')[0]
}
