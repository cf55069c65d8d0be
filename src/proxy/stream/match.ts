import { CidrSet, type ClientAddress } from '../../core/index.ts'
import type { StreamMatchPlan } from './plan.ts'

/** What a stream's route is chosen by. */
export interface StreamFacts {
  /** "" where the client does not name a server. */
  readonly serverName: string
  /** Protocols that the client offers, or the one that was agreed on. */
  readonly protocols: readonly string[]
  readonly address: ClientAddress
}

/** The conditions of a route, compiled: all parts that are there must hold. */
export class StreamMatch {
  /** Whether the ClientHello must be there to decide. */
  readonly needsHello: boolean
  readonly #exact: ReadonlySet<string>
  /** What follows "*.", of wildcards. */
  readonly #below: ReadonlySet<string>
  readonly #hasNames: boolean
  readonly #alpn: readonly string[]
  readonly #clients: CidrSet | null

  constructor({ names, alpn, clients }: StreamMatchPlan) {
    this.#exact = new Set(names.filter(({ kind }) => kind === 'exact').map(({ name }) => name))
    this.#below = new Set(names.filter(({ kind }) => kind === 'wildcard').map(({ name }) => name))
    this.#hasNames = names.length > 0
    this.#alpn = alpn
    this.#clients = clients.length === 0 ? null : new CidrSet(clients)
    this.needsHello = this.#hasNames || alpn.length > 0
  }

  holds({ serverName, protocols, address }: StreamFacts): boolean {
    if (this.#hasNames && !this.#holdsName(serverName)) return false
    if (this.#alpn.length > 0 && !this.#alpn.some((protocol) => protocols.includes(protocol))) return false
    return this.#clients === null || this.#clients.contains(address)
  }

  /** A wildcard stands for names below it at any depth. */
  #holdsName(name: string): boolean {
    if (this.#exact.has(name)) return true
    if (this.#below.size === 0) return false
    for (let dot = name.indexOf('.'); dot !== -1; dot = name.indexOf('.', dot + 1)) if (this.#below.has(name.slice(dot + 1))) return true
    return false
  }
}
