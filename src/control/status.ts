import type { Plan } from '../config/index.ts'
import { formatAddress } from '../core/index.ts'
import { ADMIN, type AdminName, HEALTH, type HealthName, type PoolPlan, type PoolTable, type SlotAssignment } from '../pool/index.ts'

/** A server as the admin API shows it. */
export interface ServerStatus {
  readonly name: string
  readonly address: string
  readonly health: HealthName
  readonly admin: AdminName
  readonly weight: number
  readonly priority: number
  /** Requests that it is working on now, over all workers. */
  readonly active: number
  readonly connections: number
  readonly requests: number
  readonly failures: number
  readonly latencyMs: number
  /** ISO time of the last change of health or admin; null if there was none. */
  readonly changedAt: string | null
  /** The last result of the active check; null where none is configured. */
  readonly check: CheckStatus | null
}

export interface CheckStatus {
  readonly reason: string
  /** ISO time of the last result; null before the first. */
  readonly at: string | null
}

export interface PoolStatus {
  readonly name: string
  readonly algorithm: string
  readonly available: number
  readonly servers: readonly ServerStatus[]
}

/** undefined where no check is configured. */
export type CheckLookup = (pool: string, server: string) => { readonly reason: string; readonly atMs: number } | undefined

/** What the pool table says of the plan's pools at this moment. */
export function describePools(plan: Plan, slots: SlotAssignment, table: PoolTable, checks: CheckLookup): PoolStatus[] {
  return plan.pools.map((pool, index) => describePool(pool, slots.pools[index].slots, table, checks))
}

function describePool(pool: PoolPlan, slots: readonly number[], table: PoolTable, checks: CheckLookup): PoolStatus {
  const servers = pool.servers.map((server, index): ServerStatus => {
    const slot = slots[index]
    const totals = table.totals(slot)
    const changedAt = table.changedAt(slot)
    const check = checks(pool.name, server.name)
    return {
      name: server.name,
      address: formatAddress(server.address),
      health: healthName(table.health(slot)),
      admin: adminName(table.admin(slot)),
      weight: table.weight(slot),
      priority: server.priority,
      active: table.active(slot),
      connections: table.connections(slot),
      requests: totals.requests,
      failures: totals.failures,
      latencyMs: Math.round(table.latencyMs(slot) * 1000) / 1000,
      changedAt: changedAt === 0 ? null : new Date(changedAt).toISOString(),
      check: check === undefined ? null : { reason: check.reason, at: check.atMs === 0 ? null : new Date(check.atMs).toISOString() },
    }
  })
  const available = servers.filter((server) => server.health !== 'down' && server.admin === 'ready' && server.weight > 0).length
  return { name: pool.name, algorithm: pool.algorithm.name, available, servers }
}

function healthName(health: number): HealthName {
  return health === HEALTH.UP ? 'up' : health === HEALTH.STARTING ? 'starting' : 'down'
}

function adminName(admin: number): AdminName {
  return admin === ADMIN.READY ? 'ready' : admin === ADMIN.DRAIN ? 'drain' : 'maintenance'
}
