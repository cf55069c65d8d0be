import { type CloseReason, type Connection, type ConnectionHandler, Timer, type TimerTarget } from '../engine/index.ts'
import { BODY, BodyReader, parseResponseHead, ResponseHead } from '../http/index.ts'
import { OUTCOME, type Outcome, PickContext } from '../pool/index.ts'
import { outcomeOfStatus } from './attempt.ts'
import type { DownstreamConnection } from './downstream.ts'
import { type Exchange, GO_ON } from './exchange.ts'
import { sendData, sendLastChunk } from './request-body.ts'
import { writeRequestHead } from './request-head.ts'
import type { ListenerSite, RouteState } from './site.ts'
import type { UpstreamConnection } from './upstream/connection.ts'
import type { PoolState } from './upstream/pool-state.ts'
import { type ProxyWorker, RESPONSE_HEAD_LIMITS } from './worker.ts'

/** Copies that a worker has under way at a time; beyond it requests are not copied. */
const MAX_COPIES = 1024
const NO_TRAILERS = new Uint8Array(0)
const SWITCHING_PROTOCOLS = 101

/** What a route mirrors, and where to. Of any run of requests in a worker, `percent` of a hundred are copied. */
export class MirrorRule {
  readonly pool: PoolState
  readonly #percent: number
  #credit = 0

  constructor(pool: PoolState, percent: number) {
    this.pool = pool
    this.#percent = percent
  }

  takes(): boolean {
    this.#credit += this.#percent
    if (this.#credit < 100) return false
    this.#credit -= 100
    return true
  }
}

/** The step of a route that mirrors: the copy goes its own way, and the request does not wait for it. */
export function mirror(exchange: Exchange): number {
  const rule = (exchange.route as RouteState).mirror as MirrorRule
  if (rule.takes() && !exchange.request.upgrade) exchange.worker.mirrors.copy(exchange, rule.pool)
  return GO_ON
}

/** The copies of a worker. */
export class Mirrors {
  readonly #worker: ProxyWorker
  readonly #pick: PickContext
  readonly #spare: Copy[] = []
  #active = 0

  constructor(worker: ProxyWorker) {
    this.#worker = worker
    this.#pick = new PickContext(worker.random)
  }

  copy(exchange: Exchange, state: PoolState): void {
    const index = this.#active < MAX_COPIES ? this.#choose(exchange, state) : -1
    if (index < 0) {
      this.#worker.counters.mirrored(state.series, false)
      return
    }
    this.#active++
    const copy = this.#spare.pop() ?? new Copy(this.#worker)
    copy.begin(exchange, state, index)
  }

  giveBack(copy: Copy): void {
    this.#active--
    this.#spare.push(copy)
  }

  #choose(exchange: Exchange, { pool }: PoolState): number {
    const pick = this.#pick
    pick.keySource = exchange.pick.keySource
    pick.begin(this.#worker.engine.wallClock())
    const index = pool.pick(pick)
    return index >= 0 && pool.acquire(index, pick.nowMs) ? index : -1
  }
}

/**
 * A copy of a request on its way to the mirror pool. It takes over a connection as its handler and gives it back when the response has
 * been read and thrown away. Whatever goes wrong ends the copy and nothing else: a mirror that is slower in taking a body than the
 * high-water mark allows gets no more of it.
 */
export class Copy implements ConnectionHandler, TimerTarget {
  readonly worker: ProxyWorker
  readonly #response: ResponseHead
  readonly #body = new BodyReader()
  readonly #timer = new Timer(this)
  /** The exchange whose body it still needs, and which knows it as its copy; nobody's body otherwise. */
  #source: Exchange | null = null
  #site: ListenerSite | null = null
  #pool: PoolState | null = null
  #index = -1
  #upstream: UpstreamConnection | null = null
  #method = 0
  #isChunked = false
  #isSent = false
  #isHeadRead = false
  #startMs = 0

  constructor(worker: ProxyWorker) {
    this.worker = worker
    this.#response = new ResponseHead(worker.maxFields)
  }

