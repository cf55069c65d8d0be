import type { ClientAddress } from '../core/index.ts'
import { type RequestHead, TARGET } from '../http/index.ts'
import { Candidates } from './candidates.ts'
import type { RoutePlan } from './config.ts'
import { explainRoute, type RouteExplanation } from './explain.ts'
import { HostIndex, hostKey } from './host-index.ts'
import { NormalPath } from './normal-path.ts'
import { compilePath } from './path-pattern.ts'
import { NONE, type PathEntry } from './path-tree.ts'
import { PathTrie } from './path-trie.ts'
import { Predicates } from './predicates.ts'
import { TextReader } from './text-reader.ts'
import { NO_TLS, type TlsFacts } from './tls-facts.ts'

/** What match() says instead of an index: no route matches (404), or the path can be read in two ways (400; see NormalPath). */
export const NO_ROUTE = -1
export const PATH_REFUSED = -2

/** What a router needs of a route. */
export type MatchablePlan = Pick<RoutePlan, 'id' | 'match'>

const SLASH = 0x2f

/**
 * The routes of a listener, compiled. match() finds the first route in the order of the configuration whose every predicate
 * holds, at the same cost for 10 and for 10,000 routes as far as host and path tell them apart:
 *
 *   host ─HostIndex─▶ tries of the exact name, of each wildcard, of "any host" ─PathTrie─▶ candidates ─Predicates─▶ lowest route
 *
 * Routes with the same host and path are tried one after the other. It allocates nothing and makes text only where a regular
 * expression is tried. Bench: bench/route.ts. A router belongs to one thread, and match() is not re-entrant.
 */
export class Router {
  readonly #plans: readonly MatchablePlan[]
  readonly #predicates: readonly (Predicates | null)[]
  readonly #path = new NormalPath()
  readonly #candidates: Candidates
  readonly #hosts: HostIndex
  readonly #trie: PathTrie
  /** The lists of routes that ask for no path, as starts and ends by trie. */
  readonly #pathless: Int32Array
  /** The number of the trie for routes that ask for no host: behind those of the hosts. */
  readonly #anyHost: number

  /** Throws CONFIG_INVALID for a pattern that cannot be, and SyntaxError for a bad regular expression; config checks both before. */
  constructor(plans: readonly MatchablePlan[]) {
    const text = new TextReader()
    this.#plans = plans
    this.#predicates = plans.map((plan) => Predicates.compile(plan.match, text))
    this.#candidates = new Candidates(this.#predicates, this.#path, text)
    const groups = groupByHost(plans)
    this.#hosts = new HostIndex(groups.hosts)
    this.#anyHost = groups.hosts.length
    this.#pathless = new Int32Array(groups.entries.length * 2)
    for (let root = 0; root < groups.entries.length; root++) {
      this.#pathless[root * 2] = this.#candidates.length
      this.#pathless[root * 2 + 1] = this.#candidates.add(groups.pathless[root])
    }
    this.#trie = new PathTrie(groups.entries, this.#candidates)
  }

  get length(): number {
    return this.#plans.length
  }

  /**
   * Index of the route for a request, NO_ROUTE or PATH_REFUSED. Surplus slashes at the beginning of the target ("//admin") are
   * dropped from the head itself (targetStart, pathStart), because a server may take what follows two slashes for a host.
   * A request for "*" (OPTIONS) has no path and reaches only routes that ask for none.
   */
  match(memory: Uint8Array, head: RequestHead, client: ClientAddress, tls: TlsFacts = NO_TLS): number {
    const hasPath = head.targetForm === TARGET.ORIGIN || head.targetForm === TARGET.ABSOLUTE
    if (hasPath) {
      dropLeadingSlashes(memory, head)
      if (!this.#path.read(memory, head.pathStart, head.pathEnd)) return PATH_REFUSED
    }
    this.#candidates.begin(memory, head, client, tls)
    let best = this.#matchRoot(this.#anyHost, hasPath, NONE)
    const count = this.#hosts.find(memory, head.hostStart, head.hostEnd)
    for (let i = 0; i < count; i++) best = this.#matchRoot(this.#hosts.found[i], hasPath, best)
    return best === NONE ? NO_ROUTE : best
  }

  /** Says of every route which predicates hold and which do not, and why. For people: slow, and independent of the index. */
  explain(memory: Uint8Array, head: RequestHead, client: ClientAddress, tls: TlsFacts = NO_TLS): RouteExplanation[] {
    return this.#plans.map((plan, index) => explainRoute(plan, index, memory, head, client, tls))
  }

  #matchRoot(root: number, hasPath: boolean, best: number): number {
    best = this.#candidates.lowest(this.#pathless[root * 2], this.#pathless[root * 2 + 1], best)
    return hasPath ? this.#trie.match(root, this.#path.bytes, this.#path.start, this.#path.end, best) : best
  }
}

function dropLeadingSlashes(memory: Uint8Array, head: RequestHead): void {
  while (head.pathStart + 1 < head.pathEnd && memory[head.pathStart] === SLASH && memory[head.pathStart + 1] === SLASH) {
    head.pathStart++
    if (head.targetForm === TARGET.ORIGIN) head.targetStart++
  }
}

interface HostGroups {
  readonly hosts: readonly string[]
  /** Patterns by trie; one more than hosts, the last for any host. */
  readonly entries: PathEntry[][]
  readonly pathless: PathEntry[][]
}

function groupByHost(plans: readonly MatchablePlan[]): HostGroups {
  const hosts = [...new Set(plans.flatMap((plan) => plan.match.hosts.map(hostKey)))]
  const numbers = new Map(hosts.map((host, number) => [host, number]))
  const entries = Array.from({ length: hosts.length + 1 }, (): PathEntry[] => [])
  const pathless = Array.from({ length: hosts.length + 1 }, (): PathEntry[] => [])
  for (let route = 0; route < plans.length; route++) {
    const match = plans[route].match
    const keys = match.hosts.length === 0 ? [hosts.length] : new Set(match.hosts.map((host) => numbers.get(hostKey(host)) as number))
    const paths = match.paths.map((path) => compilePath(path, route))
    const anyPath = paths.length === 0 ? [{ route, text: '', isPrefix: true, regex: null }] : paths.filter(isAnyPath)
    for (const key of keys) {
      pathless[key].push(...anyPath)
      entries[key].push(...paths.filter((path) => !isAnyPath(path)))
    }
  }
  return { hosts, entries, pathless }
}

/** The pattern "*" asks for nothing, not even for a path. */
function isAnyPath(path: PathEntry): boolean {
  return path.isPrefix && path.text === '' && path.regex === null
}
