import { ClientAddress } from '../../core/index.ts'
import { type CloseReason, type DatagramHandler, type DatagramSocket, Endpoint, Timer, type TimerTarget } from '../../engine/index.ts'
import { type HashKey, type KeySource, NO_KEY, OUTCOME, type Outcome } from '../../pool/index.ts'
import type { ProxiedClient } from '../proxied-client.ts'
import { hashAddress } from '../request-key.ts'
import type { PoolState } from '../upstream/pool-state.ts'
import type { ProxyWorker } from '../worker.ts'
import { makeIntroduction, readDestination } from './introduction.ts'
import type { DatagramPort } from './port.ts'
import type { DatagramSite } from './site.ts'
import { DATAGRAM_DROP, SESSION_END } from './termination.ts'

const destination = new ClientAddress()

/**
 * A client's datagrams and those of the server that they go to. The server is spoken to from a socket of the session's own, so that
 * the kernel lets nobody but this server answer, and the answer belongs to nobody but this client.
 *
 *   first datagram ─▶ in the port's table ──`datagrams` reached──▶ detached: the client's next one begins another session
 *                          └── answers complete, idle, refused, server down ──▶ over ◀──┘
 */
export class DatagramSession implements DatagramHandler, TimerTarget, KeySource {
  readonly worker: ProxyWorker
  readonly port: DatagramPort
  /** The listener's part of the Plan under which the session began. */
  readonly site: DatagramSite
  /** Who sends, and is answered. */
  readonly client = new Endpoint()
  /** Who the datagrams are from, where a balancer in front says so. */
  readonly proxied: ProxiedClient | null
  /** The listener's, or the `sorry` pool of that. */
  pool: PoolState
  readonly startMs: number
  /** In the chain of the port's table. */
  next: DatagramSession | null = null
  serverIndex = -1
  datagramsIn = 0
  datagramsOut = 0
  bytesIn = 0
  bytesOut = 0
  firstByteMs = 0
  termination: number = SESSION_END.EXPIRED
  #server: DatagramSocket | null = null
  /** What each datagram to the server begins with. */
  #introduction: Uint8Array | null = null
  /** Answers that are still to come, where their number is known. */
  #outstanding = 0
  #isDetached = false
  #isReported = false
  readonly #timer: Timer

  constructor(port: DatagramPort, site: DatagramSite, client: Endpoint, proxied: ProxiedClient | null) {
    this.worker = port.listener.worker
    this.port = port
    this.site = site
    this.pool = site.pool
    this.client.copy(client)
    this.proxied = proxied
    this.startMs = this.worker.engine.now()
    this.#timer = new Timer(this)
  }

  /** Whose datagrams they are; family 0 where a balancer in front does not know. */
  get address(): ClientAddress {
    return this.proxied === null ? this.client.address : this.proxied.source
  }

  keyHash(key: HashKey): number {
    if (key.kind === 'source') return hashAddress(key, this.address)
    if (key.kind !== 'destination') return NO_KEY
    if (this.proxied === null) readDestination(this.port.socket, this.client, destination)
    else destination.copy(this.proxied.destination)
    return hashAddress(key, destination)
  }

  /** Whether the listener wants another server for the next datagram, because this one is gone. */
  get isMisplaced(): boolean {
    if (!this.site.reselects) return false
    const server = this.pool.pool.servers[this.serverIndex]
    return server.health === 'down' || server.admin === 'maintenance'
  }

  /** Answers are still expected. */
  get isWaiting(): boolean {
    return this.#outstanding > 0
  }

  /** Opens the socket to the server that was picked and acquired. False where there is none left. */
  open(serverIndex: number): boolean {
    const { pool, servers } = this.pool
    const socket = this.worker.engine.connectDatagrams(servers[serverIndex].address, this)
    if (socket === undefined) return false
    this.serverIndex = serverIndex
    this.#server = socket
    this.#introduction = this.#introduce()
    pool.connectionOpened(serverIndex)
    return true
  }

