/**
 * Three ways of moving the bytes of a TCP proxy, without anything else that a proxy does, beside Evener itself:
 *
 *   npm run bench -- relay [--seconds N] [--rounds N] [--cases a,b]
 *
 * `copy`, `splice` and `sockmap` are a few lines of C (bench/relay/relay.c, compiled here; sockmap needs root). Evener receives into blocks that
 * it has given to the kernel and sends out of them, which is `copy` with one system call for many connections. docs/decisions/0004-moving-bytes.md
 * says what follows from it.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { LoadCase } from './http/cases.ts'
import type { Contender } from './http/contenders.ts'
import { measure, type Setting } from './http/measure.ts'
import { startOrigin } from './http/origin.ts'
import { printLoadCase } from './http/print.ts'
import { packageVersion } from './machine.ts'
import { contenders } from './tcp/contenders.ts'

const CASES: readonly LoadCase[] = [
  { name: 'small-64', title: 'some 100 bytes each way, 64 connections', load: { path: '/small', connections: 64 }, contenders: [] },
  { name: '16k', title: '16 KiB to the client, 64 connections', load: { path: '/16k', connections: 64 }, contenders: [] },
  { name: '1m', title: '1 MiB to the client, 64 connections', load: { path: '/1m', connections: 64 }, contenders: [] },
]

const { values: flags } = parseArgs({
  allowPositionals: false,
  options: {
    seconds: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '5' },
    cases: { type: 'string', default: CASES.map(({ name }) => name).join(',') },
  },
})

const folder = mkdtempSync(join(tmpdir(), 'evener-bench-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130))
const binary = join(folder, 'relay')
execFileSync('cc', ['-O2', '-o', binary, join(import.meta.dirname, 'relay/relay.c')], { stdio: 'inherit' })

const modes = process.getuid?.() === 0 ? ['copy', 'splice', 'sockmap'] : ['copy', 'splice']
const relays = modes.map(
  (mode): Contender => ({
    name: mode,
    version: '',
    variants: ['as it comes'],
    command: (_folder, port, originPort) => [binary, mode, String(port), String(originPort)],
  }),
)
const origin = await startOrigin(1, folder)
const setting: Setting = {
  folder,
  proxyCore: 0,
  loadCore: 1,
  originPort: origin.port,
  originPid: origin.pid,
  seconds: Number(flags.seconds),
  rounds: Number(flags.rounds),
}
for (const one of CASES.filter(({ name }) => flags.cases.split(',').includes(name))) {
  printLoadCase(one.title, await measure(one, [contenders(packageVersion()).evener, ...relays], setting))
}
await origin.stop()
process.exit(0)
