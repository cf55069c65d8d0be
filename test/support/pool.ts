import {
  type HashKey,
  hashKeyBytes,
  type KeySource,
  PickContext,
  Pool,
  type PoolDefinition,
  PoolTable,
  type QueueHost,
  SeededRandom,
  type ServerDefinition,
  SlotAllocator,
  type SlotAssignment,
} from '../../src/pool/index.ts'

/** A server definition of a test: everything but the name has a default. */
export function server(name: string, changes: Partial<ServerDefinition> = {}): ServerDefinition {
  const address = { family: 4, host: '127.0.0.1', port: 8000 } as const
  return { name, address, weight: 1, priority: 0, admin: 'ready', maxRequests: 0, ...changes }
}

/** Servers a, b, c, … with these weights. */
export function weighted(...weights: number[]): ServerDefinition[] {
  return weights.map((weight, i) => server(String.fromCharCode(97 + i), { weight }))
}

export function definition(servers: readonly ServerDefinition[], changes: Partial<PoolDefinition> = {}): PoolDefinition {
  return { name: 'app', algorithm: { name: 'round-robin' }, servers, checked: false, maxRequests: 0, minAvailable: 1, ...changes }
}

export interface Bench {
  readonly table: PoolTable
  readonly slots: SlotAllocator
  readonly assignment: SlotAssignment
  readonly pool: Pool
  readonly context: PickContext
  /** Slot of a server by its place in the definition. */
  slot(index: number): number
  /** Names picked in `count` picks that are released at once. */
  names(count: number): string[]
}

/** One pool in a table of its own, in force, with the context of one worker. */
export function bench(pool: PoolDefinition, seed = 1, host?: QueueHost): Bench {
  const table = PoolTable.create({ servers: Math.max(8, pool.servers.length), pools: 4, workers: 4 })
  const slots = new SlotAllocator(table)
  const assignment = slots.prepare([pool], 1, 1000)
  slots.commit([pool], assignment, 1000)
  const made = new Pool(pool, assignment.pools[0], table, 0, host)
  const context = new PickContext(new SeededRandom(seed))
  const names = (count: number): string[] =>
    Array.from({ length: count }, () => {
      context.begin(0)
      const index = made.pick(context)
      return index < 0 ? String(index) : made.servers[index].name
    })
  return { table, slots, assignment, pool: made, context, slot: (index) => assignment.pools[0].slots[index], names }
}

/** Requests whose key is a number that the test sets, as a proxy's exchange would find it in a header. */
export class NumberedKey implements KeySource {
  number = 0
  readonly #bytes = Buffer.alloc(8)

  keyHash(key: HashKey): number {
    this.#bytes.writeDoubleLE(this.number)
    return hashKeyBytes(key, this.#bytes, 0, 8)
  }
}

/** How often each name occurs. */
export function count(names: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1
  return counts
}
