import { z } from 'zod'
import { formatAddress } from '../core/index.ts'
import { duration, given, name, options, serverAddress } from '../schema/index.ts'
import { algorithm, normaliseAlgorithm } from './algorithm/option.ts'
import { check, normaliseCheck } from './check/option/check.ts'
import type { PoolPlan } from './plan.ts'

export type * from './check/plan.ts'
export type * from './plan.ts'

const serverName = name.describe('Name in status, metrics, log and admin API; the address without this.')

const server = z
  .union([
    serverAddress.transform((where) => ({ name: undefined, address: where, weight: 1, priority: 0, admin: 'ready' as const })),
    options({
      name: serverName.optional(),
      address: serverAddress.describe('Where it listens: an IP address with a port, or a Unix socket.'),
      weight: z.int().min(0).max(256).default(1).describe('Share of the traffic beside the others; 0 gets nothing new.'),
      priority: z.int().min(0).max(255).default(0).describe('0 first; a larger one is used while no server of a smaller one is available.'),
      admin: z.enum(['ready', 'drain', 'maintenance']).default('ready').describe('Administrative state to start with.'),
    }),
  ])
  .describe('A server; its address alone will do.')

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
    servers: config.servers.map((each) => ({ ...each, name: each.name ?? formatAddress(each.address) })),
    check: config.check && normaliseCheck(config.check),
    keepAlive: { maxIdle: config.keepAlive.idle, idleTimeoutMs: config.keepAlive.timeout },
    timeouts: { connectMs: connect, responseMs: response },
  }
}
