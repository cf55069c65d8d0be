import type { Candidates } from '../candidates.ts'
import { SERVER } from '../layout.ts'
import { LeastCost } from './least-cost.ts'

/** The fewest active requests for the weight. */
export class LeastConnections extends LeastCost {
  cost(candidates: Candidates, position: number): number {
    return candidates.active(position) / candidates.weights[position]
  }
}

/** The fewest active requests for the weight once this one is added: a heavy server gets the first requests of an idle pool. */
export class ShortestExpectedDelay extends LeastCost {
  cost(candidates: Candidates, position: number): number {
    return (candidates.active(position) + 1) / candidates.weights[position]
  }
}

/** An idle server whatever its weight; when there is none, the shortest expected delay. */
export class NeverQueue extends LeastCost {
  cost(candidates: Candidates, position: number): number {
    const active = candidates.active(position)
    return active === 0 ? 0 : (active + 1) / candidates.weights[position]
  }
}

/** The fewest entries in the persistence table for the weight; among equals the fewest active requests. */
export class LeastSessions extends LeastCost {
  cost(candidates: Candidates, position: number): number {
    // Entries of a table that a reload replaced may be given back after the count began anew.
    const sessions = Math.max(0, Atomics.load(candidates.words, candidates.rows[position] + SERVER.SESSIONS))
    return (sessions * 2 ** 20 + candidates.active(position)) / candidates.weights[position]
  }
}
