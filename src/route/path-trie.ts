import type { Candidates } from './candidates.ts'
import { buildTree, type PathEntry, type TreeNode } from './path-tree.ts'

/** Numbers of a node: its label, its list of prefix routes, its list of exact routes, its children, the lowest route at or below it. */
const LABEL_START = 0
const LABEL_END = 1
const PREFIX_START = 2
const PREFIX_END = 3
const EXACT_END = 4
const FIRST_CHILD = 5
const CHILD_COUNT = 6
const LOWEST = 7
const STRIDE = 8

/** Up to so many children are looked through one by one, more by halving. */
const LINEAR_CHILDREN = 8

/**
 * Radix tries over the bytes of paths, one for each host, all flattened into the same arrays:
 *
 *   "/"  prefix: [9]
 *    ├─ "a"
 *    │   ├─ "pi/"  prefix: [0, 4]       a list holds the candidates of a node, lowest route first
 *    │   └─ "bout" exact: [2]
 *    └─ "img/"     prefix: [1]
 *
 * A walk down one path visits every pattern that matches it, and stops where no lower route than the best one found is
 * below. Its cost is the length of the path, not the number of routes. Children of a node are neighbours, sorted by first byte.
 */
export class PathTrie {
  readonly #nodes: Int32Array
  readonly #labels: Uint8Array
  readonly #firstBytes: Uint8Array
  readonly #candidates: Candidates

  /** One trie for each list of entries; entry lists go into `candidates`, the rest stays here. Root i belongs to entries[i]. */
  constructor(entries: readonly (readonly PathEntry[])[], candidates: Candidates) {
    const nodes = breadthFirst(entries.map(buildTree))
    this.#candidates = candidates
    this.#nodes = new Int32Array(nodes.length * STRIDE)
    this.#labels = Uint8Array.from(nodes.map((node) => node.label).join(''), (character) => character.charCodeAt(0))
    this.#firstBytes = Uint8Array.from(nodes, (node) => node.label.charCodeAt(0))
    const numbers = new Map(nodes.map((node, number) => [node, number]))
    let label = 0
    for (let number = 0; number < nodes.length; number++) {
      const node = nodes[number]
      const at = number * STRIDE
      this.#nodes[at + LABEL_START] = label
      this.#nodes[at + LABEL_END] = label += node.label.length
      this.#nodes[at + PREFIX_START] = candidates.length
      this.#nodes[at + PREFIX_END] = candidates.add(node.prefix)
      this.#nodes[at + EXACT_END] = candidates.add(node.exact)
      this.#nodes[at + FIRST_CHILD] = node.children.length === 0 ? 0 : (numbers.get(node.children[0]) as number)
      this.#nodes[at + CHILD_COUNT] = node.children.length
      this.#nodes[at + LOWEST] = node.lowest
    }
  }

  /** The lowest route below `best` in that trie whose path pattern and other predicates hold, or `best`. */
  match(root: number, bytes: Uint8Array, start: number, end: number, best: number): number {
    const nodes = this.#nodes
    const labels = this.#labels
    let at = start
    let node = root * STRIDE
    for (;;) {
      if (nodes[node + LOWEST] >= best) return best
      const labelEnd = nodes[node + LABEL_END]
      let label = nodes[node + LABEL_START]
      if (labelEnd - label > end - at) return best
      while (label < labelEnd) if (labels[label++] !== bytes[at++]) return best
      const prefixEnd = nodes[node + PREFIX_END]
      if (nodes[node + PREFIX_START] < prefixEnd) best = this.#candidates.lowest(nodes[node + PREFIX_START], prefixEnd, best)
      if (at === end) {
        const exactEnd = nodes[node + EXACT_END]
        return prefixEnd < exactEnd ? this.#candidates.lowest(prefixEnd, exactEnd, best) : best
      }
      const child = this.#child(nodes[node + FIRST_CHILD], nodes[node + CHILD_COUNT], bytes[at])
      if (child === -1) return best
      node = child * STRIDE
    }
  }

  #child(first: number, count: number, byte: number): number {
    const firstBytes = this.#firstBytes
    let low = first
    let high = first + count
    while (high - low > LINEAR_CHILDREN) {
      const middle = (low + high) >>> 1
      if (firstBytes[middle] <= byte) low = middle
      else high = middle
    }
    for (; low < high; low++) if (firstBytes[low] === byte) return low
    return -1
  }
}

/** Roots first, so that they have the numbers of their lists; then level by level, so that siblings are neighbours. */
function breadthFirst(roots: readonly TreeNode[]): TreeNode[] {
  const nodes = [...roots]
  for (let i = 0; i < nodes.length; i++) nodes.push(...nodes[i].children)
  return nodes
}
