import { formatAddress } from '../core/index.ts'
import {
  ADMIN_NAMES,
  type AdminName,
  type BreakerName,
  type Discovery,
  definitionOf,
  HEALTH_NAMES,
  type HealthName,
  type PoolDefinition,
  type PoolPlan,
  type PoolTable,
  type ServerPlan,
  type SourceStatus,
  serverTotals,
  type Upkeep,
} from '../pool/index.ts'
import type { Generation } from './generations.ts'
import type { Membership } from './membership.ts'

/** A server as the admin API and `evener status` show it. */
export interface ServerStatus {
  readonly name: string
  readonly address: string
  /** Where the server is known from: "configuration", "admin API", or the discovery. */
  readonly source: string
  readonly health: HealthName
  readonly admin: AdminName
  readonly weight: number
  readonly priority: number
  /** The share of its weight that it gets during a slow start, in percent; null outside of one. */
  readonly slowStartPercent: number | null
  /** The share of its weight that counts, by slow start and agent, in percent. */
  readonly sharePercent: number
  /** What its agent says that is left of its resources, in percent; 100 without an agent. */
  readonly capacityPercent: number
  /** Taken out as an outlier. */
  readonly ejected: boolean
  /** Requests that it is working on now, over all workers. */
  readonly active: number
  readonly connections: number
  /** Entries of the pool's session table that belong to it. */
  readonly sessions: number
  readonly requests: number
  readonly failures: number
  readonly latencyMs: number
  /** ISO time of the last change of health or admin; null if there was none. */
  readonly changedAt: string | null
  /** The last result of the active check; null where none is configured. */
  readonly check: CheckStatus | null
  /** What its agent said last, or why it did not; null where none is configured. */
  readonly agent: CheckStatus | null
}

export interface CheckStatus {
  readonly reason: string
  /** ISO time of the last result; null before the first. */
  readonly at: string | null
  /** How long the question took. */
  readonly durationMs?: number
}

export interface PoolStatus {
  readonly name: string
  readonly algorithm: string
  readonly available: number
  /** Requests under way in all servers. */
  readonly active: number
  /** Requests that wait for a place; null where the pool has no queue. */
  readonly queue: { readonly length: number; readonly size: number } | null
  /** null where none is configured. */
  readonly breaker: BreakerName | null
  /** Too few servers are usable, so health is ignored and all are used. */
  readonly panic: boolean
  /** Entries of the session table; null where there is none. */
  readonly sessions: number | null
  /** Where its servers are found, beside the configuration. */
  readonly discovery: readonly DiscoveryStatus[]
  readonly servers: readonly ServerStatus[]
}

export interface DiscoveryStatus {
  readonly source: string
  /** Those of its last answer. */
  readonly servers: number
  /** Why the last question failed; null when it did not. */
  readonly failure: string | null
  /** ISO time of the last answer; null before the first. */
  readonly answeredAt: string | null
}

export interface StatusParts {
  readonly table: PoolTable
  readonly upkeep: Upkeep
  readonly membership: Membership
  readonly discovery: Discovery
}

/** What the pool table says of the plan's pools at this moment. */
export function describePools(
  { configured, plan, slots }: Generation,
  { table, upkeep, membership, discovery }: StatusParts,
): PoolStatus[] {
  return plan.pools.map((pool, index) => {
    const { row, slots: servers } = slots.pools[index]
    const status = describePool(pool, definitionOf(pool), table, row, (server, place) => ({
      ...describeServer(server, servers[place], table),
      source: membership.sourceOf(configured.pools[index], server),
      check: checkOf(upkeep.resultOf(pool.name, server.name)),
      agent: checkOf(upkeep.agentOf(pool.name, server.name)),
    }))
    return { ...status, discovery: discovery.statusOf(pool.name).map(describeSource) }
  })
}

function describePool(
  pool: PoolPlan,
  { queue, breaker, persistence }: PoolDefinition,
  table: PoolTable,
  row: number,
  describe: (server: ServerPlan, place: number) => ServerStatus,
): Omit<PoolStatus, 'discovery'> {
  const servers = pool.servers.map(describe)
  const state = table.poolState(row)
  return {
    name: pool.name,
    algorithm: pool.algorithm.name,
    available: servers.filter(isAvailable).length,
    active: state.active,
    queue: queue === undefined ? null : { length: state.queued, size: queue.size },
    breaker: breaker === undefined ? null : state.breaker,
    panic: table.isPanicking(row),
    sessions: persistence?.kind === 'table' ? servers.reduce((sum, server) => sum + server.sessions, 0) : null,
    servers,
  }
}

function isAvailable({ health, admin, weight, sharePercent, ejected }: ServerStatus): boolean {
  return health !== 'down' && admin === 'ready' && weight > 0 && sharePercent > 0 && !ejected
}

function describeServer(server: ServerPlan, slot: number, table: PoolTable): Omit<ServerStatus, 'source' | 'check' | 'agent'> {
  const totals = serverTotals(table, slot)
  const changedAt = table.changedAt(slot)
  const ramp = table.ramp(slot)
  return {
    name: server.name,
    address: formatAddress(server.address),
    health: HEALTH_NAMES[table.health(slot)],
    admin: ADMIN_NAMES[table.admin(slot)],
    weight: table.weight(slot),
    priority: server.priority,
    slowStartPercent: ramp === 1000 ? null : ramp / 10,
    sharePercent: Math.round(table.share(slot) * 1000) / 10,
    capacityPercent: Math.round(table.capacity(slot) * 1000) / 10,
    ejected: table.isEjected(slot),
    active: table.active(slot),
    connections: table.connections(slot),
    sessions: table.sessions(slot),
    requests: totals.requests,
    failures: totals.failures,
    latencyMs: Math.round(table.latencyMs(slot) * 1000) / 1000,
    changedAt: changedAt === 0 ? null : new Date(changedAt).toISOString(),
  }
}

function describeSource({ answeredAtMs, ...source }: SourceStatus): DiscoveryStatus {
  return { ...source, answeredAt: answeredAtMs === 0 ? null : new Date(answeredAtMs).toISOString() }
}

function checkOf(check: { readonly reason: string; readonly atMs: number; readonly tookMs?: number } | undefined): CheckStatus | null {
  if (check === undefined) return null
  const { reason, atMs, tookMs } = check
  const at = atMs === 0 ? null : new Date(atMs).toISOString()
  return tookMs === undefined ? { reason, at } : { reason, at, durationMs: Math.round(tookMs * 1000) / 1000 }
}
