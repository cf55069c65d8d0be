import { ClientAddress } from '../core/index.ts'
import type { CloseReason, Connection, ConnectionHandler, TimerTarget } from '../engine/index.ts'
import { ClientDeadline, VERDICT } from './client-deadline.ts'
import type { Exchange } from './exchange.ts'
import { HeadBuffer } from './head-buffer.ts'
import { identify } from './identify.ts'
import type { ListenerState } from './listener.ts'
import type { ProxiedClient } from './proxied-client.ts'
import { readHead } from './read-head.ts'
import { SliceQueue } from './slice-queue.ts'
import { TERMINATION } from './termination.ts'
import type { ProxyWorker } from './worker.ts'

/** Where a client's connection stands. Each arrival of bytes is read by the phase, see #feed(). */
export const PHASE = { HEAD: 0, BODY: 1, WAIT: 2, TUNNEL: 3, LINGER: 4, CLOSED: 5 } as const

/** Bytes that may wait for their turn (pipelined requests, a body before its server is connected) before reading pauses. */
const STASH_LIMIT_BYTES = 64 * 1024
/** After an answer that closes, what the client still sends is read and dropped up to this limit, so that no RST overtakes the answer. */
const LINGER_LIMIT_BYTES = 1024 * 1024

const UPPER_A = 0x41
const UPPER_Z = 0x5a
const NO_BYTES = new Uint8Array(0)

const PAUSED_BY_STASH = 1
const PAUSED_BY_UPSTREAM = 2

/**
 * A client's HTTP/1.1 connection. It reads one request after the other and lends itself to one exchange at a time.
 *
 *   HEAD ──head complete──▶ BODY ──body complete──▶ WAIT ──response complete──▶ HEAD
 *     │                      │                       └──101──▶ TUNNEL
 *     └── refused ──▶ LINGER ◀┘  (FIN sent; the rest is read and dropped) ──▶ CLOSED
 */
export class DownstreamConnection implements ConnectionHandler, TimerTarget {
  readonly worker: ProxyWorker
  readonly listener: ListenerState
  readonly connection: Connection
  /** Who the connection is from, where a balancer in front has introduced it. */
  readonly proxied: ProxiedClient | null
  /** Over TLS. */
  readonly isSecure: boolean
  /** It speaks HTTP in the clear where TLS is spoken: its request is answered with 400. */
  isMisplaced = false
  phase: number = PHASE.HEAD
  exchange: Exchange | null = null
  requestCount = 0
  /** The worker's: where it stands in the list of connections. */
  place = -1
  /** The client's address, and how it is written into heads; read from the socket with the first request. */
  readonly client = new ClientAddress()
  clientBytes: Uint8Array = NO_BYTES
  forwardedNode: Uint8Array = NO_BYTES
  /** The field line with the subject of the client's certificate; empty where the listener asks for none. */
  subjectLine: Uint8Array = NO_BYTES
  /** The peer is one whose Forwarded and X-Forwarded-* are believed. */
  isTrusted = false
  readonly #deadline: ClientDeadline
  readonly #stash: SliceQueue
  readonly #head: HeadBuffer
  #feeding = false
  #paused = 0
  #hasEnded = false
  #lingeredBytes = 0
  /** The client said that its request is the last one: nothing of it can come behind. */
  #isLastRequest = false

  constructor(worker: ProxyWorker, listener: ListenerState, connection: Connection, proxied: ProxiedClient | null) {
    this.worker = worker
    this.listener = listener
    this.connection = connection
    this.proxied = proxied
    this.isSecure = connection.secure !== null
    this.#deadline = new ClientDeadline(worker.engine.timers, connection, this)
    this.#stash = new SliceQueue(worker.engine.blocks)
    this.#head = new HeadBuffer(worker.engine.blocks)
    worker.remember(this)
    this.#deadline.arm(listener.current.timeouts.requestHeadMs)
  }

  /** Between two requests, with nothing of the next one read. */
  get isIdle(): boolean {
    return this.phase === PHASE.HEAD && this.#head.isEmpty && this.#stash.count === 0
  }

  get hasEnded(): boolean {
    return this.#hasEnded
  }

  opened(): void {}

