import type { AlgorithmDefinition } from '../definition.ts'
import type { Algorithm } from './algorithm.ts'
import { LeastConnections, WeightedLeastConnections } from './least-connections.ts'
import { RandomChoice } from './random.ts'
import { RoundRobin } from './round-robin.ts'
import { WeightedRoundRobin } from './weighted-round-robin.ts'

export interface AlgorithmEntry {
  readonly name: string
  readonly aliases: readonly string[]
  /** Whether weights are respected; the others treat all servers alike. */
  readonly weighted: boolean
  create(definition: AlgorithmDefinition): Algorithm
}

/** Every algorithm, by canonical name. */
export const ALGORITHMS: readonly AlgorithmEntry[] = [
  { name: 'round-robin', aliases: ['rr'], weighted: false, create: () => new RoundRobin() },
  { name: 'weighted-round-robin', aliases: ['wrr'], weighted: true, create: () => new WeightedRoundRobin() },
  { name: 'random', aliases: [], weighted: false, create: () => new RandomChoice() },
  { name: 'least-connections', aliases: ['lc'], weighted: false, create: () => new LeastConnections() },
  { name: 'weighted-least-connections', aliases: ['wlc'], weighted: true, create: () => new WeightedLeastConnections() },
]

/** By canonical name or alias. */
export function findAlgorithm(name: string): AlgorithmEntry | undefined {
  return ALGORITHMS.find((entry) => entry.name === name || entry.aliases.includes(name))
}
