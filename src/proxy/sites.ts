import { formatAddress, type SocketAddress } from '../core/index.ts'
import type { Listener, TlsChallenges, TlsClient } from '../engine/index.ts'
import type { PoolPlan, SlotAssignment } from '../pool/index.ts'
import { type CompiledPlan, compilePlan, type ProxyPlan } from './build.ts'
import type { ListenerPlan, UdpListenerPlan } from './config.ts'
import { DatagramSites, type PreparedPorts } from './datagram/sites.ts'
import { type ConnectionSite, ListenerState, serveHttp, serveStream } from './listener.ts'
import type { ProxySeries } from './metrics.ts'
import type { ListenerSite } from './site.ts'
import { keptSocket, socketKey } from './socket-key.ts'
import type { StreamSite } from './stream/site.ts'
import type { TlsFiles } from './tls-plan.ts'
import { TlsServers } from './tls-servers.ts'
import { TlsSites } from './tls-sites.ts'
import { UpstreamServer, type UpstreamServerOptions } from './upstream/server.ts'
import type { ProxyWorker } from './worker.ts'

type AnyListener = ListenerState<ListenerSite> | ListenerState<StreamSite>

interface Socket {
  readonly listener: Listener
  /** Who gets its connections; null while the Plan that asked for it is not in force. */
  owner: AnyListener | null
}

/** A Plan that is compiled and whose new addresses are bound, waiting for commit or rollback. */
export interface PreparedSites {
  readonly compiled: CompiledPlan
  /** By address as the configuration writes it. Bound already, or bound for this Plan. */
  readonly sockets: ReadonlyMap<string, Socket>
  readonly ports: PreparedPorts
  readonly servers: ReadonlyMap<string, UpstreamServer>
  readonly plan: ProxyPlan
  readonly tls: ReturnType<TlsSites['prepare']>
  readonly tlsServers: ReturnType<TlsServers['prepare']>
}

/**
 * Listeners, servers and compiled Plan of one worker, and how they pass from one Plan to the next:
 * prepare() binds what is new and changes nothing, commit() switches, rollback() unbinds.
 */
export class Sites {
  readonly #worker: ProxyWorker
  /** By kind and name. */
  #listeners = new Map<string, AnyListener>()
  #sockets: ReadonlyMap<string, Socket> = new Map()
  #servers: ReadonlyMap<string, UpstreamServer> = new Map()

  readonly #tls: TlsSites
  readonly #tlsServers: TlsServers
  readonly #datagrams: DatagramSites

  constructor(worker: ProxyWorker) {
    this.#worker = worker
    this.#tls = new TlsSites(worker.engine)
    this.#tlsServers = new TlsServers(worker.engine)
    this.#datagrams = new DatagramSites(worker)
  }

  /** Rejects with EvenerError LISTEN_* when an address cannot be bound; then nothing has changed. */
  async prepare(plan: ProxyPlan, slots: SlotAssignment, series: ProxySeries, files: TlsFiles): Promise<PreparedSites> {
    const servers = new Map<string, UpstreamServer>()
    const tlsServers = this.#tlsServers.prepare(plan.pools, files, serverKey)
    const compiled = compilePlan(this.#worker, plan, slots, series, (pool, index) => {
      const key = serverKey(pool, index)
      const server = this.#servers.get(key) ?? new UpstreamServer(this.#worker, optionsOf(pool, index, tlsServers.get(key)?.client))
      servers.set(key, server)
      return server
    })
    const sockets = new Map<string, Socket>()
    const tls = this.#tls.prepare(plan.listeners.filter(isAccepting), files, plan.accessLog)
    const prepared = { compiled, sockets, servers, plan, tls, tlsServers, ports: new Map() as PreparedPorts }
    try {
      for (const { name, bind } of plan.listeners.filter(isAccepting)) {
        for (const [position, address] of bind.entries()) await this.#bind(socketKey(name, position, address), address, sockets)
      }
      return { ...prepared, ports: await this.#datagrams.prepare(plan.listeners.filter(isUdp)) }
    } catch (error) {
      this.rollback(prepared)
      throw error
    }
  }

