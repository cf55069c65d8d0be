import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { findProgram, isPresent, TEST_PACKAGES } from '../../scripts/test/packages.ts'

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
    if (!isPresent(wanted)) return { skip: `needs ${program} (Debian package ${wanted.name})` }
  }
  return { skip: false }
}

/** For tests that only root can run: interfaces, namespaces, raw sockets, BPF. Root of a container often has not all of these powers. */
export function needsRoot(...programs: string[]): Need {
  if (process.getuid?.() !== 0) return { skip: 'root only' }
  const effective = BigInt(`0x${/^CapEff:\s*(\w+)$/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1] ?? '0'}`)
  const lacking = Object.keys(POWERS).filter((name) => (effective >> POWERS[name]) % 2n === 0n)
  return lacking.length === 0 ? needs(...programs) : { skip: `only root with ${lacking.join(', ')}` }
}

const POWERS: Readonly<Record<string, bigint>> = { CAP_NET_ADMIN: 12n, CAP_NET_RAW: 13n, CAP_SYS_ADMIN: 21n, CAP_BPF: 39n }

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
