import type { PoolDefinition } from './definition.ts'
import type { LimitsPlan, PoolPlan } from './plan.ts'

/** What a Pool, its slots and its upkeep are made from, out of a pool of the Plan. */
export function definitionOf(plan: PoolPlan): PoolDefinition {
  const { name, algorithm, check, minAvailable, panicPercent, slowStartMs, outliers, queue, breaker, retryBudget, persistence, limits } =
    plan
  return {
    name,
    algorithm,
    servers: plan.servers.map((server) => {
      const { maxConnections = limits.each.maxConnections, maxRequests = limits.each.maxRequests } = server
      return { ...server, maxConnections, maxRequests: activeLimit({ maxConnections, maxRequests }) }
    }),
    checked: check !== undefined,
    maxRequests: activeLimit(limits.total),
    maxConnections: limits.total.maxConnections,
    minAvailable,
    panicPercent,
    slowStartMs,
    outliers,
    queue,
    breaker,
    retryBudget,
    persistence,
  }
}

/** A connection carries one request at a time, so a limit of connections is one of requests too. 0 is none. */
function activeLimit({ maxConnections, maxRequests }: LimitsPlan): number {
  if (maxConnections === 0 || maxRequests === 0) return Math.max(maxConnections, maxRequests)
  return Math.min(maxConnections, maxRequests)
}
