import type { Plan } from '../config/index.ts'
import { formatAddress } from '../core/index.ts'
import type { EventLog } from '../observe/index.ts'
import {
  ADMIN_NAMES,
  type Admin,
  Discovery,
  type DiscoveryEvent,
  type PoolTable,
  type ServerPlan,
  type Session,
  Upkeep,
} from '../pool/index.ts'
import type { PoolChangeResult, PoolsTarget } from './admin/api.ts'
import type { Certificates } from './certificates.ts'
import { checkConnect } from './check-connect.ts'
import { checkExecute } from './check-execute.ts'
import { discoveryAccess } from './discovery/access.ts'
import { type Generation, Generations } from './generations.ts'
import { Hooks } from './hooks/hooks.ts'
import { Membership } from './membership.ts'
import type { Observation } from './observation.ts'
import type { Packets } from './packets.ts'
import type { KnownPool, RuntimeChanges, ServerChange } from './runtime-changes.ts'
import { adminEventOf, discoveryEventOf, type StateEvent, stateEventOf } from './state-events.ts'
import { describePools, type PoolStatus } from './status.ts'
import { Turns } from './turns.ts'
import type { WorkerGroup } from './worker-group.ts'

/** A start or a reload waits so long for the first answers; with what comes later the pools fill up then. */
const DISCOVERY_LIMIT_MS = 5000
/** What was discovered and could not be put into force is tried again. */
const RETRY_MS = 5000

/** What has to follow when pools change. */
export interface PoolParts {
  readonly table: PoolTable
  readonly observation: Observation
  readonly packets: Packets
  readonly workers: WorkerGroup
  readonly certificates: Certificates
}

/**
 * All that concerns the pools of a running Evener: the plans, what keeps them up, where servers come from, what operators change, and
 * who is told. Plans and changes of servers come into force one after the other.
 */
export class Pools implements PoolsTarget {
  readonly table: PoolTable
  readonly turns = new Turns()
  readonly #log: EventLog
  readonly #packets: Packets
  readonly #hooks: Hooks
  readonly #discovery: Discovery
  readonly #membership: Membership
  readonly #upkeep: Upkeep
  readonly #generations: Generations
  /** A change by discovery waits for its turn. */
  #isDiscovering = false
  #retry: NodeJS.Timeout | undefined
  #isFrozen = false

