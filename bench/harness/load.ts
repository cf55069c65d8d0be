import { execFile } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { program } from '../../test/support/needs.ts'
import { type OriginPath, PATHS } from './origin.ts'
import { percentile } from './statistics.ts'

/** What is asked of a proxy during a run. */
export interface Load {
  readonly path: OriginPath
  readonly connections: number
  /** Bytes of the request's body; above 0 the method is POST. */
  readonly upload?: number
  /** Requests sent at once on each connection. */
  readonly pipelined?: number
  /** A connection for each request. */
  readonly close?: boolean
  /** Over TLS. */
  readonly isSecure?: boolean
  /** Connections one after the other that resume a TLS session, a request on each, in place of everything else. */
  readonly resumes?: boolean
  /** Requests per second over all connections, an open loop; without it each connection asks again as soon as it was answered. */
  readonly rate?: number
}

/** A case of requests. */
export interface LoadCase {
  readonly name: string
  readonly title: string
  readonly load: Load
  /** In the order of their columns; the first is compared with the others. */
  readonly contenders: readonly string[]
  /** Try every variant of the peers first and take the cheapest. */
  readonly isTuned?: boolean
}

export interface LoadResult {
  readonly requests: number
  readonly seconds: number
  /** Undefined for pipelined requests, whose times wrk does not tell apart. */
  readonly p50Micros: number | undefined
  readonly p99Micros: number | undefined
}

const run = promisify(execFile)
const HEAD_ALLOWANCE = 2000

/** Runs the load on one core. Throws when any request failed or the answers have not the length that they should have. */
export function runLoad(core: number, port: number, seconds: number, load: Load, folder: string): Promise<LoadResult> {
  if (load.resumes === true) return runResumptions(core, port, seconds, load)
  return load.rate === undefined ? runWrk(core, port, seconds, load) : runH2load(core, port, seconds, load, folder)
}

async function runWrk(core: number, port: number, seconds: number, load: Load): Promise<LoadResult> {
  const { path, connections, upload = 0, pipelined = 1, close = false, isSecure = false } = load
  const request = [upload > 0 ? 'POST' : 'GET', path, String(upload), String(pipelined), close ? 'close' : 'keep']
  const script = join(import.meta.dirname, 'wrk.lua')
  const options = [
    '-t1',
    `-c${connections}`,
    `-d${seconds}s`,
    '--timeout',
    '10s',
    '-s',
    script,
    `${isSecure ? 'https' : 'http'}://127.0.0.1:${port}`,
    '--',
    ...request,
  ]
  const { stdout } = await run('taskset', ['-c', String(core), program('wrk'), ...options])
  const result = JSON.parse(stdout.trim().split('\n').at(-1) as string)
  if (result.failures > 0 || result.requests === 0) throw new Error(`${result.failures} of ${result.requests} requests failed:\n${stdout}`)
  // Responses still on their way at the end are counted in bytes but not as requests.
  const least = result.requests * PATHS[path]
  if (result.bytes < least || result.bytes > (result.requests + connections * pipelined) * (PATHS[path] + HEAD_ALLOWANCE)) {
    throw new Error(`${result.bytes} bytes cannot be ${result.requests} answers of ${PATHS[path]} bytes`)
  }
  const latency = (micros: number) => (pipelined > 1 ? undefined : micros)
  return { requests: result.requests, seconds: result.micros / 1e6, p50Micros: latency(result.p50), p99Micros: latency(result.p99) }
}

/** openssl s_time over TLS 1.2, where a ticket is good for many connections. */
async function runResumptions(core: number, port: number, seconds: number, { path }: Load): Promise<LoadResult> {
  const options = ['s_time', '-connect', `127.0.0.1:${port}`, '-reuse', '-tls1_2', '-www', path, '-time', String(seconds)]
  const { stdout } = await run('taskset', ['-c', String(core), program('openssl'), ...options])
  const [, reported] = stdout.split('starting')
  const requests = Number(/(\d+) connections in \d+ real seconds/.exec(reported ?? stdout)?.[1] ?? 0)
  if (requests === 0 || !stdout.includes('rrrrrrrrrr')) throw new Error(`no session was resumed:\n${stdout}`)
  return { requests, seconds, p50Micros: undefined, p99Micros: undefined }
}

async function runH2load(
  core: number,
  port: number,
  seconds: number,
  { path, connections, rate = 0 }: Load,
  folder: string,
): Promise<LoadResult> {
  const log = join(folder, 'h2load.log')
  rmSync(log, { force: true })
  const perConnection = Math.max(1, Math.round(rate / connections))
  const options = [
    '--h1',
    '-t1',
    `-c${connections}`,
    `-D${seconds}`,
    `--rps=${perConnection}`,
    `--log-file=${log}`,
    `http://127.0.0.1:${port}${path}`,
  ]
  const { stdout } = await run('taskset', ['-c', String(core), program('h2load'), ...options])
  const rows = readFileSync(log, 'latin1').trim().split('\n')
  const latencies = new Float64Array(rows.length)
  rows.forEach((row, index) => {
    const [, status, micros] = row.split('\t')
    if (status !== '200') throw new Error(`a request was answered with ${status}:\n${stdout}`)
    latencies[index] = Number(micros)
  })
  latencies.sort()
  return { requests: rows.length, seconds, p50Micros: percentile(latencies, 0.5), p99Micros: percentile(latencies, 0.99) }
}
