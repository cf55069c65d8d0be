/**
 * Evener beside nginx (stream) and HAProxy (mode tcp), as proxies of connections in front of one origin.
 *
 *   npm run bench -- tcp [--json [FILE]] [--seconds N] [--rounds N] [--cases a,b] [--contenders a,b]
 *
 * What the connections carry is HTTP, because its load tools are good, but no contender reads it. How it measures is told in
 * bench/harness/run.ts.
 */
import type { LoadCase } from './harness/load.ts'
import { loadCase, runBench } from './harness/run.ts'
import { contenders } from './tcp/contenders.ts'

const ALL = ['evener', 'nginx', 'haproxy'] as const

const CASES: readonly LoadCase[] = [
  { name: 'small-1', title: 'some 100 bytes each way, 1 connection', load: { path: '/small', connections: 1 }, contenders: ALL },
  {
    name: 'small-64',
    title: 'some 100 bytes each way, 64 connections',
    load: { path: '/small', connections: 64 },
    contenders: ALL,
    isTuned: true,
  },
  { name: 'small-512', title: 'some 100 bytes each way, 512 connections', load: { path: '/small', connections: 512 }, contenders: ALL },
  { name: '1m', title: '1 MiB to the client, 64 connections', load: { path: '/1m', connections: 64 }, contenders: ALL, isTuned: true },
  {
    name: 'upload',
    title: '64 KiB to the server, 64 connections',
    load: { path: '/upload', connections: 64, upload: 64 * 1024 },
    contenders: ALL,
    isTuned: true,
  },
  {
    name: 'connect',
    title: 'a connection for each exchange, 64 at once',
    load: { path: '/small', connections: 64, close: true },
    contenders: ALL,
  },
  {
    name: 'portable',
    title: 'some 100 bytes each way, 64 connections, portable engine',
    load: { path: '/small', connections: 64 },
    contenders: ['evener-portable', 'nginx', 'haproxy'],
  },
]

const all = contenders()
await runBench(
  'tcp',
  CASES.map((one) => loadCase(one, all)),
  all,
  ['haproxy'],
)
