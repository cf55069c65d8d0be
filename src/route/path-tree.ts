/** A path pattern of a route: the normal path is `text`, or begins with it; and `regex`, if there is one, matches. */
export interface PathEntry {
  readonly route: number
  readonly text: string
  readonly isPrefix: boolean
  readonly regex: RegExp | null
}

/** A node of a radix tree while it is built. `label` is what leads to it from its parent. */
export interface TreeNode {
  label: string
  /** Sorted by the first character of their labels, which differ. */
  children: TreeNode[]
  readonly prefix: PathEntry[]
  readonly exact: PathEntry[]
  /** The lowest route here or below. */
  lowest: number
}

/** No route: above every index. */
export const NONE = 0x7fffffff

/** Builds the radix tree of one host's patterns. Lists come out in the order of the routes. */
export function buildTree(entries: readonly PathEntry[]): TreeNode {
  const root = newNode('')
  for (const entry of entries.toSorted((a, b) => a.route - b.route)) {
    const node = insert(root, entry.text)
    ;(entry.isPrefix ? node.prefix : node.exact).push(entry)
  }
  finish(root)
  return root
}

function insert(root: TreeNode, text: string): TreeNode {
  let node = root
  let rest = text
  while (rest !== '') {
    const child = node.children.find((candidate) => candidate.label[0] === rest[0])
    if (child === undefined) {
      const added = newNode(rest)
      node.children.push(added)
      return added
    }
    const common = commonLength(child.label, rest)
    if (common < child.label.length) split(child, common)
    node = child
    rest = rest.slice(common)
  }
  return node
}

/** Cuts a node's label, so that what it held hangs below the first part. */
function split(node: TreeNode, length: number): void {
  const below: TreeNode = { ...node, label: node.label.slice(length), prefix: [...node.prefix], exact: [...node.exact] }
  node.label = node.label.slice(0, length)
  node.children = [below]
  node.prefix.length = 0
  node.exact.length = 0
}

function finish(node: TreeNode): void {
  node.children.sort((a, b) => a.label.charCodeAt(0) - b.label.charCodeAt(0))
  for (const child of node.children) finish(child)
  // The lists are in the order of the routes.
  node.lowest = Math.min(node.prefix[0]?.route ?? NONE, node.exact[0]?.route ?? NONE, ...node.children.map((child) => child.lowest))
}

function commonLength(a: string, b: string): number {
  const most = Math.min(a.length, b.length)
  let length = 0
  while (length < most && a[length] === b[length]) length++
  return length
}

function newNode(label: string): TreeNode {
  return { label, children: [], prefix: [], exact: [], lowest: NONE }
}
