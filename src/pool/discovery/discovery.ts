import { type Clock, formatAddress, type SocketAddress, systemClock } from '../../core/index.ts'
import { type CheckDelay, systemDelay } from '../check/connect.ts'
import type { ServerPlan } from '../plan.ts'
import { readServers } from '../server-option.ts'
import { type DnsTransport, Resolver } from './dns/resolver.ts'
import { dnsServers } from './dns/servers.ts'
import type { DiscoveryPlan, FileDiscoveryPlan, HttpDiscoveryPlan } from './plan.ts'
import { type AskSource, type DiscoveryAnswer, Source, type SourceEvent } from './source.ts'

/** How sources are reached; the control thread brings these. */
export interface DiscoveryAccess {
  readonly dns: DnsTransport
  /** Of the system, asked anew each time. */
  systemResolvers(): readonly SocketAddress[]
  /** The list in the file, not yet checked. Rejects with words. */
  readFile(plan: FileDiscoveryPlan): Promise<unknown>
  /** The list that the endpoint answers with, not yet checked. Rejects with words. */
  fetch(plan: HttpDiscoveryPlan): Promise<unknown>
}

export interface DiscoveryOptions {
  readonly access: DiscoveryAccess
  readonly delay?: CheckDelay
  readonly clock?: Clock
}

/** What of a pool concerns discovery. */
export interface DiscoveringPool {
  readonly name: string
  readonly discover: readonly DiscoveryPlan[] | undefined
}

export type DiscoveryEvent = SourceEvent & { readonly pool: string }

/** A source of a pool, as status shows it. */
export interface SourceStatus {
  readonly source: string
  readonly servers: number
  /** Why the last question failed; null when it did not. */
  readonly failure: string | null
  /** Milliseconds since the epoch; 0 before the first answer. */
  readonly answeredAtMs: number
}

/** More servers than a list may ever have; the source itself cuts earlier, and tells. */
const MAX_LISTED = 8192

/**
 * The servers that pools find for themselves: by DNS, from files, from HTTP endpoints. It only knows them; who subscribes puts
 * them into force. A source that stays over a reload keeps what it knows.
 */
export class Discovery {
  readonly #access: DiscoveryAccess
  readonly #delay: CheckDelay
  readonly #clock: Clock
  readonly #listeners = new Set<(event: DiscoveryEvent) => void>()
  #sources = new Map<string, Source>()
  #byPool = new Map<string, readonly Source[]>()
  /** Of the plan in force, while another is prepared. */
  #before = { sources: this.#sources, byPool: this.#byPool }

  constructor(options: DiscoveryOptions) {
    this.#access = options.access
    this.#delay = options.delay ?? systemDelay
    this.#clock = options.clock ?? systemClock
  }

  /**
   * The sources of a plan: those that stay go on, new ones are asked at once. The others end with commit(), when the plan is in force;
   * rollback() ends the new ones instead, and everything is as before.
   */
  prepare(pools: readonly DiscoveringPool[]): void {
    this.#before = { sources: this.#sources, byPool: this.#byPool }
    const before = this.#sources
    this.#sources = new Map()
    this.#byPool = new Map()
    for (const { name, discover } of pools) {
      const own = (discover ?? []).map((plan) => {
        const key = JSON.stringify([name, plan])
        const source = before.get(key) ?? this.#make(name, plan)
        this.#sources.set(key, source)
        if (!before.has(key)) source.start()
        return source
      })
      if (own.length > 0) this.#byPool.set(name, own)
    }
  }

  commit(): void {
    for (const [key, source] of this.#before.sources) if (!this.#sources.has(key)) source.close()
    this.#before = { sources: this.#sources, byPool: this.#byPool }
  }

  rollback(): void {
    const { sources, byPool } = this.#before
    for (const [key, source] of this.#sources) if (!sources.has(key)) source.close()
    this.#sources = sources
    this.#byPool = byPool
  }

  /** Resolves once every source was asked, with whatever success, or after `limitMs`. */
  async settled(limitMs: number): Promise<void> {
    const limit = Promise.withResolvers<void>()
    const cancel = this.#delay(limitMs, limit.resolve)
    await Promise.race([Promise.all([...this.#sources.values()].map((source) => source.asked)), limit.promise])
    cancel()
  }

  /** What a pool's sources found, with the source of each; a server that several know is the first one's. */
  serversOf(pool: string): ReadonlyMap<string, { readonly server: ServerPlan; readonly source: string }> {
    const found = new Map<string, { readonly server: ServerPlan; readonly source: string }>()
    for (const source of this.#byPool.get(pool) ?? []) {
      for (const server of source.servers) if (!found.has(server.name)) found.set(server.name, { server, source: source.name })
    }
    return found
  }

  statusOf(pool: string): SourceStatus[] {
    return (this.#byPool.get(pool) ?? []).map(({ name, servers, failure, answeredAtMs }) => ({
      source: name,
      servers: servers.length,
      failure: failure === '' ? null : failure,
      answeredAtMs,
    }))
  }

  /** Calls `listener` after each event until the returned function is called. */
  subscribe(listener: (event: DiscoveryEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  close(): void {
    for (const { sources } of [this.#before, { sources: this.#sources }]) for (const source of sources.values()) source.close()
    this.#sources.clear()
    this.#byPool.clear()
  }

  #make(pool: string, plan: DiscoveryPlan): Source {
    return new Source(this.#askerOf(plan), {
      name: nameOf(plan),
      mayEmpty: plan.mayEmpty,
      delay: this.#delay,
      wallClock: () => this.#clock.wallClock(),
      tell: (event) => {
        for (const listener of this.#listeners) listener({ ...event, pool })
      },
    })
  }

  #askerOf(plan: DiscoveryPlan): AskSource {
    const access = this.#access
    switch (plan.kind) {
      case 'dns':
        return async () => {
          const servers = plan.resolvers.length > 0 ? plan.resolvers : access.systemResolvers()
          return dnsServers(new Resolver(access.dns, { servers, timeoutMs: plan.timeoutMs }), plan)
        }
      case 'file':
        return async () => listed(await access.readFile(plan), plan.intervalMs)
      case 'http':
        return async () => listed(await access.fetch(plan), plan.intervalMs)
    }
  }
}

/** A list, or a map with the list under "servers". */
function listed(value: unknown, validForMs: number): DiscoveryAnswer {
  const list = typeof value === 'object' && value !== null && 'servers' in value ? value.servers : value
  const servers = readServers(list, MAX_LISTED)
  if (typeof servers === 'string') throw new Error(servers)
  return { servers, validForMs }
}

function nameOf(plan: DiscoveryPlan): string {
  switch (plan.kind) {
    case 'dns':
      return `dns ${plan.record === 'address' ? '' : `${plan.record} `}${plan.name}${plan.resolvers.map((server) => ` @${formatAddress(server)}`).join('')}`
    case 'file':
      return `file ${plan.path}`
    case 'http':
      // What stands behind the path may be a secret.
      return `http ${new URL(plan.url).origin}${new URL(plan.url).pathname}`
  }
}
