import { ClientAddress } from '../../core/index.ts'
import {
  type CloseReason,
  type Connection,
  type ConnectionHandler,
  type SpliceObserver,
  Timer,
  type TimerTarget,
} from '../../engine/index.ts'
import type { HashKey, KeySource, PickContext } from '../../pool/index.ts'
import { NO_LOG } from '../exchange-log.ts'
import type { ListenerState } from '../listener.ts'
import type { ProxiedClient } from '../proxied-client.ts'
import type { ProxyWorker } from '../worker.ts'
import type { ClientHelloReader } from './client-hello.ts'
import { keyHashOf } from './key.ts'
import type { StreamFacts } from './match.ts'
import { connected, connectFailed, giveUp, leaveQueue, releaseServer, type StreamWait } from './open.ts'
import { beginPreface, endPreface, readPreface } from './preface.ts'
import type { StreamRoute, StreamSite } from './site.ts'
import { Stash } from './stash.ts'
import { STREAM_END } from './termination.ts'

/** Where a stream stands. */
export const STREAM_PHASE = { OPENING: 0, CONNECTING: 1, OPEN: 2, CLOSING: 3 } as const

/** Bytes that may wait for a server before reading the client pauses. */
const STASH_LIMIT_BYTES = 64 * 1024
/** Pieces of this length are long, and one that is shorter counts against as many bytes. */
const LONG_BYTES = 24 * 1024
/** After so many bytes in long pieces a direction is spliced; twice as many each time that it turns out to have been too early. */
const SPLICE_AFTER_BYTES = 64 * 1024
const NO_PROTOCOLS: readonly string[] = []
/** How long both sides' last bytes may take where no time-out says anything else. */
const FLUSH_MS = 60_000

/**
 * A client's TCP connection and the one to its server, which are one thing here: bytes of one side are sent to the other out of
 * the block that they arrived in, a FIN is passed on as a FIN, and a side that is not read makes the other one wait.
 *
 *   OPENING ──route, pick──▶ CONNECTING ──▶ OPEN ──both sides ended, or a failure──▶ CLOSING ──both closed──▶ over
 *      │                       │    └─ connect failed: another server
 *      └── no route, no server ┴────────────────────────────────────────────────────▶ CLOSING
 *
 * It is the handler of both connections, so that a connection of a client costs two objects and not four.
 */
export class Stream implements ConnectionHandler, SpliceObserver, TimerTarget, KeySource, StreamFacts {
  readonly worker: ProxyWorker
  readonly listener: ListenerState<StreamSite>
  /** The listener's part of the Plan under which the stream began; a reload does not change it. */
  readonly site: StreamSite
  readonly client: Connection
  /** Who the connection is from, where a balancer in front has introduced it. */
  readonly proxied: ProxiedClient | null
  readonly timer: Timer
  server: Connection | null = null
  phase: number = STREAM_PHASE.OPENING
  route: StreamRoute | null = null
  /** Of the last attempt, in the pool's order; -1 before the first. */
  serverIndex = -1
  /** The pool counts the stream as active on that server. */
  isAcquired = false
  /** While a server is looked for. */
  pick: PickContext | null = null
  /** Its place in the pool's queue, if it had to take one. */
  wait: StreamWait | null = null
  /** The client's bytes that came before its server was there. */
  stash: Stash | null = null
  /** While the ClientHello is still to come. */
  hello: ClientHelloReader | null = null
  /** What the client's TLS said, where somebody has to know it. */
  serverName = ''
  protocols: readonly string[] = NO_PROTOCOLS
  hasClientEnded = false
  hasServerEnded = false
  attempts = 0
  attemptMs = 0
  firstByteMs = 0
  bytesOut = 0
  /** Of both ways. */
  splicedBytes = 0
  termination: number = STREAM_END.COMPLETE
  readonly startMs: number
  /** Who the client is; read from the socket when somebody asks first. */
  readonly #address = new ClientAddress()
  #isIdentified = false
  /** Milliseconds without a sign of life that end the stream; 0 for none. */
  #silenceMs = 0
  #sentAtExpiry = -1
  #isClientClosed = false
  /** Bytes that came in long pieces, each way. */
  #longIn = 0
  #longOut = 0
  #spliceAfter = SPLICE_AFTER_BYTES
  /** What had been spliced when it was asked for last. */
  #splicedBefore = 0