  /** A datagram of the client. */
  forward(start: number, end: number): void {
    const { site } = this
    this.datagramsIn++
    this.bytesIn += end - start
    if (this.#introduction === null) this.#server?.send(start, end)
    else this.#sendIntroduced(this.#introduction, start, end)
    if (site.responses > 0) this.#outstanding += site.responses
    this.worker.engine.timers.arm(this.#timer, site.idleMs)
    if (site.datagrams === 0 || this.datagramsIn < site.datagrams) return
    this.#isDetached = true
    this.port.table.delete(this)
    if (site.responses === 0) this.end(SESSION_END.SCHEDULED)
  }

  /** A datagram of the server. */
  received(_socket: DatagramSocket, start: number, end: number): void {
    const { site, worker } = this
    if (site.responses !== -1 && this.#outstanding === 0) {
      worker.counters.datagramDropped(site, DATAGRAM_DROP.UNEXPECTED)
      return
    }
    if (this.datagramsOut === 0) this.#answered()
    this.datagramsOut++
    this.bytesOut += end - start
    this.port.socket.sendTo(start, end, this.client)
    if (site.responses !== -1 && --this.#outstanding === 0) this.end(SESSION_END.ANSWERED)
    else worker.engine.timers.arm(this.#timer, site.idleMs)
  }

  failed(_socket: DatagramSocket, _reason: CloseReason): void {
    this.#report(OUTCOME.CONNECT_FAILURE, -1)
    this.end(SESSION_END.REFUSED)
  }

  expired(): void {
    if (this.#outstanding > 0) {
      this.#report(OUTCOME.RESPONSE_TIMEOUT, -1)
      this.end(SESSION_END.UNANSWERED)
    } else this.end(SESSION_END.EXPIRED)
  }

  end(termination: number): void {
    if (this.#server === null) return
    const { pool } = this.pool
    this.termination = termination
    this.#server.close()
    this.#server = null
    this.worker.engine.timers.disarm(this.#timer)
    // Without an answer nothing is known of the server.
    this.#report(OUTCOME.CANCELLED, -1)
    pool.addBytes(this.serverIndex, this.bytesIn, this.bytesOut)
    pool.connectionClosed(this.serverIndex)
    pool.release(this.serverIndex)
    if (!this.#isDetached) this.port.table.delete(this)
    this.worker.counters.sessionEnded(this)
    this.worker.accessLog.writeSession(this)
    this.port.ended(this)
  }

  #introduce(): Uint8Array | null {
    const plan = this.site.proxyProtocol ?? this.pool.proxyProtocol
    if (plan === null) return null
    if (this.proxied !== null) return makeIntroduction(plan, this.proxied, this.proxied)
    const { local } = this.port.socket
    readDestination(this.port.socket, this.client, destination)
    const destinationPort = local.family === 'unix' ? 0 : local.port
    return makeIntroduction(plan, { source: this.client.address, sourcePort: this.client.port, destination, destinationPort }, null)
  }

  /** In a block of its own, because in that of the datagram nothing is free before it. */
  #sendIntroduced(introduction: Uint8Array, start: number, end: number): void {
    const { blocks, memory } = this.worker.engine
    const length = introduction.length + end - start
    const at = length > blocks.blockBytes ? -1 : blocks.take()
    if (at === -1) {
      this.worker.counters.datagramDropped(this.site, DATAGRAM_DROP.OVERLOAD)
      return
    }
    memory.set(introduction, at)
    memory.copyWithin(at + introduction.length, start, end)
    this.#server?.send(at, at + length)
    blocks.release(at)
  }

  #answered(): void {
    this.firstByteMs = this.worker.engine.now()
    this.#report(OUTCOME.SUCCESS, this.firstByteMs - this.startMs)
  }

  #report(outcome: Outcome, latencyMs: number): void {
    if (this.#isReported) return
    this.#isReported = true
    this.pool.pool.report(this.serverIndex, outcome, latencyMs, this.worker.engine.wallClock())
  }
}
