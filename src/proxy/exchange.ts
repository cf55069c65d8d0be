import { BODY, BodyReader, METHOD, RequestHead, ResponseHead } from '../http/index.ts'
import { PickContext } from '../pool/index.ts'
import { admit } from './admit.ts'
import { answerError } from './answer.ts'
import { cancelAttempt } from './attempt.ts'
import { answerChallenge } from './challenges.ts'
import { complete } from './complete.ts'
import { type DownstreamConnection, PHASE } from './downstream.ts'
import type { Hedge } from './hedge.ts'
import type { Copy } from './mirror.ts'
import { readRequestBody } from './request-body.ts'
import { RequestKeys } from './request-key.ts'
import type { BackOff } from './retry.ts'
import { route } from './route.ts'
import type { ListenerSite, RouteState } from './site.ts'
import { SliceQueue } from './slice-queue.ts'
import { TERMINATION, TERMINATIONS } from './termination.ts'
import { endTunnel, tunnelDown, tunnelUp } from './tunnel.ts'
import type { UpstreamConnection } from './upstream/connection.ts'
import type { ConnectionWait } from './upstream/connection-waits.ts'
import type { PoolState } from './upstream/pool-state.ts'
import type { UpstreamServer } from './upstream/server.ts'
import type { Turn } from './wait.ts'
import type { ProxyWorker } from './worker.ts'

/** What a step says: GO_ON with the next one, or DONE: it answered, or handed over to an attempt that goes on by events. */
export const GO_ON = 0
export const DONE = 1

/** One step of the path; see PATH. */
export type Step = (exchange: Exchange) => number

/**
 * The path of every request. `route` ends by walking the steps that the route's action was composed of when the Plan was built:
 *
 *   admit → route → pool:     rewrite → pick → attempt ··events··▶ deliver → complete (log)
 *                   redirect: answer → complete (log)
 *                   respond:  answer → complete (log)
 */
export const PATH: readonly Step[] = [admit, route]
/** While an authority may look for a token (http-01). */
export const PATH_WITH_CHALLENGES: readonly Step[] = [admit, answerChallenge, route]

/**
 * One request and its response. Exchanges are pooled by the worker: an idle connection has none. All state of a
 * request is here and is reset by begin(); the steps are functions over it, one file each.
 */
export class Exchange {
  readonly worker: ProxyWorker
  readonly request: RequestHead
  readonly response: ResponseHead
  readonly requestBody = new BodyReader()
  readonly responseBody = new BodyReader()
  readonly pick: PickContext
  /** Decoded body bytes that were sent already and may have to be sent again to another server. */
  readonly replay: SliceQueue

  downstream: DownstreamConnection | null = null
  /** The listener's part of the Plan under which the exchange began; a reload does not change it. */
  site: ListenerSite | null = null
  route: RouteState | null = null
  pool: PoolState | null = null
  server: UpstreamServer | null = null
  /** Of the last attempt, in the pool's order; -1 before the first. */
  serverIndex = -1
  upstream: UpstreamConnection | null = null

  /** The server that the client's cookie names, or -1; what of the cookie goes on to the server (COOKIE_EDIT), and from where. */
  persisted = -1
  cookieEdit = 0
  cookieStart = 0
  cookieForward = 0
  /** The server's Set-Cookie fields are written anew. */
  replacesCookies = false
  /** The branch of a split that the client's cookie names, or -1. */
  splitRead = -1
  /** The copy that still needs the request's body; null where the request is not mirrored, or its copy goes on alone. */
  copy: Copy | null = null
  /** Its place in the pool's queue; null until it has to wait for the first time. */
  turn: Turn | null = null
  /** The time until its next attempt; null until it needs one for the first time. */
  backOff: BackOff | null = null
  /** Makes a second attempt after some time; null until it is needed for the first time. */
  hedge: Hedge | null = null
  /** The same while two attempts are under way. */
  race: Hedge | null = null
  /** Its wait for a connection where its server has as many as it may; null until it needs one for the first time. */
  connectionWait: ConnectionWait | null = null
  /** In the queue, in the back-off between two attempts, or waiting for a connection. */
  isParked = false
  /** How many waited before it when it came to the queue; -1 where it did not wait. */
  queuePosition = -1
  queueMs = 0

