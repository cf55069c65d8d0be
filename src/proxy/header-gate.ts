import { type CidrSet, ClientAddress } from '../core/index.ts'
import { type CloseReason, type Connection, type ConnectionHandler, Timer, type TimerTarget } from '../engine/index.ts'
import { HeadBuffer } from './head-buffer.ts'
import type { ConnectionSite } from './listener.ts'
import { ProxiedClient } from './proxied-client.ts'
import { MAX_HEADER_BYTES, ProxyHeader, parseProxyHeader } from './proxy-protocol/index.ts'
import type { ProxyWorker } from './worker.ts'

/** Whose headers a listener reads; compiled from AcceptProxyProtocolPlan. */
export interface HeaderPolicy {
  readonly from: CidrSet
  readonly takesOthers: boolean
  readonly timeoutMs: number
}

/** Why a connection was refused before it got to its listener. */
export const HEADER_REFUSAL = { UNTRUSTED: 0, MALFORMED: 1, TIMEOUT: 2 } as const
export const HEADER_REFUSALS = ['proxy-header-untrusted', 'proxy-header-malformed', 'proxy-header-timeout'] as const

/** The listener that a connection belongs to. */
export interface GatedListener {
  readonly worker: ProxyWorker
  readonly current: ConnectionSite
  serve(connection: Connection, proxied: ProxiedClient | null, start: number, end: number): ConnectionHandler
  closed(): void
}

const header = new ProxyHeader()

/**
 * Reads the header of the PROXY protocol that stands before the first byte of a connection, then hands the connection over,
 * introduced, to whoever serves the listener, with the bytes that came behind it.
 *
 *   from a trusted peer ──header complete──▶ served as the client of the header
 *          └── malformed, late ──▶ reset, counted, logged
 *   from any other peer ──▶ reset, or served as it is
 */
export class HeaderGate implements ConnectionHandler, TimerTarget {
  readonly #listener: GatedListener
  readonly #connection: Connection
  readonly #head: HeadBuffer
  readonly #timer: Timer
  readonly #peer = new ClientAddress()
  #isOver = false

  constructor(listener: GatedListener, connection: Connection) {
    this.#listener = listener
    this.#connection = connection
    this.#head = new HeadBuffer(listener.worker.engine.blocks)
    this.#timer = new Timer(this)
  }

  /** The handler of a connection that was just accepted. */
  begin(policy: HeaderPolicy): ConnectionHandler {
    this.#connection.readRemoteIp(this.#peer)
    if (policy.from.contains(this.#peer)) this.#listener.worker.engine.timers.arm(this.#timer, policy.timeoutMs)
    else if (policy.takesOthers) return this.#listener.serve(this.#connection, null, 0, 0)
    else this.#refuse(HEADER_REFUSAL.UNTRUSTED)
    return this
  }

  opened(): void {}

  received(_connection: Connection, start: number, end: number): void {
    if (this.#isOver) return
    const { memory } = this.#listener.worker.engine
    if (this.#head.isEmpty) {
      const result = parseProxyHeader(memory, start, end, header)
      if (result > 0) this.#handOver(result, end)
      else if (result < 0) this.#refuse(HEADER_REFUSAL.MALFORMED)
      else if (this.#head.append(start, end) === -1) this.#refuse(HEADER_REFUSAL.TIMEOUT)
      return
    }
    const taken = this.#head.append(start, Math.min(end, start + MAX_HEADER_BYTES))
    const result = parseProxyHeader(memory, this.#head.start, this.#head.end, header)
    // What is behind the header lies in the slice that has just come.
    if (result > 0) this.#handOver(taken - (this.#head.end - result), end)
    else if (result < 0) this.#refuse(HEADER_REFUSAL.MALFORMED)
  }

  ended(): void {
    if (!this.#isOver) this.#refuse(HEADER_REFUSAL.MALFORMED)
  }

  drained(): void {}

  closed(_connection: Connection, _reason: CloseReason): void {
    this.#release()
    this.#listener.closed()
  }

  expired(): void {
    this.#refuse(HEADER_REFUSAL.TIMEOUT)
  }

  #handOver(at: number, end: number): void {
    const { memory } = this.#listener.worker.engine
    const proxied = header.isLocal ? null : new ProxiedClient(header, memory)
    this.#release()
    this.#listener.serve(this.#connection, proxied, at, end)
  }

  #refuse(refusal: number): void {
    const { worker, current } = this.#listener
    worker.counters.headerRefused(current, refusal)
    worker.accessLog.writeRefused(current.name, this.#peer, HEADER_REFUSALS[refusal], this.#connection.receivedBytes)
    this.#release()
    this.#connection.reset()
  }

  #release(): void {
    this.#isOver = true
    this.#head.release()
    this.#listener.worker.engine.timers.disarm(this.#timer)
  }
}
