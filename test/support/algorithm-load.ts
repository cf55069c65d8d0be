import { OUTCOME } from '../../src/pool/index.ts'
import { type Bench, NumberedKey } from './pool.ts'

export interface Load {
  /** Requests that are active at any time. */
  readonly active: number
  readonly requests: number
  /** Time to the first byte by server. */
  latencyMs(index: number): number
}

interface Running {
  readonly index: number
  readonly latencyMs: number
  readonly endsAtMs: number
}

/** Runs a steady load over a pool, a millisecond a step, each request with another key. Returns how many each server got. */
export function runLoad(bench: Bench, load: Load): number[] {
  const { pool, context } = bench
  const key = new NumberedKey()
  context.keySource = key
  const got = pool.servers.map(() => 0)
  let running: Running[] = []
  let started = 0
  for (let nowMs = 1; started < load.requests; nowMs++) {
    for (const { index, latencyMs } of running.filter((request) => request.endsAtMs <= nowMs)) {
      pool.report(index, OUTCOME.SUCCESS, latencyMs, nowMs)
      pool.release(index)
    }
    running = running.filter((request) => request.endsAtMs > nowMs)
    while (running.length < load.active && started < load.requests) {
      key.number = started++
      context.begin(nowMs)
      const index = pool.pick(context)
      if (index < 0 || !pool.acquire(index)) continue
      got[index]++
      const latencyMs = load.latencyMs(index)
      running.push({ index, latencyMs, endsAtMs: nowMs + latencyMs })
    }
  }
  for (const { index } of running) pool.release(index)
  return got
}
