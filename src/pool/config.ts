import { z } from 'zod'
import { normaliseProxyProtocol, normaliseTlsPool, proxyProtocol, tlsPool } from '../proxy/config.ts'
import { normaliseRespond, respond } from '../route/config.ts'
import { always, duration, exactlyOne, given, options, type Report } from '../schema/index.ts'
import { agent, normaliseAgent } from './agent/option.ts'
import { agentRules } from './agent/rules.ts'
import { algorithm, normaliseAlgorithm } from './algorithm/option.ts'
import { check, clearCheckRules, normaliseCheck } from './check/option/check.ts'
import type { CheckPlan } from './check/plan.ts'
import { discover, normaliseDiscover } from './discovery/option.ts'
import { normalisePersistence, persistence } from './persistence/option.ts'
import type { LimitsPlan, PoolPlan, SorryPlan } from './plan.ts'
import { breaker, normaliseBreaker, normaliseOutliers, normaliseRetryBudget, outliers, retryBudget } from './resilience-option.ts'
import { normaliseServer, server } from './server-option.ts'

export type * from './agent/plan.ts'
export type * from './check/plan.ts'
export type * from './plan.ts'

const count = z.int().min(1).max(1_000_000)

/** One entry of `pools`. */
export const pool = options({
  algorithm: algorithm.default('round-robin').describe('How a server is chosen: a name, or a map of the name and options.'),
  servers: z.array(server).default([]).describe('The servers; there may be none where "discover" finds some.'),
  discover: discover.optional().describe('Where more servers are found while Evener runs.'),
  check: check.optional().describe('Active health check; without one every server counts as up.'),
  agent: agent.optional().describe('Agents on the servers, asked for their state, weight and what is left of their resources.'),
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
  proxyProtocol: proxyProtocol
    .optional()
    .describe('Each connection to its servers begins with a header that names the client; then no connection serves two clients.'),
  tls: tlsPool.optional().describe('Servers are connected to over TLS.'),
  limits: options({
    maxConnections: count.optional().describe('Open connections to each server, idle ones included. Each carries one request at a time.'),
    maxRequests: count.optional().describe('Requests that each server works on at a time.'),
    total: options({
      maxConnections: count.optional().describe('Connections to all servers of the pool.'),
      maxRequests: count.optional().describe('Requests that all servers of the pool work on.'),
    })
      .prefault({})
      .describe('The same for the whole pool.'),
    queue: options({
      size: z.int().min(1).max(1_000_000).default(1000).describe('Requests that wait at a time; one more is refused with 503.'),
      timeout: duration.prefault('5s').describe('A request that has waited so long is refused with 503.'),
    })
      .optional()
      .describe('Requests that find all servers at their limits wait here; without it they are refused with 503.'),
  })
    .prefault({})
    .describe('Exact over all workers.'),
  minAvailable: z
    .int()
    .min(1)
    .max(4096)
    .default(1)
    .describe('While fewer servers of the smaller priorities are available, those of the next priority take part.'),
  slowStart: duration.optional().describe('Time in which a server that comes up grows to its full weight; at once without this.'),
  sorry: options({
    pool: z.string().optional().describe('Another pool takes the request.'),
    respond: respond.optional().describe('A fixed answer.'),
  })
    .check(exactlyOne('"sorry"', ['pool', 'respond']))
    .optional()
    .describe('What becomes of a request that no server can take, because none is available or all are full; 503 without this.'),
  panic: z
    .int()
    .min(0)
    .max(100)
    .default(0)
    .describe('While less than this percentage of the servers is up, checks and ejections are ignored and all are used. 0: never.'),
  persistence: persistence
    .optional()
    .describe('Keeps a client with its server, also while that drains; another server takes over when it is down.'),
  outliers: outliers.optional().describe('Servers are taken out for a while by what clients get from them.'),
  breaker: breaker.optional().describe('Refuses requests at once with 503 while most of them fail.'),
  retryBudget: retryBudget
    .optional()
    .describe('Limits retries to a share of the requests; without it only `retry.attempts` of the route does.'),
}).check(always(demandServers), always(demandLimitForQueue), clearCheckRules, agentRules)

function demandServers({ servers, discover }: Record<string, unknown>, report: Report): void {
  if (discover !== undefined || (Array.isArray(servers) ? servers.length > 0 : servers !== undefined)) return
  report({ code: 'CONFIG_MISSING', message: 'a pool needs "servers" or "discover"' }, servers === undefined ? [] : ['servers'])
}

/** A queue in which nobody would ever wait is a mistake. */
function demandLimitForQueue({ limits, servers }: Record<string, unknown>, report: Report): void {
  const { queue, total } = (limits ?? {}) as { queue?: unknown; total?: unknown }
  if (queue === undefined) return
  const isLimited = [limits, total, ...(Array.isArray(servers) ? servers : [])].some((each: unknown) => {
    const { maxConnections, maxRequests } = (each ?? {}) as { maxConnections?: unknown; maxRequests?: unknown }
    return maxConnections !== undefined || maxRequests !== undefined
  })
  if (isLimited) return
  const message = 'nobody waits in a queue where neither the servers nor the pool have a limit'
  report({ code: 'CONFIG_MISSING', message, hint: 'set limits.maxRequests' }, ['limits', 'queue'])
}

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
    discover: config.discover && normaliseDiscover(config.discover),
    check: config.check && introduced(normaliseCheck(config.check, normaliseTlsPool(config.tls)), config.proxyProtocol),
    agent: normaliseAgent(config.agent),
    keepAlive: { maxIdle: config.keepAlive.idle, idleTimeoutMs: config.keepAlive.timeout },
    timeouts: { connectMs: connect, responseMs: response },
    proxyProtocol: normaliseProxyProtocol(config.proxyProtocol),
    tls: normaliseTlsPool(config.tls),
    limits: { each: normaliseLimits(config.limits), total: normaliseLimits(config.limits.total) },
    minAvailable: config.minAvailable,
    panicPercent: config.panic,
    sorry: normaliseSorry(config.sorry),
    slowStartMs: config.slowStart ?? 0,
    outliers: normaliseOutliers(config.outliers),
    queue: config.limits.queue && { size: config.limits.queue.size, timeoutMs: config.limits.queue.timeout },
    breaker: normaliseBreaker(config.breaker),
    retryBudget: normaliseRetryBudget(config.retryBudget),
    persistence: normalisePersistence(config.persistence),
  }
}

/** A check of the servers' own port begins as their connections do. */
function introduced(plan: CheckPlan, sends: PoolConfig['proxyProtocol']): CheckPlan {
  const version = normaliseProxyProtocol(sends)?.version
  const isElsewhere = plan.address !== undefined || plan.port !== undefined
  return version === undefined || isElsewhere ? plan : { ...plan, proxyProtocol: version }
}

function normaliseLimits({ maxConnections = 0, maxRequests = 0 }: { maxConnections?: number; maxRequests?: number }): LimitsPlan {
  return { maxConnections, maxRequests }
}

function normaliseSorry(config: PoolConfig['sorry']): SorryPlan | undefined {
  if (config?.respond !== undefined) return { kind: 'respond', ...normaliseRespond(config.respond) }
  return config && { kind: 'pool', pool: config.pool as string }
}
