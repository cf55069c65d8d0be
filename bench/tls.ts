/**
 * Evener beside nginx and HAProxy as HTTPS proxies, with the same certificates, ciphers and key exchange. The way of measuring is that
 * of bench/http.ts: CPU time of the whole proxy for each request, in runs that take turns.
 *
 *   npm run bench -- tls [--json [FILE]] [--seconds N] [--rounds N] [--cases a,b]
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { parseArgs } from 'node:util'
import type { LoadCase } from './http/cases.ts'
import { measure, type Setting } from './http/measure.ts'
import { startOrigin } from './http/origin.ts'
import { printLoadCase, ratios, summarize } from './http/print.ts'
import { describeCommit, describeMachine, packageVersion } from './machine.ts'
import { type KeyType, secureContenders } from './tls/contenders.ts'

const ALL = ['evener', 'nginx', 'haproxy'] as const
const SMALL = { path: '/small', isSecure: true } as const

const CASES: readonly (LoadCase & { readonly key: KeyType })[] = [
  {
    name: 'full-ecdsa',
    title: 'full handshake and a request, ECDSA P-256',
    key: 'ecdsa',
    load: { ...SMALL, connections: 16, close: true },
  },
  { name: 'full-rsa', title: 'full handshake and a request, RSA 2048', key: 'rsa', load: { ...SMALL, connections: 16, close: true } },
  { name: 'resumed', title: 'resumed handshake and a request', key: 'ecdsa', load: { ...SMALL, connections: 1, resumes: true } },
  { name: 'keep-alive', title: 'small response, 64 connections', key: 'ecdsa', load: { ...SMALL, connections: 64 } },
  {
    name: '1m',
    title: '1 MiB response, 64 connections',
    key: 'ecdsa',
    load: { path: '/1m', isSecure: true, connections: 64 },
    isTuned: true,
  },
].map((one) => ({ ...one, contenders: ALL }) as LoadCase & { readonly key: KeyType })

const { values: flags } = parseArgs({
  options: {
    json: { type: 'string' },
    seconds: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '5' },
    cases: { type: 'string', default: CASES.map(({ name }) => name).join(',') },
  },
})

const folder = mkdtempSync(join(tmpdir(), 'evener-bench-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(130))

const origin = await startOrigin(1, folder)
const { seconds, rounds } = { seconds: Number(flags.seconds), rounds: Number(flags.rounds) }
const setting: Setting = { folder, proxyCore: 0, loadCore: 1, originPort: origin.port, originPid: origin.pid, seconds, rounds }
const results: object[] = []
for (const name of flags.cases.split(',')) {
  const one = CASES.find((each) => each.name === name)
  if (one === undefined) throw new Error(`no case ${name}; there are ${CASES.map((each) => each.name).join(', ')}`)
  const measured = await measure(one, secureContenders(packageVersion(), folder, one.key), setting)
  printLoadCase(one.title, measured)
  const medians = measured.map(summarize)
  const costs = medians.map(({ contender, cpuMicrosPerRequest }) => ({ contender, value: cpuMicrosPerRequest }))
  results.push({ name, title: one.title, load: one.load, medians, ratios: ratios(costs), runs: measured })
}
await origin.stop()
if (flags.json !== undefined) {
  const date = new Date().toISOString().slice(0, 10)
  const file = flags.json === '' ? join(import.meta.dirname, 'results', `tls-${date}.json`) : flags.json
  const versions = Object.fromEntries(secureContenders(packageVersion(), folder, 'ecdsa').map(({ name, version }) => [name, version]))
  const stamp = { date, commit: describeCommit(), machine: describeMachine(), versions }
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(file, `${JSON.stringify({ ...stamp, settings: { seconds, rounds }, cases: results }, null, 2)}\n`)
  console.log(`\nwritten to ${file}`)
}
process.exit(0)
