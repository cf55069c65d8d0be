import type { AlgorithmDefinition, AlgorithmOptions } from '../definition.ts'
import { hashKeyFrom } from '../hash-key.ts'
import type { Algorithm } from './algorithm.ts'
import { type AlgorithmName, describeAlgorithm } from './catalogue.ts'
import { PlainHash } from './hash.ts'
import { Fastest, PeakEwma } from './latency.ts'
import { LeastConnections, LeastSessions, NeverQueue, ShortestExpectedDelay } from './least-connections.ts'
import { Locality, LocalityReplicated, localityBytes } from './locality.ts'
import { Maglev } from './maglev.ts'
import { Observed } from './observed.ts'
import { ByWeight, First } from './ordered.ts'
import { RandomChoice } from './random.ts'
import { Ring } from './ring.ts'
import { Resource, RoundRobin } from './round-robin.ts'
import { TwoChoices } from './two-choices.ts'

/** What an algorithm is made of, besides its options. */
export interface AlgorithmSetting {
  /** The pool's name: seeds hashes that have no seed. */
  readonly pool: string
  /** Memory that all workers share for this pool, of sharedBytes() or more. */
  readonly shared: SharedArrayBuffer | null
}

type Maker = (options: AlgorithmOptions, setting: AlgorithmSetting) => Algorithm

/** Those that ignore weights (see the catalogue) are the same as those that do not, over candidates of equal weights. */
const MAKERS: Readonly<Record<AlgorithmName, Maker>> = {
  'round-robin': () => new RoundRobin(),
  'weighted-round-robin': () => new RoundRobin(),
  random: () => new RandomChoice(),
  'weighted-random': () => new RandomChoice(),
  'two-choices': (options) => new TwoChoices(Number(options.draws)),
  'least-connections': () => new LeastConnections(),
  'weighted-least-connections': () => new LeastConnections(),
  'shortest-expected-delay': () => new ShortestExpectedDelay(),
  'never-queue': () => new NeverQueue(),
  'least-sessions': () => new LeastSessions(),
  fastest: (options) => new Fastest(Number(options.decay)),
  'peak-ewma': (options) => new PeakEwma(Number(options.draws), Number(options.decay)),
  observed: () => new Observed(false),
  predictive: () => new Observed(true),
  resource: () => new Resource(),
  'source-hash': (options, { pool }) => new PlainHash(hashKeyFrom({ ...options, key: 'source' }, pool)),
  'destination-hash': (options, { pool }) => new PlainHash(hashKeyFrom({ ...options, key: 'destination' }, pool)),
  'uri-hash': (options, { pool }) => new PlainHash(hashKeyFrom({ ...options, key: 'uri' }, pool)),
  hash: (options, { pool }) => new PlainHash(hashKeyFrom(options, pool)),
  ring: (options, { pool }) => new Ring(hashKeyFrom(options, pool), Number(options.virtualNodes), Number(options.loadFactor)),
  maglev: (options, { pool }) => new Maglev(hashKeyFrom(options, pool), Number(options.tableSize)),
  first: () => new First(),
  'weighted-failover': () => new ByWeight(false),
  overflow: () => new ByWeight(true),
  locality: (options, setting) => new Locality(hashKeyFrom(options, setting.pool), Number(options.capacity), sharedOf(setting)),
  'locality-replicated': (options, setting) =>
    new LocalityReplicated(hashKeyFrom(options, setting.pool), Number(options.capacity), Number(options.settle), sharedOf(setting)),
}

/** Makes the algorithm anew for each tier of a pool. */
export function makeAlgorithm(definition: AlgorithmDefinition, setting: AlgorithmSetting): Algorithm {
  const { name, options } = complete(definition)
  return MAKERS[name](options, setting)
}

/** Whether the algorithm respects weights. */
export function isWeighted(definition: AlgorithmDefinition): boolean {
  return describeAlgorithm(definition.name)?.weighted ?? false
}

/** Bytes of shared memory that a pool with this algorithm needs; 0 for most. */
export function sharedBytes(definition: AlgorithmDefinition): number {
  return localityBytes(complete(definition).name)
}

/** The decay of the peak latency that the algorithm goes by; 0 where it does not. */
export function peakDecayMs(definition: AlgorithmDefinition): number {
  const { name, options } = complete(definition)
  return name === 'peak-ewma' ? Number(options.decay) : 0
}

function complete(definition: AlgorithmDefinition): { name: AlgorithmName; options: AlgorithmOptions } {
  const description = describeAlgorithm(definition.name)
  if (description === undefined) throw new Error(`unknown algorithm "${definition.name}"`)
  const defaults = Object.fromEntries(description.options.map((option) => [option.name, option.default]))
  return { name: description.name, options: { ...defaults, ...definition.options } }
}

function sharedOf(setting: AlgorithmSetting): SharedArrayBuffer {
  if (setting.shared === null) throw new Error(`pool "${setting.pool}" has no shared memory`)
  return setting.shared
}