  begin(exchange: Exchange, state: PoolState, index: number): void {
    const { timeouts } = exchange.route as RouteState
    const server = state.servers[index]
    this.#site = exchange.site as ListenerSite
    this.#site.use.exchanges++
    this.#pool = state
    this.#index = index
    this.#method = exchange.request.method
    this.#isChunked = exchange.request.body === BODY.CHUNKED
    this.#isSent = exchange.isRequestComplete
    this.#isHeadRead = false
    this.#startMs = this.worker.engine.now()
    const upstream = server.takeIdle() ?? server.connect(timeouts.connectMs, exchange.downstream as DownstreamConnection)
    if (upstream === null) {
      this.#over(OUTCOME.CANCELLED)
      return
    }
    this.#upstream = upstream
    upstream.disarm()
    upstream.connection.handler = this
    exchange.server = server
    const isWritten = writeRequestHead(exchange, upstream.connection)
    exchange.server = null
    if (!isWritten) {
      this.#end(OUTCOME.CANCELLED, false)
      return
    }
    if (!this.#isSent) this.#follow(exchange)
    this.worker.engine.timers.arm(this.#timer, timeouts.connectMs + timeouts.responseMs)
  }

  /** A piece of the request's body, as it goes to the server that answers. */
  send(start: number, end: number): void {
    const connection = (this.#upstream as UpstreamConnection).connection
    if (connection.isCongested) this.#end(OUTCOME.CANCELLED, false)
    else sendData(this, connection, start, end, this.#isChunked)
  }

  finishBody(): void {
    this.#isSent = true
    this.#unfollow()
    const connection = (this.#upstream as UpstreamConnection).connection
    if (this.#isChunked && !sendLastChunk(this, connection, NO_TRAILERS)) this.#end(OUTCOME.CANCELLED, false)
  }

  /** The exchange is over. A request that was not sent whole cannot become so any more. */
  leave(): void {
    if (!this.#isSent) this.#end(OUTCOME.CANCELLED, false)
  }

  opened(): void {
    if (this.#upstream !== null) this.#upstream.isOpen = true
  }

  received(_connection: Connection, start: number, end: number): void {
    let at = start
    while (at < end && !this.#isHeadRead) {
      at = this.#readHead(at, end)
      if (at === -1) return
    }
    while (at < end && !this.#body.isComplete) {
      at = this.#body.read(this.worker.engine.memory, at, end)
      if (at === -1) {
        this.#end(OUTCOME.BAD_RESPONSE, false)
        return
      }
    }
    if (this.#isHeadRead && this.#body.isComplete) this.#end(outcomeOfStatus(this.#response.status), at === end && this.#isSent)
  }

  ended(): void {
    const isWhole = this.#isHeadRead && this.#response.body === BODY.UNTIL_CLOSE
    this.#end(isWhole ? outcomeOfStatus(this.#response.status) : OUTCOME.RESET, false)
  }

  drained(): void {}

  closed(_connection: Connection, reason: CloseReason): void {
    const isOpen = this.#upstream?.isOpen === true
    this.#end(isOpen ? OUTCOME.RESET : reason === 'timeout' ? OUTCOME.CONNECT_TIMEOUT : OUTCOME.CONNECT_FAILURE, false)
  }

  expired(): void {
    this.#end(OUTCOME.RESPONSE_TIMEOUT, false)
  }

  #follow(exchange: Exchange): void {
    this.#source = exchange
    exchange.copy = this
  }

  #unfollow(): void {
    if (this.#source !== null) this.#source.copy = null
    this.#source = null
  }

  /** Returns the offset behind what was consumed, or -1 when the copy is over. */
  #readHead(start: number, end: number): number {
    const { head } = this.#upstream as UpstreamConnection
    const { memory } = this.worker.engine
    const isBuffered = !head.isEmpty
    const taken = isBuffered ? head.append(start, end) : end
    const [from, to] = isBuffered ? [head.start, head.end] : [start, end]
    const consumed = parseResponseHead(memory, from, to, this.#response, RESPONSE_HEAD_LIMITS, this.#method)
    if (consumed === 0) {
      if (isBuffered || head.append(start, end) !== -1) return taken
      return this.#fail(OUTCOME.CANCELLED)
    }
    if (consumed < 0 || this.#response.status === SWITCHING_PROTOCOLS) return this.#fail(OUTCOME.BAD_RESPONSE)
    const at = isBuffered ? taken - (to - consumed) : consumed
    head.release()
    if (this.#response.status < 200) return at
    this.#isHeadRead = true
    this.#body.begin(this.#response.body, this.#response.contentLength)
    return at
  }

  #fail(outcome: Outcome): number {
    this.#end(outcome, false)
    return -1
  }

  #end(outcome: Outcome, mayReuse: boolean): void {
    const upstream = this.#upstream
    if (upstream === null) return
    this.#upstream = null
    this.#unfollow()
    this.worker.engine.timers.disarm(this.#timer)
    upstream.connection.handler = upstream
    if (mayReuse && this.#response.keepAlive) upstream.finish(true)
    else upstream.discard()
    this.#over(outcome)
  }

  #over(outcome: Outcome): void {
    this.#report(outcome)
    const { use } = this.#site as ListenerSite
    if (--use.exchanges === 0 && !use.isCurrent) this.worker.planUses.trim()
    this.worker.mirrors.giveBack(this)
  }

  #report(outcome: Outcome): void {
    const { pool, series } = this.#pool as PoolState
    const { engine, counters } = this.worker
    pool.report(this.#index, outcome, this.#isHeadRead ? engine.now() - this.#startMs : -1, engine.wallClock())
    pool.release(this.#index)
    counters.mirrored(series, this.#isHeadRead)
  }
}
