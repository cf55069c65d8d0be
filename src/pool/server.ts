import type { SocketAddress } from '../core/index.ts'
import type { ServerDefinition } from './definition.ts'
import { ADMIN_NAMES, type AdminName, HEALTH_NAMES, type HealthName } from './state.ts'
import type { PoolTable } from './table.ts'

/** One server of a pool, as a worker sees it: names from the plan, state from the table at the moment of asking. */
export class Server {
  readonly name: string
  readonly address: SocketAddress
  /** Its place in the pool: what pick() returns. */
  readonly index: number
  readonly slot: number
  /** "pool/server", for logs and metrics. */
  readonly label: string
  readonly #table: PoolTable

  constructor(pool: string, definition: ServerDefinition, index: number, slot: number, table: PoolTable) {
    this.name = definition.name
    this.address = definition.address
    this.index = index
    this.slot = slot
    this.label = `${pool}/${definition.name}`
    this.#table = table
  }

  get health(): HealthName {
    return HEALTH_NAMES[this.#table.health(this.slot)]
  }

  get admin(): AdminName {
    return ADMIN_NAMES[this.#table.admin(this.slot)]
  }

  get weight(): number {
    return this.#table.weight(this.slot)
  }

  get active(): number {
    return this.#table.active(this.slot)
  }

  get connections(): number {
    return this.#table.connections(this.slot)
  }

  get latencyMs(): number {
    return this.#table.latencyMs(this.slot)
  }
}
