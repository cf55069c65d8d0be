import type { CharacterSet, RegexNode } from './syntax.ts'

/** More copies of a repeated part than this say nothing new about how it backtracks. */
const MAX_COPIES = 4
export const MAX_STATES = 160

/**
 * The position automaton (Glushkov) of a regular expression: a state for each character of it, and how many ways lead from one to
 * the next without reading anything between. Two ways from one state to another are what a backtracking matcher tries twice.
 */
export interface Automaton {
  /** What a state reads when it is entered. */
  readonly sets: readonly CharacterSet[]
  /** For each state its successors and in how many ways they are reached: 1, or 2 for "several". */
  readonly follow: readonly ReadonlyMap<number, number>[]
}

interface Fragment {
  /** In how many ways it matches nothing: 0, 1 or 2 for "several". */
  readonly empty: number
  readonly first: ReadonlyMap<number, number>
  readonly last: ReadonlyMap<number, number>
}

/** undefined where it would have more than MAX_STATES states. */
export function buildAutomaton(node: RegexNode): Automaton | undefined {
  const builder = new Builder()
  builder.build(node)
  return builder.sets.length > MAX_STATES ? undefined : builder
}

class Builder {
  readonly sets: CharacterSet[] = []
  readonly follow: Map<number, number>[] = []

  build(node: RegexNode): Fragment {
    if (this.sets.length > MAX_STATES) return NOTHING
    switch (node.kind) {
      case 'set':
        return this.#state(node.set)
      case 'sequence':
        return node.nodes.map((each) => this.build.bind(this, each)).reduce<Fragment>((left, right) => this.#join(left, right()), NOTHING)
      case 'choice':
        return node.nodes.map((each) => this.build(each)).reduce(either)
      case 'repeat':
        return this.#repeat(node.node, node.min, node.max)
    }
  }

  #state(set: CharacterSet): Fragment {
    const state = this.sets.push(set) - 1
    this.follow.push(new Map())
    const here = new Map([[state, 1]])
    return { empty: 0, first: here, last: here }
  }

  #join(left: Fragment, right: Fragment): Fragment {
    this.#connect(left.last, right.first)
    return {
      empty: few(left.empty * right.empty),
      first: sum(left.first, right.first, left.empty),
      last: sum(right.last, left.last, right.empty),
    }
  }

  /** x{2,} is xxx*, x{1,3} is x(x(x)?)?, and long bounded repetitions behave like endless ones. */
  #repeat(node: RegexNode, min: number, max: number): Fragment {
    let result = NOTHING
    for (let copy = 0; copy < Math.min(min, MAX_COPIES); copy++) result = this.#join(result, this.build(node))
    if (max - min > MAX_COPIES) return this.#join(result, this.#star(this.build(node)))
    let tail = NOTHING
    for (let copy = min; copy < max; copy++) tail = { ...this.#join(this.build(node), tail), empty: 1 }
    return this.#join(result, tail)
  }

  /** JavaScript ends a loop that matches nothing, so it matches nothing in one way. */
  #star(body: Fragment): Fragment {
    this.#connect(body.last, body.first)
    return { ...body, empty: 1 }
  }

  #connect(from: ReadonlyMap<number, number>, to: ReadonlyMap<number, number>): void {
    for (const [state, ways] of from) {
      const next = this.follow[state]
      for (const [successor, more] of to) next.set(successor, few((next.get(successor) ?? 0) + ways * more))
    }
  }
}

const NOTHING: Fragment = { empty: 1, first: new Map(), last: new Map() }

function either(left: Fragment, right: Fragment): Fragment {
  return { empty: few(left.empty + right.empty), first: sum(left.first, right.first, 1), last: sum(left.last, right.last, 1) }
}

function sum(one: ReadonlyMap<number, number>, other: ReadonlyMap<number, number>, factor: number): ReadonlyMap<number, number> {
  if (factor === 0) return one
  const total = new Map(one)
  for (const [state, ways] of other) total.set(state, few((total.get(state) ?? 0) + ways * factor))
  return total
}

function few(ways: number): number {
  return Math.min(ways, 2)
}
