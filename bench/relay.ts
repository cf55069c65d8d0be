/**
 * Three ways of moving the bytes of a TCP proxy, without anything else that a proxy does, beside Evener itself:
 *
 *   npm run bench -- relay [--json [FILE]] [--seconds N] [--rounds N] [--cases a,b] [--contenders a,b]
 *
 * `copy`, `splice` and `sockmap` are a few lines of C (bench/relay/relay.c, compiled here; sockmap needs root). Evener receives into blocks that
 * it has given to the kernel and sends out of them, which is `copy` with one system call for many connections. docs/decisions/0004-moving-bytes.md
 * says what follows from it.
 */
import { execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Contender } from './harness/contender.ts'
import type { LoadCase } from './harness/load.ts'
import { loadCase, runBench } from './harness/run.ts'
import { contenders } from './tcp/contenders.ts'

const MODES = process.getuid?.() === 0 ? ['copy', 'splice', 'sockmap'] : ['copy', 'splice']
const NAMES = ['evener', ...MODES]

const CASES: readonly LoadCase[] = [
  { name: 'small-64', title: 'some 100 bytes each way, 64 connections', load: { path: '/small', connections: 64 }, contenders: NAMES },
  { name: '16k', title: '16 KiB to the client, 64 connections', load: { path: '/16k', connections: 64 }, contenders: NAMES },
  { name: '1m', title: '1 MiB to the client, 64 connections', load: { path: '/1m', connections: 64 }, contenders: NAMES },
]

const all = { evener: contenders().evener, ...Object.fromEntries(MODES.map((mode) => [mode, relay(mode)])) }
await runBench(
  'relay',
  CASES.map((one) => loadCase(one, all)),
  all,
  ['cc'],
)

function relay(mode: string): Contender {
  return {
    name: mode,
    version: '',
    variants: ['as it comes'],
    command(folder, port, originPort) {
      const binary = join(folder, 'relay')
      if (!existsSync(binary)) execFileSync('cc', ['-O2', '-o', binary, join(import.meta.dirname, 'relay/relay.c')], { stdio: 'inherit' })
      return [binary, mode, String(port), String(originPort)]
    },
  }
}
