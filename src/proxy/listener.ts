import { type Connection, type ConnectionHandler, type Listener, Timer, type TimerTarget, type TlsServer } from '../engine/index.ts'
import { AnsweredChallenge } from './challenges.ts'
import { DownstreamConnection } from './downstream.ts'
import { HeaderGate } from './header-gate.ts'
import { Parked, type ParkingLot } from './parked.ts'
import type { ProxiedClient } from './proxied-client.ts'
import type { ListenerSite } from './site.ts'
import type { StreamSite } from './stream/site.ts'
import { Stream } from './stream/stream.ts'
import type { ProxyWorker } from './worker.ts'

/** How often a full listener looks for a place by itself. */
const RETRY_MS = 250

/** What a listener that accepts connections is for. */
export type ConnectionSite = ListenerSite | StreamSite

/** Makes the owner of a connection; `proxied` is who it is from where a balancer in front introduced it. */
export type Serve<S extends ConnectionSite> = (
  listener: ListenerState<S>,
  connection: Connection,
  proxied: ProxiedClient | null,
) => ConnectionHandler

/**
 * A listener as long as it has the same addresses, over any number of Plans. What the Plan says of it is in `current`, which a
 * reload replaces: connections stay, and their next request sees the new routes.
 */
export class ListenerState<S extends ConnectionSite = ListenerSite> implements ParkingLot, TimerTarget {
  readonly worker: ProxyWorker
  readonly name: string
  current: S
  connections = 0
  /** Where the header of the PROXY protocol comes first: TLS begins behind it. Else the engine does TLS. */
  tls: TlsServer | undefined
  /** No longer in the Plan: every response ends its connection. */
  isRetired = false
  #sockets: readonly Listener[] = []
  #isPaused = false
  readonly #serve: Serve<S>
  /** What the kernel had handed over when the listener was full, in that order. */
  readonly #parked: Parked[] = []
  readonly #retry = new Timer(this)

  constructor(worker: ProxyWorker, name: string, current: S, serve: Serve<S>) {
    this.worker = worker
    this.name = name
    this.current = current
    this.#serve = serve
  }

  replaceSockets(sockets: readonly Listener[]): void {
    this.#sockets = sockets
    if (this.#isPaused) for (const socket of sockets) socket.pause()
  }

  /** Owner of a connection that was just accepted. At the limit accepting pauses, so that clients wait in the kernel's queue. */
  accept(connection: Connection): ConnectionHandler {
    if (this.#parked.length === 0 && this.#enter()) return this.#begin(connection)
    const parked = new Parked(this, connection, this.worker.engine)
    this.#parked.push(parked)
    this.#pause()
    return parked
  }

  /** Takes over a connection whose header was read; [start, end) came behind it. */
  serve(connection: Connection, proxied: ProxiedClient | null, start = 0, end = 0): ConnectionHandler {
    if (this.tls === undefined) {
      const handler = this.#serve(this, connection, proxied)
      connection.handler = handler
      if (start < end) handler.received(connection, start, end)
      return handler
    }
    return this.worker.engine.secure(connection, this.tls, start, end, {
      accepted: (secured) => {
        if (secured.secure !== null) this.worker.counters.handshakeDone(this.current, secured.secure.isResumed)
        return secured.secure?.isChallenge === true ? this.#answered(secured) : this.#serve(this, secured, proxied)
      },
      plaintext: (plain) => (this.current.kind === 'http' ? this.#misplaced(this.#serve(this, plain, proxied)) : undefined),
      failed: (_reason, isTaken) => {
        this.handshakeFailed()
        if (!isTaken) this.closed()
      },
    })
  }

  /** Owner of a connection that speaks no TLS where this listener does: it is answered with an error, above the limit not at all. */
  acceptPlain(connection: Connection): ConnectionHandler | undefined {
    if (this.current.kind !== 'http' || !this.#enter()) return undefined
    return this.#misplaced(this.#begin(connection))
  }

  handshakeFailed(): void {
    this.worker.counters.handshakeFailed(this.current)
  }

  /** A connection of this listener is over. */
  closed(): void {
    this.connections--
    this.worker.counters.connectionClosed(this.current)
    const { connectionCounts, index } = this.worker
    const cell = this.current.series.connections
    connectionCounts.leave(cell)
    this.admit()
    const waiting = connectionCounts.takeWaiting(cell)
    if (waiting !== 0) this.worker.ringAll(waiting & ~(1 << (index & 31)))
  }

  gone(parked: Parked): void {
    const at = this.#parked.indexOf(parked)
    if (at !== -1) this.#parked.splice(at, 1)
  }

  /** There may be places again: those who wait get them, and then the kernel's queue. */
  admit(): void {
    if (!this.#isPaused) return
    while (this.#parked.length > 0 && this.#enter()) {
      const parked = this.#parked.shift() as Parked
      parked.leave(this.#begin(parked.connection))
    }
    // Who gives up a place from now on rings; one that was given up before is seen here.
    this.#waitForPlace()
    if (this.#parked.length > 0 || this.#isFull) return
    this.#isPaused = false
    this.worker.engine.timers.disarm(this.#retry)
    for (const socket of this.#sockets) socket.resume()
  }

  expired(): void {
    this.admit()
  }

  /** Those who still wait for a place get none any more. */
  dropParked(): void {
    for (const { connection } of this.#parked.splice(0)) connection.reset()
  }

  get #isFull(): boolean {
    return this.worker.connectionCounts.isFull(this.current.series.connections, this.current.limits.maxConnections)
  }

  #enter(): boolean {
    return this.worker.connectionCounts.enter(this.current.series.connections, this.current.limits.maxConnections)
  }

  #begin(connection: Connection): ConnectionHandler {
    this.connections++
    this.worker.counters.connectionOpened(this.current)
    if (this.#isFull) this.#pause()
    if (connection.secure !== null) {
      this.worker.counters.handshakeDone(this.current, connection.secure.isResumed)
      if (connection.secure.isChallenge) return this.#answered(connection)
    }
    const { headerPolicy } = this.current
    return headerPolicy === null ? this.#serve(this, connection, null) : new HeaderGate(this, connection).begin(headerPolicy)
  }

  #misplaced(handler: ConnectionHandler): ConnectionHandler {
    const downstream = handler as DownstreamConnection
    downstream.isMisplaced = true
    return downstream
  }

  #answered(connection: Connection): ConnectionHandler {
    return new AnsweredChallenge(this.worker.engine, connection, () => this.closed())
  }

  #pause(): void {
    if (!this.#isPaused) for (const socket of this.#sockets) socket.pause()
    this.#isPaused = true
    this.#waitForPlace()
  }

  /** Another worker's place is told by its ring; a worker that dies cannot ring. */
  #waitForPlace(): void {
    this.worker.connectionCounts.wait(this.current.series.connections, this.worker.index)
    if (!this.#retry.isArmed) this.worker.engine.timers.arm(this.#retry, RETRY_MS)
  }
}

export function serveHttp(listener: ListenerState, connection: Connection, proxied: ProxiedClient | null): ConnectionHandler {
  return new DownstreamConnection(listener.worker, listener, connection, proxied)
}

export function serveStream(listener: ListenerState<StreamSite>, connection: Connection, proxied: ProxiedClient | null): ConnectionHandler {
  const stream = new Stream(listener.worker, listener, connection, proxied)
  stream.begin()
  return stream
}
