import type { ClientAddress } from '../../core/index.ts'
import type { Endpoint } from '../../engine/index.ts'
import type { DatagramSession } from './session.ts'

const FIRST_SIZE = 64

/** Whose datagrams a balancer in front passes on, many clients' from one address. */
export interface Origin {
  readonly source: ClientAddress
  readonly sourcePort: number
}

/**
 * The sessions of one socket by their client's address and port: chains of a hash that is seeded at random, so that nobody
 * can choose addresses that all meet in one chain. It doubles with its content and is bounded by the limit of sessions.
 */
export class SessionTable {
  #chains: (DatagramSession | null)[] = new Array<DatagramSession | null>(FIRST_SIZE).fill(null)
  #count = 0
  readonly #seed = crypto.getRandomValues(new Int32Array(1))[0]

  get count(): number {
    return this.#count
  }

  /** `origin` is who a balancer in front says that the datagram is from; null without one. */
  find(client: Endpoint, origin: Origin | null): DatagramSession | null {
    let session = this.#chains[this.#hash(client, origin) & (this.#chains.length - 1)]
    while (session !== null && !(isSame(session.client, client) && isSameOrigin(session.proxied, origin))) session = session.next
    return session
  }

  add(session: DatagramSession): void {
    if (this.#count >= this.#chains.length) this.#grow()
    this.#link(session)
    this.#count++
  }

  delete(session: DatagramSession): void {
    const chain = this.#hash(session.client, session.proxied) & (this.#chains.length - 1)
    let before: DatagramSession | null = null
    for (let each = this.#chains[chain]; each !== null; each = each.next) {
      if (each === session) {
        if (before === null) this.#chains[chain] = session.next
        else before.next = session.next
        session.next = null
        this.#count--
        return
      }
      before = each
    }
  }

  #link(session: DatagramSession): void {
    const chain = this.#hash(session.client, session.proxied) & (this.#chains.length - 1)
    session.next = this.#chains[chain]
    this.#chains[chain] = session
  }

  #grow(): void {
    const before = this.#chains
    this.#chains = new Array<DatagramSession | null>(2 * before.length).fill(null)
    for (let chain of before) {
      while (chain !== null) {
        const { next }: DatagramSession = chain
        this.#link(chain)
        chain = next
      }
    }
  }

  #hash({ address, port, scope }: Endpoint, origin: Origin | null): number {
    let hash = mix(this.#seed, address, port ^ scope)
    if (origin !== null) hash = mix(hash, origin.source, origin.sourcePort)
    return hash ^ (hash >>> 15)
  }
}

function mix(seed: number, address: ClientAddress, port: number): number {
  const hash = step(step(seed, address.word0), port)
  if (address.family !== 6) return hash
  return step(step(step(hash, address.word1), address.word2), address.word3)
}

/** A round of MurmurHash3. */
function step(hash: number, word: number): number {
  let mixed = Math.imul(word, 0xcc9e2d51)
  mixed = Math.imul((mixed << 15) | (mixed >>> 17), 0x1b873593) ^ hash
  return (Math.imul((mixed << 13) | (mixed >>> 19), 5) + 0xe6546b64) | 0
}

function isSame(a: Endpoint, b: Endpoint): boolean {
  return a.port === b.port && a.address.equals(b.address) && a.scope === b.scope
}

function isSameOrigin(a: Origin | null, b: Origin | null): boolean {
  if (a === null || b === null) return a === b
  return a.sourcePort === b.sourcePort && a.source.equals(b.source)
}
