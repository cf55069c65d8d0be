import type { Plan } from '../config/index.ts'
import type { EventLog } from '../observe/index.ts'
import type { PoolPlan, ServerPlan } from '../pool/index.ts'
import { type KnownPool, RuntimeChanges } from './runtime-changes.ts'
import { StateFile } from './state-file.ts'

/**
 * Which servers a pool has: those of the configuration, with what the admin API has changed. It decides nothing: what is to be is asked
 * for with effective(), and kept with keep() once it is in force.
 */
export class Membership {
  readonly #log: EventLog
  #file: StateFile | null = null
  changes = new RuntimeChanges()

  constructor(log: EventLog) {
    this.#log = log
  }

  /** From now on changes are kept there too. */
  moveTo(path: string | undefined): void {
    if (path === this.#file?.path) return
    this.#file = path === undefined ? null : new StateFile(path)
    this.#attempt(() => this.#file?.write(this.changes))
  }

  /** Takes up what a state file has kept. One that cannot be read is told, set aside and otherwise ignored. */
  open(path: string | undefined): void {
    this.#file = path === undefined ? null : new StateFile(path)
    const stored = this.#file?.read()
    if (stored?.kind === 'read') this.changes = stored.changes
    if (stored?.kind !== 'unreadable') return
    const aside = this.#attempt(() => this.#file?.setAside())
    const where = aside === undefined ? '' : `; it is ${aside} now`
    this.#log.error(`state file ${path} is ignored, and so are the changes of servers in it: ${stored.reason}${where}`)
  }

  knownPool({ name, servers }: PoolPlan): KnownPool {
    return { name, servers, isDiscovered: false }
  }

  /** A plan with the servers that its pools have by `changes`. */
  effective(plan: Plan, changes = this.changes): Plan {
    return { ...plan, pools: plan.pools.map((pool) => ({ ...pool, servers: changes.serversOf(this.knownPool(pool)) })) }
  }

  /** What of the changes a new configuration leaves. */
  settled(plan: Plan): RuntimeChanges {
    return this.changes.settle(plan.pools.map((pool) => this.knownPool(pool)))
  }

  /** The changes are in force. */
  keep(changes: RuntimeChanges): void {
    const isSame = JSON.stringify(changes.pools) === JSON.stringify(this.changes.pools)
    this.changes = changes
    if (!isSame) this.#attempt(() => this.#file?.write(changes))
  }

  /** "configuration" or "admin API". */
  sourceOf(pool: PoolPlan, server: ServerPlan): string {
    return this.changes.isAdded(pool.name, server.name) ? 'admin API' : 'configuration'
  }

  #attempt<T>(act: () => T): T | undefined {
    try {
      return act()
    } catch (error) {
      this.#log.error(`state file ${this.#file?.path}: ${(error as Error).message}`)
      return undefined
    }
  }
}
