import { formatAddress, type SocketAddress } from '../../core/index.ts'
import type { TlsClient } from '../../engine/index.ts'
import type { Pool, ProxyProtocolPlan } from '../../pool/index.ts'
import type { DownstreamConnection } from '../downstream.ts'
import { Introduction } from '../introduction.ts'
import { literal } from '../literal.ts'
import type { ProxyWorker } from '../worker.ts'
import { UpstreamConnection } from './connection.ts'

/** Between two warnings about the same server. */
const TELL_INTERVAL_MS = 10_000

export interface UpstreamServerOptions {
  readonly name: string
  readonly address: SocketAddress
  readonly maxIdle: number
  readonly idleTimeoutMs: number
  /** Each connection begins with a header that names its client, and so serves that one only. */
  readonly proxyProtocol: ProxyProtocolPlan | undefined
  /** undefined in the clear. */
  readonly tls: TlsClient | undefined
}

/**
 * One server of a pool as this worker sees it, with the idle connections that the worker keeps to it. The last one used is
 * the first one taken, so that the surplus of a burst falls idle and times out.
 */
export class UpstreamServer {
  readonly worker: ProxyWorker
  readonly address: SocketAddress
  /** What stands in Host where the client sent none. */
  readonly hostBytes: Uint8Array
  name: string
  /** No longer in the Plan: connections finish what they do and are not kept. */
  isRetired = false
  #options: UpstreamServerOptions
  #pool: Pool | null = null
  #index = -1
  #silentUntilMs = 0
  readonly #idle: UpstreamConnection[] = []

  constructor(worker: ProxyWorker, options: UpstreamServerOptions) {
    this.worker = worker
    this.address = options.address
    this.name = options.name
    this.#options = options
    this.hostBytes = literal(options.address.family === 'unix' ? 'localhost' : formatAddress(options.address))
  }

  get proxyProtocol(): ProxyProtocolPlan | undefined {
    return this.#options.proxyProtocol
  }

  /** Takes over the options of a new Plan in which this server still is. */
  update(options: UpstreamServerOptions): void {
    const isSecuredAnew = options.tls !== this.#options.tls
    this.#options = options
    this.name = options.name
    const most = options.proxyProtocol === undefined && !isSecuredAnew ? options.maxIdle : 0
    while (this.#idle.length > most) this.#idle[0].close()
  }

  /** Whose books connections are counted in, and under which index. */
  attach(pool: Pool, index: number): void {
    this.#pool = pool
    this.#index = index
  }

  get tls(): TlsClient | undefined {
    return this.#options.tls
  }

  /** A handshake with it failed; told once in a while. */
  handshakeFailed(reason: string): void {
    const now = this.worker.engine.now()
    if (now < this.#silentUntilMs) return
    this.#silentUntilMs = now + TELL_INTERVAL_MS
    this.worker.warn(`server ${this.#pool?.name ?? ''}/${this.name}: no TLS connection: ${reason}`)
  }

  takeIdle(): UpstreamConnection | null {
    const upstream = this.#idle.pop()
    if (upstream === undefined) return null
    upstream.idleIndex = -1
    return upstream
  }

  /** A connection for that client; null where the server or its pool has as many as it may. */
  connect(timeoutMs: number, client: DownstreamConnection): UpstreamConnection | null {
    if (this.#pool !== null && !this.#pool.openConnection(this.#index)) return null
    const { tls, proxyProtocol } = this.#options
    const upstream = new UpstreamConnection(this)
    const preface = proxyProtocol !== undefined ? new Introduction(proxyProtocol, client.connection, client.proxied) : undefined
    upstream.connection = this.worker.engine.connect(this.address, { timeoutMs, tls, preface }, upstream)
    return upstream
  }

  /** False where the list is full or the server gone: the caller closes the connection. */
  keepIdle(upstream: UpstreamConnection): boolean {
    if (this.#pool !== null && this.#pool.connectionsWanted !== 0) return false
    if (this.isRetired || this.proxyProtocol !== undefined || this.#idle.length >= this.#options.maxIdle) return false
    upstream.idleIndex = this.#idle.push(upstream) - 1
    upstream.armIdle(this.#options.idleTimeoutMs)
    return true
  }

  /** The connection is over. */
  forget(upstream: UpstreamConnection): void {
    if (this.#pool !== null) {
      this.#pool.connectionClosed(this.#index)
      if (this.#pool.limitsConnections) this.worker.connectionWaits.freed(this.#pool)
    }
    const index = upstream.idleIndex
    if (index === -1) return
    upstream.idleIndex = -1
    // Order matters (the last used is taken first), and lists are short.
    this.#idle.splice(index, 1)
    for (let i = index; i < this.#idle.length; i++) this.#idle[i].idleIndex = i
  }

  retire(): void {
    this.isRetired = true
    this.closeIdle()
  }

  /** Whether there was one. */
  closeOldestIdle(): boolean {
    if (this.#idle.length === 0) return false
    this.#idle[0].close()
    return true
  }

  closeIdle(): void {
    while (this.#idle.length > 0) this.#idle[this.#idle.length - 1].close()
  }
}
