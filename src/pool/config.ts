import { z } from 'zod'
import { duration, given, options } from '../schema/index.ts'
import { algorithm, normaliseAlgorithm } from './algorithm/option.ts'
import { check, normaliseCheck } from './check/option/check.ts'
import type { PoolPlan } from './plan.ts'
import { normaliseServer, server } from './server-option.ts'

export type * from './check/plan.ts'
export type * from './plan.ts'

/** One entry of `pools`. */
export const pool = options({
  algorithm: algorithm.default('round-robin').describe('How a server is chosen: a name, or a map of the name and options.'),
  servers: z.array(server).min(1, 'a pool has at least one server').describe('The servers.'),
  check: check.optional().describe('Active health check; without one every server counts as up.'),
  keepAlive: options({
    idle: z
      .int()
      .min(0)
      .max(65536)
      .default(256)
      .describe('Idle connections to keep for each server and worker; 0 closes each after its exchange.'),
    timeout: duration.prefault('55s').describe("An idle connection is closed after this; keep it below the server's own."),
  })
    .prefault({})
    .describe('Idle connections to servers.'),
  timeouts: options({
    connect: duration.optional().describe('For a connection to a server.'),
    response: duration.optional().describe('For the response head, and for each next piece of its body.'),
  })
    .prefault({})
    .describe('Override those of the listener and the top level.'),
})

export type PoolConfig = z.output<typeof pool>

/** `timeouts` are those of the top level, for what the pool does not say. */
export function normalisePool(
  poolName: string,
  config: PoolConfig,
  timeouts: { readonly connect: number; readonly response: number },
): PoolPlan {
  const { connect, response } = { ...timeouts, ...given(config.timeouts) }
  return {
    name: poolName,
    algorithm: normaliseAlgorithm(config.algorithm),
    servers: config.servers.map(normaliseServer),
    check: config.check && normaliseCheck(config.check),
    keepAlive: { maxIdle: config.keepAlive.idle, idleTimeoutMs: config.keepAlive.timeout },
    timeouts: { connectMs: connect, responseMs: response },
  }
}
