import { randomInt } from 'node:crypto'
import { formatAddress, type SocketAddress } from '../../../core/index.ts'
import { DnsFormatError, type DnsRecord, type DnsResponse, encodeQuery, parseResponse, RCODE_NAMES, TYPE } from './message.ts'

/** How bytes get to a resolver and back. */
export interface DnsTransport {
  /**
   * Sends a datagram from a port of its own and resolves with the first answer that `accepts` says yes to; others are ignored. Rejects
   * with the system's words, or after `timeoutMs` with "no answer within … ms".
   */
  udp(server: SocketAddress, query: Uint8Array, timeoutMs: number, accepts: (answer: Uint8Array) => boolean): Promise<Uint8Array>
  /** The same over TCP, the two bytes of the length apart. */
  tcp(server: SocketAddress, query: Uint8Array, timeoutMs: number): Promise<Uint8Array>
}

export interface ResolverOptions {
  readonly servers: readonly SocketAddress[]
  readonly timeoutMs: number
}

/** Records of one type, and for how long they hold. */
export interface Resolution {
  readonly records: readonly DnsRecord[]
  /** undefined where nothing says it: no records, and no SOA. */
  readonly ttlSeconds: number | undefined
}

/** Each resolver is asked so often before the question is given up. */
const ROUNDS = 2
const MAX_ALIASES = 8
const NOERROR = 0
const NXDOMAIN = 3

/** Asks recursive resolvers, one after the other. It keeps nothing: who asks keeps the answer for its TTL. */
export class Resolver {
  readonly #transport: DnsTransport
  readonly #options: ResolverOptions

  constructor(transport: DnsTransport, options: ResolverOptions) {
    this.#transport = transport
    this.#options = options
  }

  /** Aliases are followed. A name that is not there has no records. Rejects with words when nobody answers usefully. */
  async resolve(name: string, type: number): Promise<Resolution> {
    let at = name
    let ttlSeconds: number | undefined
    for (let aliases = 0; aliases <= MAX_ALIASES; aliases++) {
      const response = await this.#ask(at, type)
      const chain = followAliases(response.answers, at)
      const records = response.answers.filter((record) => record.type === type && record.name === chain.end)
      const ttls = [ttlSeconds, chain.ttlSeconds, ...records.map((record) => record.ttlSeconds)].filter((ttl) => ttl !== undefined)
      if (records.length > 0) return { records, ttlSeconds: Math.min(...ttls) }
      if (chain.end === at || response.rcode === NXDOMAIN) return { records, ttlSeconds: response.negativeTtlSeconds }
      // A resolver that does not follow aliases itself.
      ttlSeconds = Math.min(...ttls)
      at = chain.end
    }
    throw new Error(`more than ${MAX_ALIASES} aliases`)
  }

  async #ask(name: string, type: number): Promise<DnsResponse> {
    const reasons = new Set<string>()
    for (let round = 0; round < ROUNDS; round++) {
      for (const server of this.#options.servers) {
        try {
          const response = await this.#exchange(server, name, type)
          if (response.rcode === NOERROR || response.rcode === NXDOMAIN) return response
          reasons.add(`${formatAddress(server)} says ${RCODE_NAMES[response.rcode] ?? `code ${response.rcode}`}`)
        } catch (error) {
          reasons.add(`${formatAddress(server)}: ${(error as Error).message}`)
        }
      }
    }
    throw new Error(reasons.size === 0 ? 'there is no resolver' : [...reasons].join(', '))
  }

  async #exchange(server: SocketAddress, name: string, type: number): Promise<DnsResponse> {
    const id = randomInt(0x10000)
    const query = encodeQuery(id, name, type)
    const { timeoutMs } = this.#options
    let response: DnsResponse | undefined
    // An answer to something else, forged or late, must not end the waiting for the right one.
    await this.#transport.udp(server, query, timeoutMs, (answer) => (response = parsed(answer, id, name, type)) !== undefined)
    if (response?.isTruncated === false) return response
    return parseResponse(await this.#transport.tcp(server, query, timeoutMs), id, name, type)
  }
}

function parsed(answer: Uint8Array, id: number, name: string, type: number): DnsResponse | undefined {
  try {
    return parseResponse(answer, id, name, type)
  } catch (error) {
    if (error instanceof DnsFormatError) return undefined
    throw error
  }
}

function followAliases(records: readonly DnsRecord[], name: string): { readonly end: string; readonly ttlSeconds: number | undefined } {
  const aliases = new Map(records.filter(({ type }) => type === TYPE.CNAME).map((record) => [record.name, record]))
  let end = name
  let ttlSeconds: number | undefined
  for (let alias = aliases.get(end); alias?.cname !== undefined; alias = aliases.get(end)) {
    aliases.delete(end)
    end = alias.cname
    ttlSeconds = Math.min(ttlSeconds ?? alias.ttlSeconds, alias.ttlSeconds)
  }
  return { end, ttlSeconds }
}
