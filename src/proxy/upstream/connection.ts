import {
  type CloseReason,
  type Connection,
  type ConnectionHandler,
  type SpliceObserver,
  Timer,
  type TimerTarget,
} from '../../engine/index.ts'
import { breakResponse, failAttempt, sendRequest } from '../attempt.ts'
import { receiveResponse, responseSpliced, serverEnded } from '../deliver.ts'
import type { DownstreamConnection } from '../downstream.ts'
import type { Exchange } from '../exchange.ts'
import { HeadBuffer } from '../head-buffer.ts'
import type { RouteState } from '../site.ts'
import { TERMINATION } from '../termination.ts'
import type { UpstreamServer } from './server.ts'

/** Spliced bytes that wait for a client may do so for this long. */
const SLOW_CLIENT_MS = 1000

/**
 * A connection to a server: connecting, working for one exchange, or idle in its server's list. Anything that a server says
 * while the connection is idle, even a FIN, takes it out of the list.
 */
export class UpstreamConnection implements ConnectionHandler, SpliceObserver, TimerTarget {
  readonly server: UpstreamServer
  readonly head: HeadBuffer
  /** Set by the server right after the engine made it, before any event. */
  connection!: Connection
  exchange: Exchange | null = null
  /** Position in the server's idle list, or -1. */
  idleIndex = -1
  /** connection.sentBytes when the running request began, to tell whether any of it left. */
  sentBefore = 0
  /** connection.receivedBytes at that time, to tell whether anything of a response came. */
  receivedBefore = 0
  isOpen = false
  isClosed = false
  /** The server has sent FIN. */
  hasEnded = false
  readonly #timer: Timer
  #isPaused = false
  /** Since spliced bytes have waited for the client. */
  #isWatchingClient = false
  /** Bytes both ways when it was found not to take the body. */
  #movedAtArm = 0

  constructor(server: UpstreamServer) {
    this.server = server
    this.head = new HeadBuffer(server.worker.engine.blocks)
    this.#timer = new Timer(this)
  }

  opened(): void {
    this.isOpen = true
    if (this.exchange?.race) this.exchange.race.focus(this)
    if (this.exchange === null) this.discard()
    else sendRequest(this.exchange)
  }

  received(_connection: Connection, start: number, end: number): void {
    const exchange = this.exchange
    if (exchange === null) {
      this.discard()
      return
    }
    if (exchange.isTunnel) {
      exchange.tunnelDown(start, end)
      return
    }
    if (exchange.race !== null) exchange.race.win(this)
    this.armResponse()
    receiveResponse(exchange, this, start, end)
    if (this.exchange !== null && (this.exchange.downstream as DownstreamConnection).connection.isCongested) this.pause()
  }

  spliced(_connection: Connection, count: number): void {
    const { exchange } = this
    if (exchange === null) {
      this.discard()
      return
    }
    if (queuedForClient(exchange) === 0) {
      this.#isWatchingClient = false
      this.armResponse()
    } else if (!this.#isWatchingClient) {
      this.#isWatchingClient = true
      const { responseMs } = (exchange.route as RouteState).timeouts
      this.armIdle(responseMs === 0 ? SLOW_CLIENT_MS : Math.min(SLOW_CLIENT_MS, responseMs))
    }
    responseSpliced(exchange, count)
  }

  ended(): void {
    this.hasEnded = true
    const exchange = this.exchange
    if (exchange?.race) exchange.race.focus(this)
    if (exchange === null) this.close()
    else if (exchange.isTunnel) exchange.tunnelEnded(false)
    else serverEnded(exchange)
  }

  drained(): void {
    if (this.exchange === null) return
    if (!this.exchange.isTunnel && !this.exchange.isRequestComplete) this.disarm()
    this.exchange.downstream?.resumeForUpstream()
  }