  constructor(worker: ProxyWorker, listener: ListenerState<StreamSite>, client: Connection, proxied: ProxiedClient | null) {
    this.worker = worker
    this.listener = listener
    this.site = listener.current
    this.client = client
    this.proxied = proxied
    this.timer = new Timer(this)
    this.startMs = worker.engine.now()
  }

  get bytesIn(): number {
    return this.client.receivedBytes
  }

  /** The client's address. Asked for before it is too late: a socket that was reset does not know its peer any more. */
  get address(): ClientAddress {
    if (!this.#isIdentified) {
      this.#isIdentified = true
      if (this.proxied === null) this.client.readRemoteIp(this.#address)
      else this.#address.copy(this.proxied.source)
    }
    return this.#address
  }

  keyHash(key: HashKey): number {
    return keyHashOf(this, key)
  }

  /** Looks for a server at once, if it can: the protocol may be one in which the server speaks first. */
  begin(): void {
    this.site.use.exchanges++
    this.worker.streams.add(this)
    if (this.worker.accessLog !== NO_LOG) void this.address
    beginPreface(this)
  }

  opened(): void {
    connected(this)
  }

  received(connection: Connection, start: number, end: number): void {
    if (this.phase === STREAM_PHASE.OPEN) {
      const isClient = connection === this.client
      const other = isClient ? (this.server as Connection) : this.client
      if (!isClient && this.firstByteMs === 0) this.firstByteMs = this.worker.engine.now()
      other.send(start, end)
      this.#carried(connection, other, end - start)
      if (other.isCongested) connection.pause()
      if (this.#silenceMs !== 0) this.worker.engine.timers.arm(this.timer, this.#silenceMs)
    } else if (this.phase < STREAM_PHASE.OPEN) {
      this.#keep(start, end)
      if (this.hello !== null) readPreface(this, start, end)
    }
  }

  spliced(source: Connection, count: number): void {
    this.splicedBytes += count
    if (source !== this.client && this.firstByteMs === 0) this.firstByteMs = this.worker.engine.now()
    if (this.#silenceMs !== 0) this.worker.engine.timers.arm(this.timer, this.#silenceMs)
  }

  ended(connection: Connection): void {
    if (connection === this.client) this.hasClientEnded = true
    else this.hasServerEnded = true
    if (this.phase !== STREAM_PHASE.OPEN) {
      endPreface(this)
      return
    }
    if (connection === this.client) this.server?.end()
    else this.client.end()
    this.armSilence()
  }

  drained(connection: Connection): void {
    if (connection === this.client) this.server?.resume()
    else this.client.resume()
  }

  closed(connection: Connection, reason: CloseReason): void {
    if (connection === this.client) this.#clientClosed(reason)
    else this.#serverClosed(reason)
    if (this.#isClientClosed && this.server === null) this.#finish()
  }

  expired(): void {
    const sent = this.client.sentBytes + (this.server?.sentBytes ?? 0)
    const isWaiting = this.client.queuedBytes > 0 || (this.server !== null && this.server.queuedBytes > 0)
    // A peer that takes its bytes slowly is alive.
    if (isWaiting && sent !== this.#sentAtExpiry && this.#silenceMs !== 0) {
      this.#sentAtExpiry = sent
      this.worker.engine.timers.arm(this.timer, this.#silenceMs)
      return
    }
    if (this.phase < STREAM_PHASE.CONNECTING) giveUp(this, STREAM_END.PREFACE_TIMEOUT)
    else this.abort(this.hasClientEnded || this.hasServerEnded ? STREAM_END.HALF_CLOSED_TIMEOUT : STREAM_END.IDLE_TIMEOUT)
  }

  /** Sets the time-out that holds from now on. */
  armSilence(): void {
    const { idleMs, afterClientEndMs, afterServerEndMs } = this.site.timeouts
    if (this.hasClientEnded && this.hasServerEnded) this.#silenceMs = afterServerEndMs === 0 ? FLUSH_MS : afterServerEndMs
    else this.#silenceMs = this.hasClientEnded ? afterClientEndMs : this.hasServerEnded ? afterServerEndMs : idleMs
    const { timers } = this.worker.engine
    if (this.#silenceMs === 0) timers.disarm(this.timer)
    else timers.arm(this.timer, this.#silenceMs)
  }

  /** Ends both sides at once; what is queued is lost, and both peers see that. */
  abort(termination: number): void {
    if (this.phase === STREAM_PHASE.CLOSING) {
      this.client.reset()
      this.server?.reset()
      return
    }
    this.#beginClosing(termination)
    this.client.reset()
    this.server?.reset()
  }

  /** The server's connection is over: its bytes are counted, and the pool forgets it. */
  forgetServer(): void {
    const server = this.server as Connection
    this.server = null
    this.bytesOut += server.receivedBytes
    const { pool } = (this.route as StreamRoute).pool
    pool.connectionClosed(this.serverIndex)
    pool.addBytes(this.serverIndex, server.sentBytes, server.receivedBytes)
  }

  #clientClosed(reason: CloseReason): void {
    this.#isClientClosed = true
    this.listener.closed()
    if (this.phase === STREAM_PHASE.OPEN) {
      if (reason === 'done') return
      this.#beginClosing(reason === 'overload' ? STREAM_END.OVERLOAD : STREAM_END.CLIENT_RESET)
      this.server?.reset()
    } else if (this.phase < STREAM_PHASE.OPEN) {
      this.#beginClosing(STREAM_END.CLIENT_ABORTED)
      this.server?.reset()
    }
  }

  #serverClosed(reason: CloseReason): void {
    if (this.phase === STREAM_PHASE.CONNECTING) {
      connectFailed(this, reason)
      return
    }
    this.forgetServer()
    if (this.phase !== STREAM_PHASE.OPEN || reason === 'done') return
    this.#beginClosing(reason === 'overload' ? STREAM_END.OVERLOAD : STREAM_END.SERVER_RESET)
    // What the server said before it died is still the client's; only behind that comes the end.
    if (this.client.queuedBytes > 0) {
      this.client.close()
      this.worker.engine.timers.arm(this.timer, FLUSH_MS)
    } else this.client.reset()
  }

  /** A direction that has carried long pieces for a while is spliced, where the engine can: its bytes are not copied any more. */
  #carried(from: Connection, to: Connection, length: number): void {
    const isClient = from === this.client
    const before = isClient ? this.#longIn : this.#longOut
    const run = length < LONG_BYTES ? Math.max(0, before - LONG_BYTES) : before + length
    if (isClient) this.#longIn = run
    else this.#longOut = run
    if (run < this.#spliceAfter) return
    if (this.splicedBytes > this.#splicedBefore) {
      this.#splicedBefore = this.splicedBytes
      this.#spliceAfter *= 2
    }
    from.splice(to, Infinity, this)
    if (isClient) this.#longIn = 0
    else this.#longOut = 0
  }

  #keep(start: number, end: number): void {
    this.stash ??= new Stash(this.worker.engine.blocks)
    this.stash.push(start, end)
    if (this.stash.bytes >= STASH_LIMIT_BYTES) this.client.pause()
  }

  #beginClosing(termination: number): void {
    this.phase = STREAM_PHASE.CLOSING
    this.termination = termination
    leaveQueue(this)
    this.stash?.clear()
    this.worker.engine.timers.disarm(this.timer)
  }

  #finish(): void {
    const { worker, site } = this
    if (this.phase !== STREAM_PHASE.CLOSING) this.#beginClosing(STREAM_END.COMPLETE)
    worker.engine.timers.disarm(this.timer)
    releaseServer(this)
    worker.counters.streamed(this)
    worker.accessLog.writeStream(this)
    if (--site.use.exchanges === 0 && !site.use.isCurrent) worker.planUses.trim()
    worker.streams.delete(this)
  }
}
