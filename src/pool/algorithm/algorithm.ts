import type { Candidates } from '../candidates.ts'
import type { PickContext } from '../context.ts'

/**
 * One way to choose. There is one instance for each tier of each pool in each worker; what workers share is in the table.
 * Algorithms know nothing of sockets or protocols.
 */
export interface Algorithm {
  /** The candidates changed: tables are built here, so that pick() has only to read. */
  rebuild(candidates: Candidates): void
  /** A position in `candidates` that is free (see isFree), or -1 when none is. `count` is at least 1. Allocates nothing. */
  pick(candidates: Candidates, context: PickContext): number
}

/** pick() found nothing. */
export const NO_POSITION = -1

/** The first free position at or after `from`, going round once; NO_POSITION when there is none. */
export function nextFree(candidates: Candidates, context: PickContext, from: number): number {
  const count = candidates.count
  let position = from
  for (let i = 0; i < count; i++) {
    if (candidates.isFree(position, context)) return position
    position = position + 1 === count ? 0 : position + 1
  }
  return NO_POSITION
}