  constructor({ table, observation, packets, workers, certificates }: PoolParts, log: EventLog) {
    this.table = table
    this.#packets = packets
    this.#log = log
    this.#hooks = new Hooks(log)
    this.#discovery = new Discovery({ access: discoveryAccess() })
    this.#membership = new Membership(this.#discovery, log)
    this.#upkeep = new Upkeep(table, { connect: packets.checkConnect(checkConnect), execute: checkExecute })
    this.#generations = new Generations({ table, upkeep: this.#upkeep, observation, packets, workers, certificates })
    this.#discovery.subscribe((event) => this.#discovered(event))
    this.#upkeep.subscribe((event) => {
      this.#tell(stateEventOf(event))
      packets.sync()
    })
  }

  /** null before the first plan is in force. */
  get current(): Generation | null {
    return this.#generations.current
  }

  /** Takes up the changes that a state file has kept, for the first plan. */
  openStateFile(path: string | undefined): void {
    this.#membership.open(path)
  }

  /** Puts a configuration into force, or rejects and leaves everything as it is. To be called in a turn. */
  async apply(plan: Plan): Promise<void> {
    const before = this.current?.configured
    // The first plan's own beginning is told too; what fails to replace a plan leaves its hooks alone.
    if (before === undefined) this.#hooks.apply(plan.hooks ?? [])
    this.#discovery.prepare(plan.pools)
    try {
      await this.#discovery.settled(DISCOVERY_LIMIT_MS)
      await this.#generations.apply(plan, this.#membership.effective(plan, this.#membership.settled(plan)))
    } catch (error) {
      this.#discovery.rollback()
      throw error
    }
    this.#discovery.commit()
    this.#hooks.apply(plan.hooks ?? [])
    this.#membership.keep(this.#membership.settled(plan))
    this.#membership.moveTo(plan.stateFile)
  }

  list(): PoolStatus[] {
    if (this.current === null) return []
    return describePools(this.current, {
      table: this.table,
      upkeep: this.#upkeep,
      membership: this.#membership,
      discovery: this.#discovery,
    })
  }

  hooks(): ReturnType<Hooks['status']> {
    return this.#hooks.status()
  }

  /** In every worker at once: the table says what is so, and the plans that follow say the same. */
  changeServer(pool: string, server: string, change: ServerChange): void {
    const { configured, plan, slots } = this.current as Generation
    const poolIndex = plan.pools.findIndex((candidate) => candidate.name === pool)
    const slot = slots.pools[poolIndex].slots[plan.pools[poolIndex].servers.findIndex((candidate) => candidate.name === server)]
    if (change.weight !== undefined) this.table.setWeight(slot, change.weight)
    if (change.admin !== undefined) this.table.setAdmin(slot, ADMIN_NAMES.indexOf(change.admin) as Admin, Date.now())
    this.#membership.keep(this.#membership.changes.change(this.#membership.knownPool(configured.pools[poolIndex]), server, change))
    const what = [change.admin ?? '', change.weight === undefined ? '' : `weight ${change.weight}`].filter((part) => part !== '')
    this.#tell(adminEventOf(pool, server, change.admin ?? 'changed', what.join(', ')))
    this.#packets.sync()
    this.#upkeep.serverChanged()
  }

  addServer(pool: string, server: ServerPlan): Promise<PoolChangeResult> {
    const event = adminEventOf(pool, server.name, 'added', `added (${formatAddress(server.address)})`)
    return this.#change(pool, event, (changes, known) => changes.add(known, server))
  }

  removeServer(pool: string, server: string): Promise<PoolChangeResult> {
    return this.#change(pool, adminEventOf(pool, server, 'removed', 'removed'), (changes, known) => changes.remove(known, server))
  }

  sessionsOf(pool: string, limit: number): readonly Session[] | undefined {
    return this.#upkeep.sessionsOf(pool, limit)
  }

  clearSessions(pool: string, server?: string): number | undefined {
    const cleared = this.#upkeep.clearSessions(pool, server)
    const whose = server === undefined ? `pool ${pool}` : `server ${pool}/${server}`
    if (cleared !== undefined) this.#log.info(`${cleared} sessions of ${whose} cleared by the admin API`)
    return cleared
  }

  /** From now on nothing comes into force any more: the workers are draining. */
  freeze(): void {
    this.#isFrozen = true
  }

  close(): void {
    this.#isFrozen = true
    clearTimeout(this.#retry)
    this.#discovery.close()
    this.#upkeep.close()
    this.#hooks.close()
  }

  /** In every worker at once: another plan, in the way that a reload takes. */
  #change(pool: string, event: StateEvent, edit: (changes: RuntimeChanges, known: KnownPool) => RuntimeChanges): Promise<PoolChangeResult> {
    return this.turns.take(async () => {
      if (this.#isFrozen) return { ok: false, message: 'Evener is shutting down.' }
      const configured = this.current?.configured
      const found = configured?.pools.find(({ name }) => name === pool)
      if (configured === undefined || found === undefined) return { ok: false, message: `There is no pool "${pool}" any more.` }
      // Edited again afterwards: what has been changed in the meantime is to be kept too.
      const next = (): RuntimeChanges => edit(this.#membership.changes, this.#membership.knownPool(found))
      try {
        await this.#generations.apply(configured, this.#membership.effective(configured, next()), this.current?.files)
      } catch (error) {
        return { ok: false, message: (error as Error).message }
      }
      this.#membership.keep(next())
      this.#tell(event)
      return { ok: true }
    })
  }

  #discovered(event: DiscoveryEvent): void {
    this.#tell(discoveryEventOf(event))
    if (event.kind === 'changed') this.#followDiscovery()
  }

  /** What was found comes into force together with whatever is found until its turn comes. */
  #followDiscovery(): void {
    if (this.#isDiscovering) return
    this.#isDiscovering = true
    void this.turns.take(async () => {
      this.#isDiscovering = false
      if (this.#isFrozen || this.current === null) return
      const { configured, plan, files } = this.current
      const next = this.#membership.effective(configured)
      // The first answers are in the plan already that waited for them.
      if (JSON.stringify(next.pools) === JSON.stringify(plan.pools)) return
      try {
        await this.#generations.apply(configured, next, files)
      } catch (error) {
        this.#log.error(`what was discovered is not in force: ${(error as Error).message}`)
        this.#retry = setTimeout(() => this.#followDiscovery(), RETRY_MS)
      }
    })
  }

  #tell(event: StateEvent): void {
    this.#log[event.level](event.sentence)
    this.#hooks.tell(event)
  }
}