  closed(connection: Connection, reason: CloseReason): void {
    if (this.isClosed) return
    const exchange = this.exchange
    if (exchange === null || exchange.isTunnel) {
      this.#release()
      exchange?.tunnelEnded(false)
      return
    }
    if (exchange.race !== null) exchange.race.focus(this)
    // Who handles the failure looks at how much had been sent, and discards the connection.
    if (!this.isOpen) failAttempt(exchange, this.#connectFailure(connection, reason))
    else if (exchange.isResponseStarted) breakResponse(exchange, TERMINATION.RESPONSE_TRUNCATED)
    else failAttempt(exchange, TERMINATION.SERVER_CLOSED)
  }

  expired(): void {
    const exchange = this.exchange
    if (exchange === null) {
      this.close()
      return
    }
    if (exchange.isTunnel) {
      exchange.abort(TERMINATION.COMPLETE)
      return
    }
    if (this.#isWatchingClient) {
      this.#judgeClient(exchange)
      return
    }
    if (!exchange.isRequestComplete && this.#moved !== this.#movedAtArm) {
      this.armBody()
      return
    }
    if (exchange.race !== null) exchange.race.focus(this)
    if (exchange.isResponseStarted) breakResponse(exchange, TERMINATION.RESPONSE_TIMEOUT)
    else failAttempt(exchange, TERMINATION.RESPONSE_TIMEOUT)
  }

  /** From now on the server has the response time-out to send its next bytes. Waits for the request to be complete. */
  armResponse(): void {
    const exchange = this.exchange as Exchange
    if (this.#isPaused || !exchange.isRequestComplete) return
    this.armIdle((exchange.route as RouteState).timeouts.responseMs)
  }

  /** The server does not take the body as fast as it comes: it has the response time-out to move on, either way. */
  armBody(): void {
    if (this.#isPaused) return
    this.#movedAtArm = this.#moved
    this.armIdle(((this.exchange as Exchange).route as RouteState).timeouts.responseMs)
  }

  get #moved(): number {
    return this.connection.sentBytes + this.connection.receivedBytes
  }

  /** The deadline for the next sign of life; 0 is none. */
  armIdle(delayMs: number): void {
    if (delayMs === 0) this.disarm()
    else this.server.worker.engine.timers.arm(this.#timer, delayMs)
  }

  disarm(): void {
    this.server.worker.engine.timers.disarm(this.#timer)
  }

  pause(): void {
    if (this.#isPaused) return
    this.#isPaused = true
    this.connection.pause()
    this.disarm()
    ;(this.exchange as Exchange).downstream?.armStalled()
  }

  resume(): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    this.connection.resume()
    if (this.exchange === null || this.exchange.isTunnel) return
    if (!this.exchange.isRequestComplete && this.connection.isCongested) this.armBody()
    else this.armResponse()
  }

  /** The response is complete: back into the idle list where the connection can serve again, else closed. */
  finish(mayReuse: boolean): void {
    this.exchange = null
    this.#isWatchingClient = false
    this.head.release()
    if (mayReuse && !this.#isPaused && this.connection.isOpen && this.connection.queuedBytes === 0 && this.server.keepIdle(this)) return
    this.close()
  }

  /** Closes an idle connection with FIN. */
  close(): void {
    if (this.isClosed) return
    this.#release()
    this.connection.close()
  }

  /** Closes at once, whatever it was doing; its exchange hears nothing more of it. */
  discard(): void {
    if (this.isClosed) return
    this.#release()
    this.connection.reset()
  }

  /** A client that still does not keep pace gets the rest out of our memory, so that its server is freed as ever. */
  #judgeClient(exchange: Exchange): void {
    this.#isWatchingClient = false
    if (queuedForClient(exchange) > 0) {
      exchange.maySplice = false
      this.connection.splice((exchange.downstream as DownstreamConnection).connection, 0, this)
    }
    this.armResponse()
  }

  #connectFailure({ secure }: Connection, reason: CloseReason): number {
    if (reason === 'timeout') return TERMINATION.CONNECT_TIMEOUT
    if (reason !== 'handshake') return TERMINATION.CONNECT_FAILED
    this.server.handshakeFailed(secure?.failure ?? '')
    return TERMINATION.HANDSHAKE_FAILED
  }

  #release(): void {
    this.isClosed = true
    const exchange = this.exchange
    this.exchange = null
    if (exchange !== null && exchange.upstream === this) exchange.upstream = null
    this.disarm()
    this.head.release()
    this.server.forget(this)
  }
}

function queuedForClient({ downstream }: Exchange): number {
  return (downstream as DownstreamConnection).connection.queuedBytes
}
