import type { Plan } from '../config/index.ts'
import { systemClock } from '../core/index.ts'
import { definitionOf, type PoolTable, SlotAllocator, type SlotAssignment, type Upkeep, type UpkeptPool } from '../pool/index.ts'
import type { TlsFiles } from '../proxy/index.ts'
import type { Certificates } from './certificates.ts'
import type { Observation } from './observation.ts'
import type { Packets } from './packets.ts'
import type { WorkerGroup } from './worker-group.ts'

/** A plan in force. */
export interface Generation {
  /** As the configuration says. */
  readonly configured: Plan
  /** The same with the servers that discovery and the admin API have added, changed and taken out: what workers have. */
  readonly plan: Plan
  readonly slots: SlotAssignment
  /** By listener. */
  readonly addresses: Readonly<Record<string, readonly string[]>>
  /** Contents of certificates and keys. */
  readonly files: TlsFiles
}

/** What has to follow a plan. */
export interface GenerationParts {
  readonly table: PoolTable
  readonly upkeep: Upkeep
  readonly observation: Observation
  readonly packets: Packets
  readonly workers: WorkerGroup
  readonly certificates: Certificates
}

/**
 * Puts one plan after the other into force, in everything that follows it, or in nothing. A reload and a change of the servers of
 * a pool take the same way:
 *
 *   slots prepared ─▶ checks begun, first results ─▶ packet plane ─▶ prepare in all workers ─▶ slots committed ─▶ commit in all workers
 *          └──────────────────────────── any failure: back to the plan before ──────────────────────────┘
 */
export class Generations {
  readonly #parts: GenerationParts
  readonly #allocator: SlotAllocator
  #number = 0
  current: Generation | null = null

  constructor(parts: GenerationParts) {
    this.#parts = parts
    this.#allocator = new SlotAllocator(parts.table)
  }

  /**
   * Rejects with what stood in the way, and then nothing has changed. One at a time. Certificates are read, unless they are given: a
   * change of servers has nothing to do with them.
   */
  async apply(configured: Plan, plan: Plan, given?: TlsFiles): Promise<void> {
    const { upkeep, observation, packets, workers, certificates } = this.#parts
    const files = given ?? certificates.read(plan)
    const definitions = plan.pools.map(definitionOf)
    const slots = this.#allocator.prepare(definitions, this.#number + 1, systemClock.wallClock())
    let addresses: Readonly<Record<string, readonly string[]>>
    try {
      packets.prepareChecks(plan)
      // The first picks are to meet servers of known health; a first result comes within the check's time-out.
      upkeep.apply(upkept(plan), slots)
      await upkeep.settled()
      await packets.apply(plan, slots)
      observation.prepare(plan)
      addresses = await workers.apply({ plan, slots, series: observation.series, files }, () => {
        this.#allocator.commit(definitions, slots, systemClock.wallClock())
      })
    } catch (error) {
      this.#allocator.rollback()
      if (this.current === null) {
        upkeep.close()
        packets.abandon()
      } else {
        observation.prepare(this.current.plan)
        packets.prepareChecks(this.current.plan)
        upkeep.apply(upkept(this.current.plan), this.current.slots)
        await packets.apply(this.current.plan, this.current.slots)
      }
      throw error
    }
    observation.commit(plan)
    certificates.watch(plan, files)
    this.#number++
    this.current = { configured, plan, slots, addresses, files }
  }
}

function upkept(plan: Plan): UpkeptPool[] {
  return plan.pools.map((pool) => ({ definition: definitionOf(pool), check: pool.check, agent: pool.agent }))
}
