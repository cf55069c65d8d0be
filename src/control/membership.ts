import type { Plan } from '../config/index.ts'
import type { EventLog } from '../observe/index.ts'
import type { Discovery, PoolPlan, ServerPlan } from '../pool/index.ts'
import { type KnownPool, RuntimeChanges } from './runtime-changes.ts'
import { StateFile } from './state-file.ts'

/**
 * Which servers a pool has: those of the configuration, those that were discovered, with what the admin API has changed. It decides nothing: what is to be is asked
 * for with effective(), and kept with keep() once it is in force.
 */
export class Membership {
  readonly #discovery: Discovery
  readonly #log: EventLog
  #file: StateFile | null = null
  changes = new RuntimeChanges()

  constructor(discovery: Discovery, log: EventLog) {
    this.#discovery = discovery
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

  /** A server of the configuration stands before a discovered one of the same name. */
  knownPool({ name, servers, discover }: PoolPlan): KnownPool {
    if (discover === undefined) return { name, servers, isDiscovered: false }
    const names = new Set(servers.map((server) => server.name))
    const discovered = [...this.#discovery.serversOf(name).values()].map(({ server }) => server)
    return { name, servers: [...servers, ...discovered.filter((server) => !names.has(server.name))], isDiscovered: true }
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

  /** "configuration", "admin API" or the name of the discovery; `pool` is as configured. */
  sourceOf(pool: PoolPlan, server: ServerPlan): string {
    if (pool.servers.some(({ name }) => name === server.name)) return 'configuration'
    return this.#discovery.serversOf(pool.name).get(server.name)?.source ?? 'admin API'
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
