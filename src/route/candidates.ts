import type { ClientAddress } from '../core/index.ts'
import type { RequestHead } from '../http/index.ts'
import type { NormalPath } from './normal-path.ts'
import type { PathEntry } from './path-tree.ts'
import type { Predicates } from './predicates.ts'
import type { TextReader } from './text-reader.ts'
import { NO_TLS, type TlsFacts } from './tls-facts.ts'

/**
 * The routes that the index leads to, as lists of entries, and the request that they are tried on. What the index does not
 * know (regular expressions, method, fields, client) is asked here, and only for a route that is lower than the best found.
 */
export class Candidates {
  /** Twice the route; odd where a regular expression or predicates have to be asked, so that most lists need no other memory. */
  readonly #entries: number[] = []
  readonly #regexes: (RegExp | null)[] = []
  readonly #predicates: readonly (Predicates | null)[]
  readonly #path: NormalPath
  readonly #text: TextReader
  #pathText: string | null = null
  #memory: Uint8Array = new Uint8Array(0)
  #head: RequestHead | null = null
  #client: ClientAddress | null = null
  #tls: TlsFacts = NO_TLS

  /** `predicates` by route; null where the index says it all. */
  constructor(predicates: readonly (Predicates | null)[], path: NormalPath, text: TextReader) {
    this.#predicates = predicates
    this.#path = path
    this.#text = text
  }

  /** Number of entries so far: where the next list begins. */
  get length(): number {
    return this.#entries.length
  }

  /** Appends a list, lowest route first, and returns where it ends. */
  add(entries: readonly PathEntry[]): number {
    for (const entry of entries) {
      const isPlain = entry.regex === null && this.#predicates[entry.route] === null
      this.#entries.push(entry.route * 2 + (isPlain ? 0 : 1))
      this.#regexes.push(entry.regex)
    }
    return this.#entries.length
  }

  /** Names the request that lowest() is about. */
  begin(memory: Uint8Array, head: RequestHead, client: ClientAddress, tls: TlsFacts): void {
    this.#tls = tls
    this.#memory = memory
    this.#head = head
    this.#client = client
    this.#pathText = null
  }

  /** The first route of the list [start, end) that is lower than `best` and holds, or `best`. */
  lowest(start: number, end: number, best: number): number {
    for (let i = start; i < end; i++) {
      const entry = this.#entries[i]
      const route = entry >>> 1
      if (route >= best) return best
      if ((entry & 1) === 0) return route
      const regex = this.#regexes[i]
      if (regex !== null && !this.#matches(regex)) continue
      const predicates = this.#predicates[route]
      if (predicates === null || predicates.hold(this.#memory, this.#head as RequestHead, this.#client as ClientAddress, this.#tls))
        return route
    }
    return best
  }

  #matches(regex: RegExp): boolean {
    this.#pathText ??= this.#text.read(this.#path.bytes, this.#path.start, this.#path.end)
    return regex.test(this.#pathText)
  }
}
