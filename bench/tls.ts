/**
 * Evener beside nginx and HAProxy as HTTPS proxies, with the same certificates, ciphers and key exchange.
 *
 *   npm run bench -- tls [--json [FILE]] [--seconds N] [--rounds N] [--cases a,b] [--contenders a,b]
 *
 * How it measures is told in bench/harness/run.ts.
 */
import type { LoadCase } from './harness/load.ts'
import { loadCase, runBench } from './harness/run.ts'
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
  {
    name: 'upload',
    title: '64 KiB request body, 64 connections',
    key: 'ecdsa',
    load: { path: '/upload', isSecure: true, connections: 64, upload: 64 * 1024 },
  },
].map((one) => ({ ...one, contenders: ALL }) as LoadCase & { readonly key: KeyType })

const byKey = { ecdsa: secureContenders('ecdsa'), rsa: secureContenders('rsa') }
await runBench(
  'tls',
  CASES.map((one) => loadCase(one, byKey[one.key])),
  byKey.ecdsa,
  ['haproxy', 'openssl'],
)
