import type { CloseReason, Connection } from '../../engine/index.ts'
import {
  ALL_FULL,
  NONE_AVAILABLE,
  OUTCOME,
  type PickContext,
  type Pool,
  QUEUE_PRIORITIES,
  Waiter,
  type WaitTarget,
} from '../../pool/index.ts'
import { Introduction } from '../introduction.ts'
import type { StreamRoute } from './site.ts'
import { STREAM_PHASE, type Stream } from './stream.ts'
import { STREAM_END } from './termination.ts'

/** Other workers may take the last place on a server between pick and acquire; after so many times the pool counts as full. */
const MAX_RACES = 8
/** Streams wait behind requests that were given a better priority and before those with a worse one. */
const PRIORITY = QUEUE_PRIORITIES >>> 1

/** A stream that waits for a place in its pool; made only where one has to. */
export class StreamWait implements WaitTarget {
  readonly stream: Stream
  readonly waiter: Waiter

  constructor(stream: Stream) {
    this.stream = stream
    this.waiter = new Waiter(this)
  }

  ready(): boolean {
    const index = choose(this.stream)
    if (index < 0) return false
    connect(this.stream, index)
    return true
  }

  expired(): void {
    refuse(this.stream, STREAM_END.SERVERS_FULL)
  }
}

/** Route, pick, connect: everything that it needs is known now. */
export function openRoute(stream: Stream): void {
  const { routes } = stream.site
  for (let i = 0; i < routes.length; i++) {
    const { match } = routes[i]
    if (match !== null && !match.holds(stream)) continue
    stream.route = routes[i]
    open(stream)
    return
  }
  giveUp(stream, STREAM_END.NO_ROUTE)
}

/** Finds a server for the route that was chosen, or a place in the queue for one. */
function open(stream: Stream): void {
  const { pool } = (stream.route as StreamRoute).pool
  stream.pick = stream.worker.streams.takePick(stream)
  const mustWait = pool.queue?.isWaiting === true
  const index = mustWait ? ALL_FULL : choose(stream)
  if (index >= 0) connect(stream, index)
  else if (index === ALL_FULL && pool.queue !== null) wait(stream, pool)
  else refuse(stream, index === ALL_FULL ? STREAM_END.SERVERS_FULL : STREAM_END.NO_SERVER)
}

/** No server of the pool can take it: its `sorry` pool, or the end. */
function refuse(stream: Stream, termination: number): void {
  const { sorry } = stream.route as StreamRoute
  if (sorry === null) {
    giveUp(stream, termination)
    return
  }
  givePickBack(stream)
  stream.wait = null
  stream.route = sorry
  open(stream)
}

/** Ends a stream that has no server. */
export function giveUp(stream: Stream, termination: number): void {
  stream.abort(termination)
}

export function leaveQueue(stream: Stream): void {
  const { wait } = stream
  if (wait !== null) wait.waiter.queue?.leave(wait.waiter)
  givePickBack(stream)
}

/** The server accepted: what the client has said meanwhile goes out. */
export function connected(stream: Stream): void {
  const { worker, client } = stream
  const server = stream.server as Connection
  const { pool } = (stream.route as StreamRoute).pool
  stream.phase = STREAM_PHASE.OPEN
  pool.report(stream.serverIndex, OUTCOME.SUCCESS, worker.engine.now() - stream.attemptMs, worker.engine.wallClock())
  givePickBack(stream)
  const { stash } = stream
  if (stash !== null) {
    stash.drain(server)
    stream.stash = null
    if (server.isCongested) client.pause()
    else client.resume()
  }
  if (stream.hasClientEnded) server.end()
  stream.armSilence()
}

/** The server could not be connected to: another one is tried. */
export function connectFailed(stream: Stream, reason: CloseReason): void {
  const { worker, site } = stream
  const { pool, servers } = (stream.route as StreamRoute).pool
  const isTimeout = reason === 'timeout'
  // What this machine has run out of says nothing about the server.
  const outcome = reason === 'overload' ? OUTCOME.CANCELLED : isTimeout ? OUTCOME.CONNECT_TIMEOUT : OUTCOME.CONNECT_FAILURE
  pool.report(stream.serverIndex, outcome, -1, worker.engine.wallClock())
  if (reason === 'handshake') servers[stream.serverIndex].handshakeFailed(stream.server?.secure?.failure ?? '')
  stream.forgetServer()
  releaseServer(stream)
  stream.phase = STREAM_PHASE.OPENING
  const mayRetry = stream.attempts < site.attempts && (pool.retryBudget === null || pool.retryBudget.withdraw(worker.engine.wallClock()))
  const index = mayRetry ? choose(stream) : NONE_AVAILABLE
  if (index >= 0) connect(stream, index)
  else giveUp(stream, reason === 'overload' ? STREAM_END.OVERLOAD : isTimeout ? STREAM_END.CONNECT_TIMEOUT : STREAM_END.CONNECT_FAILED)
}

/** The pool no longer counts the stream as active. */
export function releaseServer(stream: Stream): void {
  if (!stream.isAcquired) return
  stream.isAcquired = false
  ;(stream.route as StreamRoute).pool.pool.release(stream.serverIndex)
}

/** A server that was not tried yet where there is one, acquired. Its index, or what pick() said instead. */
function choose(stream: Stream): number {
  const { pool } = (stream.route as StreamRoute).pool
  const context = stream.pick as PickContext
  for (let races = 0; races < MAX_RACES; races++) {
    const index = pool.pick(context)
    if (index < 0) return index
    if (!pool.acquire(index, context.nowMs)) continue
    pool.remember(index, context)
    context.exclude(index)
    stream.isAcquired = true
    return index
  }
  return ALL_FULL
}

function connect(stream: Stream, index: number): void {
  const { worker } = stream
  const { pool, connectMs, proxyProtocol } = stream.route as StreamRoute
  stream.serverIndex = index
  stream.attempts++
  if (stream.attempts === 1) pool.pool.retryBudget?.deposit()
  stream.attemptMs = worker.engine.now()
  stream.phase = STREAM_PHASE.CONNECTING
  pool.pool.connectionOpened(index)
  const { address, tls } = pool.servers[index]
  const { client, proxied, serverName } = stream
  const preface = proxyProtocol === null ? undefined : new Introduction(proxyProtocol, client, proxied, serverName)
  stream.server = worker.engine.connect(address, { timeoutMs: connectMs, tls, preface }, stream)
}

function wait(stream: Stream, pool: Pool): void {
  stream.wait = new StreamWait(stream)
  if (!pool.queue?.enter(stream.wait.waiter, PRIORITY, stream.worker.engine.wallClock())) refuse(stream, STREAM_END.SERVERS_FULL)
}

function givePickBack(stream: Stream): void {
  if (stream.pick === null) return
  stream.worker.streams.givePickBack(stream.pick)
  stream.pick = null
}
