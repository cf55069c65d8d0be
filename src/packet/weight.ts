import type { PacketAlgorithm, PacketServer } from './definition.ts'

/** The kernel counts in whole numbers: so many for a weight of 1, so that slow starts and agents move shares in small steps. */
const STEPS = 100
/** These compare a weight with a number of flows, so it must be what was configured. */
const COUNTING: readonly PacketAlgorithm[] = ['overflow', 'locality', 'locality-replicated']

/** A server's weight as the programs compare it with others of its service. What is more than nothing stays more than nothing. */
export function kernelWeight(algorithm: PacketAlgorithm, { weight, share }: Pick<PacketServer, 'weight' | 'share'>): number {
  if (weight * share <= 0) return 0
  return Math.max(1, Math.round(weight * share * (COUNTING.includes(algorithm) ? 1 : STEPS)))
}