  headBlock = -1
  isRequestComplete = false
  /** The head of the request was sent to the server of this attempt, so that the body may follow. */
  isHeadSent = false
  isResponseStarted = false
  isResponseHeadRead = false
  isTunnel = false
  isReplayable = false
  isReused = false
  /** The next attempt must not reuse an idle connection, because one was found dead. */
  needsFreshConnection = false
  keepAlive = false
  /** FRAMING.* of the response towards the client. */
  framing = 0
  attempts = 0
  informationalCount = 0
  requestBytes = 0
  responseBytes = 0
  /** Of those, without passing through memory. */
  splicedBytes = 0
  /** False once its client did not keep pace: what is left is received, so that the server is freed. */
  maySplice = true
  startMs = 0
  attemptMs = 0
  firstByteMs = 0
  status = 0
  termination: number = TERMINATION.COMPLETE

  constructor(worker: ProxyWorker) {
    this.worker = worker
    this.pick = new PickContext(worker.random, new RequestKeys(this))
    this.request = new RequestHead(worker.maxFields)
    this.response = new ResponseHead(worker.maxFields)
    this.replay = new SliceQueue(worker.engine.blocks)
  }

  /** Walks the path with the head that `request` now describes. The head's block is held until the exchange is logged. */
  begin(headStart: number): void {
    this.worker.engine.blocks.hold(headStart)
    this.headBlock = headStart
    this.#reset()
    this.requestBody.begin(this.request.body, this.request.contentLength, !this.request.hasConnectionOptions)
    if (this.request.body === BODY.NONE) this.requestCompleted()
    else this.downstream?.armBody()
    walk(this.worker.path, this)
  }

  /** Answers with an error a request that has no usable head. */
  refuse(termination: number, status: number, sentence?: string): void {
    if (this.headBlock === -1) {
      this.request.method = METHOD.OTHER
      this.request.minorVersion = 1
      this.#reset()
    }
    this.keepAlive = false
    answerError(this, termination, status, sentence)
  }

  requestCompleted(): void {
    this.isRequestComplete = true
    const downstream = this.downstream as DownstreamConnection
    if (downstream.phase === PHASE.BODY) downstream.phase = PHASE.WAIT
    downstream.disarm()
  }

  /** Takes body bytes; returns how far it got, which is `start` while no server is ready for them. */
  readBody(start: number, end: number): number {
    return readRequestBody(this, start, end)
  }

  tunnelUp(start: number, end: number): number {
    return tunnelUp(this, start, end)
  }

  tunnelDown(start: number, end: number): void {
    tunnelDown(this, start, end)
  }

  tunnelEnded(byClient: boolean): void {
    endTunnel(this, byClient)
  }

  bodyTimedOut(): void {
    if (this.isParked) return
    this.failRequest(TERMINATION.REQUEST_BODY_TIMEOUT)
  }

  /** The request turned out bad while its body was read: the server's connection is dropped, the client gets an error if it can. */
  failRequest(termination: number): void {
    cancelAttempt(this)
    if (this.isResponseStarted) this.abort(termination)
    else {
      this.keepAlive = false
      answerError(this, termination, TERMINATIONS[termination].status)
    }
  }

  /** The client took what was queued: the server may go on sending. */
  downstreamDrained(): void {
    this.upstream?.resume()
  }

  downstreamClosed(): void {
    if (this.termination === TERMINATION.COMPLETE) this.termination = TERMINATION.CLIENT_ABORTED
    cancelAttempt(this)
    complete(this)
  }

  /** Gives up on both sides at once. */
  abort(termination: number): void {
    this.termination = termination
    const downstream = this.downstream as DownstreamConnection
    cancelAttempt(this)
    complete(this)
    downstream.connection.reset()
  }

  #reset(): void {
    this.site = (this.downstream as DownstreamConnection).listener.current
    this.site.use.exchanges++
    this.route = null
    this.pool = null
    this.server = null
    this.serverIndex = -1
    this.upstream = null
    this.cookieEdit = 0
    this.splitRead = -1
    this.isParked = false
    this.race = null
    this.queuePosition = -1
    this.queueMs = 0
    this.isRequestComplete = false
    this.isHeadSent = false
    this.isResponseStarted = false
    this.isResponseHeadRead = false
    this.isTunnel = false
    this.isReplayable = true
    this.isReused = false
    this.needsFreshConnection = false
    this.keepAlive = this.request.keepAlive
    this.framing = 0
    this.attempts = 0
    this.informationalCount = 0
    this.requestBytes = 0
    this.responseBytes = 0
    this.splicedBytes = 0
    this.maySplice = true
    this.startMs = this.worker.engine.now()
    this.attemptMs = 0
    this.firstByteMs = 0
    this.status = 0
    this.termination = TERMINATION.COMPLETE
  }
}

/** Walks steps until one of them is DONE. */
export function walk(steps: readonly Step[], exchange: Exchange): number {
  for (let i = 0; i < steps.length; i++) if (steps[i](exchange) === DONE) return DONE
  return GO_ON
}
