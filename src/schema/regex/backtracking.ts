import { type Automaton, buildAutomaton } from './automaton.ts'
import { parseRegex } from './syntax.ts'

export type Backtracking = 'harmless' | 'polynomial' | 'exponential'

/** Steps after which an expression counts as harmless, because nothing was found: about 50 ms. */
const MAX_STEPS = 300_000

/**
 * How the time of a failing match grows with the text in a backtracking matcher: linearly, polynomially or exponentially. It is
 * decided on the ambiguity of the position automaton (Weber and Seidl, "On the degree of ambiguity of finite automata", 1991):
 * exponential if a state comes back to itself in two ways over one text, polynomial if two loops follow each other that share a text.
 * Anchors, lookarounds and back references are not understood, which can only make an expression look worse than it is, except for
 * back references. `source` must compile.
 */
export function judgeBacktracking(source: string): Backtracking {
  let worst: Backtracking = 'harmless'
  for (const node of parseRegex(source)) {
    const automaton = buildAutomaton(node)
    if (automaton === undefined) continue
    const search = new Search(automaton)
    if (search.isExponential()) return 'exponential'
    if (search.isPolynomial()) worst = 'polynomial'
  }
  return worst
}

class Search {
  readonly #automaton: Automaton
  readonly #reach: readonly ReadonlySet<number>[]
  #steps = 0

  constructor(automaton: Automaton) {
    this.#automaton = automaton
    this.#reach = automaton.follow.map((_, state) => this.#reachable(state))
  }

  /** A loop with a double edge, or a pair of equal states that parts and meets again. */
  isExponential(): boolean {
    const { follow } = this.#automaton
    for (const [state, successors] of follow.entries()) {
      for (const [next, ways] of successors) if (ways > 1 && this.#reach[next].has(state)) return true
    }
    return this.#loops().some((state) => this.#partsAndMeets(state))
  }

  /** States p, q in loops with a text that leads p to p, p to q and q to q. */
  isPolynomial(): boolean {
    const loops = this.#loops()
    for (const from of loops) {
      for (const to of loops) {
        if (from !== to && this.#reach[from].has(to) && !this.#reach[to].has(from) && this.#leads([from, from, to], [from, to, to]))
          return true
      }
    }
    return false
  }

  #loops(): number[] {
    return this.#reach.flatMap((states, state) => (states.has(state) ? [state] : []))
  }

  #reachable(start: number): Set<number> {
    const seen = new Set<number>()
    const open = [start]
    for (let state = open.pop(); state !== undefined; state = open.pop()) {
      for (const next of this.#automaton.follow[state].keys()) if (!seen.has(next)) seen.add(next) && open.push(next)
    }
    return seen
  }

  /** Walks two readings of one text that start together: do they part and come back to the start together? */
  #partsAndMeets(state: number): boolean {
    const size = this.#automaton.sets.length
    const seen = new Set<number>()
    const open: (readonly [one: number, other: number, hasParted: boolean])[] = [[state, state, false]]
    for (let pair = open.pop(); pair !== undefined; pair = open.pop()) {
      const [one, other, hasParted] = pair
      for (const a of this.#automaton.follow[one].keys()) {
        if (!this.#reach[a].has(state)) continue
        for (const b of this.#automaton.follow[other].keys()) {
          if (this.#steps++ > MAX_STEPS) return false
          if ((this.#automaton.sets[a] & this.#automaton.sets[b]) === 0n || !this.#reach[b].has(state)) continue
          const parted = hasParted || a !== b
          if (parted && a === state && b === state) return true
          const key = (a * size + b) * 2 + Number(parted)
          if (seen.has(key)) continue
          seen.add(key)
          open.push([a, b, parted])
        }
      }
    }
    return false
  }

  /** Whether one text leads three readings from the one triple of states to the other. */
  #leads(from: readonly [number, number, number], to: readonly [number, number, number]): boolean {
    const { sets, follow } = this.#automaton
    const size = sets.length
    const seen = new Set<number>()
    const open = [from]
    for (let triple = open.pop(); triple !== undefined; triple = open.pop()) {
      for (const a of follow[triple[0]].keys()) {
        for (const b of follow[triple[1]].keys()) {
          const both = sets[a] & sets[b]
          if (this.#steps++ > MAX_STEPS) return false
          if (both === 0n || !this.#reach[a].has(to[0])) continue
          for (const c of follow[triple[2]].keys()) {
            if (this.#steps++ > MAX_STEPS) return false
            if ((both & sets[c]) === 0n) continue
            if (a === to[0] && b === to[1] && c === to[2]) return true
            const key = (a * size + b) * size + c
            if (seen.has(key)) continue
            seen.add(key)
            open.push([a, b, c])
          }
        }
      }
    }
    return false
  }
}
