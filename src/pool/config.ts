import { z } from 'zod'
import { formatAddress } from '../core/index.ts'
import { always, duration, exactlyOne, fieldName, fieldValue, given, name, options, serverAddress } from '../schema/index.ts'
import { algorithm, normaliseAlgorithm } from './algorithm/option.ts'
import type { CheckPlan, PoolPlan } from './plan.ts'
import { statusRanges } from './status-ranges.ts'

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

const httpCheck = options({
  path: z
    .string()
    .regex(/^\/[!-~]*$/, 'a path begins with "/" and has no spaces')
    .default('/')
    .describe('Path and query to ask for.')
    .meta({ examples: ['/healthz'] }),
  method: z.enum(['GET', 'HEAD', 'OPTIONS']).default('GET').describe('Request method.'),
  host: fieldValue.optional().describe("Value of Host; the server's address without this."),
  headers: z.record(fieldName, fieldValue).default({}).describe('More fields to send, by name.'),
  status: statusRanges.prefault('200-399').describe('Statuses that count as success: "200", "200-399", "200,204".'),
  body: z.string().min(1).max(4096).optional().describe('Text that the first 64 KiB of the body must contain.'),
})

const check = options({
  tcp: options({}).optional().describe('Success is a connection.'),
  http: httpCheck.optional().describe('Success is a response with one of the statuses.'),
  interval: duration.prefault('2s').describe('Time from one check to the next, give or take a tenth.'),
  timeout: duration.prefault('1s').describe('A check that takes longer has failed.'),
  rise: z.int().min(1).max(1000).default(2).describe('Successes in a row that bring a server up. The very first result decides alone.'),
  fall: z.int().min(1).max(1000).default(3).describe('Failures in a row that take it down.'),
  address: serverAddress.optional().describe("Where to check instead of the server's own address."),
  port: z.int().min(1).max(65535).optional().describe("Another port of the server's host."),
}).check(
  exactlyOne('a check', ['tcp', 'http']),
  always((value, report) => {
    if (value.address === undefined || value.port === undefined) return
    report({ code: 'CONFIG_CONFLICT', message: 'a check has "address" or "port", not both' }, ['port'])
  }),
)

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
    check: normaliseCheck(config.check),
    keepAlive: { maxIdle: config.keepAlive.idle, idleTimeoutMs: config.keepAlive.timeout },
    timeouts: { connectMs: connect, responseMs: response },
  }
}

function normaliseCheck(config: PoolConfig['check']): CheckPlan | undefined {
  if (config === undefined) return undefined
  const { interval, timeout, rise, fall, address, port, http } = config
  const common = { intervalMs: interval, timeoutMs: timeout, rise, fall, address, port }
  if (http === undefined) return { kind: 'tcp', ...common }
  const headers = Object.entries(http.headers).map(([field, value]) => ({ name: field, value }))
  return { kind: 'http', ...common, method: http.method, path: http.path, host: http.host, headers, status: http.status, body: http.body }
}