  rollback(prepared: PreparedSites): void {
    this.#tls.rollback(prepared.tls)
    this.#tlsServers.rollback(prepared.tlsServers)
    this.#datagrams.rollback(prepared.ports)
    const inForce = new Set(this.#sockets.values())
    for (const socket of prepared.sockets.values()) if (!inForce.has(socket)) void socket.listener.close()
  }

  commit(prepared: PreparedSites): void {
    const { compiled, sockets, servers, plan, tls, tlsServers, ports } = prepared
    for (const pool of plan.pools) {
      for (const index of pool.servers.keys()) {
        const key = serverKey(pool, index)
        servers.get(key)?.update(optionsOf(pool, index, tlsServers.get(key)?.client))
      }
    }
    for (const state of compiled.pools) {
      state.pool.begin()
      for (const [index, server] of state.servers.entries()) server.attach(state.pool, index)
    }
    this.#worker.planUses.begin(compiled.use)
    this.#worker.connectionWaits.watch(compiled.pools)
    const isWatched = plan.listeners.some((listener) => listener.kind === 'http' && listener.onServerDown === 'reset')
    this.#worker.downWatch.watch(isWatched ? compiled.pools : [])
    this.#commitListeners(compiled.sites, plan, sockets)
    this.#datagrams.commit(plan.listeners.filter(isUdp), compiled.datagrams, ports)
    for (const { name, bind, kind, ...listener } of plan.listeners) {
      if (kind === 'udp') continue
      const server = tls.get(name)?.server
      const isIntroduced = 'acceptProxyProtocol' in listener && listener.acceptProxyProtocol !== undefined
      const state = this.#listeners.get(`${kind} ${name}`)
      if (state !== undefined) state.tls = isIntroduced ? server : undefined
      for (const [position, address] of bind.entries()) {
        sockets.get(socketKey(name, position, address))?.listener.secure(isIntroduced ? undefined : server)
      }
    }
    this.#tls.commit(tls)
    this.#tlsServers.commit(tlsServers)
    const kept = new Set(sockets.values())
    for (const socket of this.#sockets.values()) if (!kept.has(socket)) void socket.listener.close()
    for (const [key, server] of this.#servers) if (servers.get(key) !== server) server.retire()
    this.#sockets = sockets
    this.#servers = servers
  }

  /** Stops listening; connections go on. Resolves when those are there, too, that were waiting to be accepted. */
  async close(): Promise<void> {
    const closed = [...this.#sockets.values()].map((socket) => socket.listener.close())
    this.#sockets = new Map()
    this.#datagrams.close()
    for (const listener of this.#listeners.values()) listener.dropParked()
    await Promise.all(closed)
  }

  /** Authorities that ask for these names are answered in the handshake, by every listener with TLS. */
  challenge(challenges: TlsChallenges): void {
    this.#tls.challenge(challenges)
  }

  /** Full listeners look for places. */
  admit(): void {
    for (const listener of this.#listeners.values()) listener.admit()
  }

  /** The addresses that each listener is bound to. */
  addressesOf(prepared: PreparedSites): Readonly<Record<string, readonly string[]>> {
    const all = (listener: ListenerPlan): string[] => {
      if (listener.kind === 'udp') return this.#datagrams.addressesOf(listener, prepared.ports)
      return listener.bind.map((address, position) => {
        const socket = prepared.sockets.get(socketKey(listener.name, position, address))
        return formatAddress(socket === undefined ? address : socket.listener.address)
      })
    }
    return Object.fromEntries(prepared.plan.listeners.map((listener) => [listener.name, all(listener)]))
  }

  #commitListeners(sites: readonly ConnectionSite[], plan: ProxyPlan, sockets: ReadonlyMap<string, Socket>): void {
    const listeners = new Map<string, AnyListener>()
    const plans = plan.listeners.filter(isAccepting)
    for (const [index, site] of sites.entries()) {
      const state = this.#stateOf(site)
      listeners.set(`${site.kind} ${site.name}`, state)
      const { name, bind } = plans[index]
      const own = bind.flatMap((address, position) => sockets.get(socketKey(name, position, address)) ?? [])
      for (const socket of own) socket.owner = state
      state.replaceSockets(own.map((socket) => socket.listener))
      state.admit()
    }
    for (const [name, state] of this.#listeners) if (!listeners.has(name)) state.isRetired = true
    this.#listeners = listeners
  }

  /** The listener of that kind and name with the site in force, or a new one. */
  #stateOf(site: ConnectionSite): AnyListener {
    const known = this.#listeners.get(`${site.kind} ${site.name}`)
    if (known === undefined) {
      if (site.kind === 'http') return new ListenerState(this.#worker, site.name, site, serveHttp)
      return new ListenerState(this.#worker, site.name, site, serveStream)
    }
    ;(known as ListenerState<ConnectionSite>).current = site
    return known
  }

  async #bind(key: string, address: SocketAddress, sockets: Map<string, Socket>): Promise<void> {
    // A Unix socket has one listener; its connections are served by the first worker.
    if (address.family === 'unix' && this.#worker.index > 0) return
    const kept = keptSocket(this.#sockets, key, ({ listener }) => listener.address)
    if (kept !== undefined) {
      sockets.set(key, kept)
      return
    }
    const socket: { listener: Listener; owner: AnyListener | null } = { listener: undefined as never, owner: null }
    socket.listener = await this.#worker.engine.listen(
      {
        address,
        reusePort: address.family !== 'unix' && this.#worker.sharesPorts,
        plaintext: (connection) => socket.owner?.acceptPlain(connection),
        handshakeFailed: () => socket.owner?.handshakeFailed(),
      },
      (connection) => socket.owner?.accept(connection),
    )
    sockets.set(key, socket)
  }
}

function isAccepting(listener: ListenerPlan): listener is Exclude<ListenerPlan, UdpListenerPlan> {
  return listener.kind !== 'udp'
}

function isUdp(listener: ListenerPlan): listener is UdpListenerPlan {
  return listener.kind === 'udp'
}

function serverKey(pool: PoolPlan, index: number): string {
  return `${pool.name}\n${pool.servers[index].name}\n${formatAddress(pool.servers[index].address)}`
}

function optionsOf(pool: PoolPlan, index: number, tls: TlsClient | undefined): UpstreamServerOptions {
  const { name, address } = pool.servers[index]
  return {
    name,
    address,
    maxIdle: pool.keepAlive.maxIdle,
    idleTimeoutMs: pool.keepAlive.idleTimeoutMs,
    proxyProtocol: pool.proxyProtocol,
    tls,
  }
}
