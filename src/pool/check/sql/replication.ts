import { fail, pass, type Verdict } from '../protocol.ts'

export type DatabaseRole = 'any' | 'primary' | 'replica'

/** What a check demands of a server's part in replication. */
export interface ReplicationDemand {
  readonly role: DatabaseRole
  /** How far behind the primary a replica may be, in milliseconds; undefined for any. */
  readonly maxLagMs: number | undefined
}

/** What a server says of itself. */
export interface Standing {
  readonly isPrimary: boolean
  /** How far behind it says that it is; null where its replication does not run, or it cannot tell. */
  readonly lagMs: number | null
}

/**
 * Until when a replica is known to have everything, from one run to the next. So a replica whose replication broke is as far behind as the
 * time since it was last seen to work, and one that has just begun to apply what came after a long silence is no further behind
 * than that (PostgreSQL alone would call it the whole silence).
 */
export class ReplicationMemory {
  #completeUntilMs = Number.NEGATIVE_INFINITY

  /** The lag of what a server says at `nowMs`; infinite where nothing is known. */
  lagMs(lagMs: number | null, nowMs: number): number {
    if (lagMs !== null) this.#completeUntilMs = Math.max(this.#completeUntilMs, nowMs - lagMs)
    return nowMs - this.#completeUntilMs
  }
}

export const ROLE_UNKNOWN = fail('the server does not tell its role')

/** Judges the role that a server has. */
export function judgeRole(demand: DatabaseRole, isPrimary: boolean): Verdict {
  const role = isPrimary ? 'primary' : 'replica'
  return demand === 'any' || demand === role
    ? pass(`the server is ${article(role)}`)
    : fail(`the server is ${article(role)}, expected ${article(demand)}`)
}

/** Judges role and lag together. */
export function judgeStanding(demand: ReplicationDemand, standing: Standing, memory: ReplicationMemory, nowMs: number): Verdict {
  const { maxLagMs } = demand
  const role = judgeRole(demand.role, standing.isPrimary)
  if (!role.ok || maxLagMs === undefined || standing.isPrimary) return role
  const lagMs = memory.lagMs(standing.lagMs, nowMs)
  const isRunning = standing.lagMs !== null
  if (lagMs <= maxLagMs)
    return pass(`the server is a replica, ${seconds(lagMs)} behind${isRunning ? '' : ', and its replication is not running'}`)
  if (lagMs === Number.POSITIVE_INFINITY) return fail('replication is not running')
  if (!isRunning) return fail(`replication has not been running for ${seconds(lagMs)}, at most ${seconds(maxLagMs)} are allowed`)
  return fail(`the replica is ${seconds(lagMs)} behind, at most ${seconds(maxLagMs)} are allowed`)
}

function article(role: string): string {
  return `a ${role}`
}

function seconds(ms: number): string {
  return `${Math.round(ms / 100) / 10} s`
}