  received(_connection: Connection, start: number, end: number): void {
    if (this.isMisplaced && this.phase === PHASE.HEAD) {
      this.#refusePlain(start)
      return
    }
    if (this.#feeding || this.#stash.count > 0) {
      this.#keep(start, end)
      return
    }
    this.#feeding = true
    const at = this.#feed(start, end)
    this.#feeding = false
    if (at < end && this.phase !== PHASE.CLOSED) this.#keep(at, end)
  }

  ended(): void {
    this.#hasEnded = true
    if (this.phase === PHASE.TUNNEL) this.exchange?.tunnelEnded(true)
    else if (this.phase === PHASE.LINGER) this.connection.close()
    else if (this.phase === PHASE.HEAD && this.#stash.count === 0) this.#endBetweenRequests()
    else if (this.phase === PHASE.BODY && this.#stash.count === 0) this.exchange?.abort(TERMINATION.CLIENT_ABORTED)
    // In WAIT the client has only closed its sending side (RFC 9112 §9.6): it still gets its answer.
  }

  drained(): void {
    if (this.phase === PHASE.HEAD) {
      this.resumeFeeding()
      return
    }
    if (this.exchange === null) return
    if (this.phase === PHASE.BODY) this.armBody()
    else this.disarm()
    this.exchange.downstreamDrained()
  }

  closed(_connection: Connection, _reason: CloseReason): void {
    this.phase = PHASE.CLOSED
    this.#deadline.disarm()
    this.exchange?.downstreamClosed()
    this.#stash.clear()
    this.#head.release()
    this.worker.forget(this)
    this.listener.closed()
  }

  expired(): void {
    const timeouts = this.listener.current.timeouts
    switch (this.phase) {
      case PHASE.HEAD:
        if (this.connection.queuedBytes > 0) this.#expireStalled(timeouts.sendMs)
        else if (this.#head.isEmpty) this.connection.close()
        else this.refuse(TERMINATION.REQUEST_HEAD_TIMEOUT, 408)
        return
      case PHASE.BODY:
        if (this.connection.isCongested) this.#expireStalled(timeouts.sendMs)
        else this.exchange?.bodyTimedOut()
        return
      case PHASE.WAIT:
      case PHASE.TUNNEL:
        this.#expireStalled(timeouts.sendMs)
        return
      case PHASE.LINGER:
        this.#expireLingering(timeouts.sendMs)
        return
    }
  }

  /** The response is complete and queued. Goes on with the next request, or closes. */
  finished(keepAlive: boolean): void {
    this.exchange = null
    if (this.phase === PHASE.CLOSED) return
    if (!keepAlive) {
      this.linger()
      return
    }
    this.phase = PHASE.HEAD
    this.unpause(PAUSED_BY_UPSTREAM)
    this.#deadline.arm(this.listener.current.timeouts.idleMs)
    this.resumeFeeding()
    if (this.#hasEnded && this.phase === PHASE.HEAD && this.#stash.count === 0) this.#endBetweenRequests()
  }

  /**
   * Sends FIN behind what is queued, then reads and drops what still comes for a while (RFC 9112 §9.6). Where nothing can come
   * any more the connection is closed instead, which spares the waiting.
   */
  linger(): void {
    if (this.phase === PHASE.CLOSED) return
    const isOver = this.#hasEnded || (this.#isLastRequest && this.phase === PHASE.WAIT && this.#stash.count === 0)
    this.phase = PHASE.LINGER
    this.#stash.clear()
    this.#head.release()
    if (isOver) this.connection.close()
    else this.connection.end()
    this.#paused = 0
    this.connection.resume()
    this.#deadline.armLinger()
  }

  /** Reads what waited in the stash, as far as the phase allows. */
  resumeFeeding(): void {
    if (this.#feeding) return
    this.#feeding = true
    while (this.#stash.count > 0) {
      const end = this.#stash.end
      const at = this.#feed(this.#stash.start, end)
      if (this.#stash.count === 0) break
      if (at !== this.#stash.start) this.#stash.consume(at)
      if (at < end) break
    }
    this.#feeding = false
    if (this.#stash.bytes < STASH_LIMIT_BYTES) this.unpause(PAUSED_BY_STASH)
    if (this.#hasEnded && this.phase === PHASE.BODY && this.#stash.count === 0) this.exchange?.abort(TERMINATION.CLIENT_ABORTED)
  }

  pauseForUpstream(): void {
    this.#pause(PAUSED_BY_UPSTREAM)
    this.disarm()
  }

  resumeForUpstream(): void {
    this.unpause(PAUSED_BY_UPSTREAM)
    if (this.phase === PHASE.BODY) this.armBody()
    this.resumeFeeding()
  }

  unpause(reason: number): void {
    if ((this.#paused & reason) === 0) return
    this.#paused &= ~reason
    if (this.#paused === 0) this.connection.resume()
  }

  /** A head has begun to arrive. */
  armHead(): void {
    this.#deadline.arm(this.listener.current.timeouts.requestHeadMs)
  }

  armBody(): void {
    this.#deadline.arm(this.exchange?.route?.timeouts.requestBodyMs ?? this.listener.current.timeouts.requestBodyMs)
  }

  /** The client does not take its response: from now on it has the send time-out to go on. */
  armStalled(): void {
    this.#deadline.arm(this.listener.current.timeouts.sendMs)
  }

  disarm(): void {
    this.#deadline.disarm()
  }

  /** A request's head is complete. */
  begin(exchange: Exchange, headStart: number): void {
    if (this.requestCount++ === 0) identify(this)
    this.exchange = exchange
    this.phase = PHASE.BODY
    this.#isLastRequest = !exchange.request.keepAlive
    exchange.begin(headStart)
  }

  /** Answers a request whose head could not be read, and closes. */
  refuse(termination: number, status: number, sentence?: string): void {
    const exchange = this.exchange ?? this.worker.takeExchange(this)
    this.exchange = exchange
    exchange.refuse(termination, status, sentence)
  }

  #feed(start: number, end: number): number {
    let at = start
    while (at < end) {
      let next = at
      switch (this.phase) {
        case PHASE.HEAD:
          // Who sends requests without reading answers waits, or its answers would fill the memory.
          if (this.connection.isCongested) return at
          next = readHead(this, this.#head, at, end)
          break
        case PHASE.BODY:
          next = (this.exchange as Exchange).readBody(at, end)
          break
        case PHASE.WAIT:
          return at
        case PHASE.TUNNEL:
          next = (this.exchange as Exchange).tunnelUp(at, end)
          break
        default:
          this.#drop(end - at)
          return end
      }
      if (next === at) return at
      at = next
    }
    return at
  }

  /** Only what looks like a method gets an answer; the rest is none of HTTP. */
  #refusePlain(start: number): void {
    const first = this.worker.engine.memory[start]
    if (first < UPPER_A || first > UPPER_Z) this.connection.reset()
    else this.refuse(TERMINATION.REQUEST_REFUSED, 400, 'This port speaks HTTPS, and the request came in the clear: use https://.')
  }

  #keep(start: number, end: number): void {
    this.#stash.push(start, end)
    if (this.#stash.bytes >= STASH_LIMIT_BYTES) this.#pause(PAUSED_BY_STASH)
  }

  #pause(reason: number): void {
    if (this.#paused === 0) this.connection.pause()
    this.#paused |= reason
  }

  #drop(bytes: number): void {
    this.#lingeredBytes += bytes
    if (this.phase === PHASE.LINGER && this.#lingeredBytes > LINGER_LIMIT_BYTES) this.connection.reset()
  }

  #endBetweenRequests(): void {
    // A head that was cut off gets no answer: there is nobody left who could make sense of one.
    this.#head.release()
    this.connection.close()
  }

  #expireStalled(sendMs: number): void {
    if (this.#deadline.judgeStalled(sendMs) === VERDICT.WAIT) return
    if (this.exchange !== null) this.exchange.abort(TERMINATION.CLIENT_STALLED)
    else this.connection.reset()
  }

  #expireLingering(sendMs: number): void {
    const verdict = this.#deadline.judgeLingering(sendMs)
    if (verdict === VERDICT.CLOSE) this.connection.close()
    else if (verdict === VERDICT.RESET) this.connection.reset()
  }
}
