import type { Connection, ConnectionHandler, Listener } from '../engine/index.ts'
import { DownstreamConnection } from './downstream.ts'
import { HeaderGate } from './header-gate.ts'
import type { ProxiedClient } from './proxied-client.ts'
import type { ListenerSite } from './site.ts'
import type { StreamSite } from './stream/site.ts'
import { Stream } from './stream/stream.ts'
import type { ProxyWorker } from './worker.ts'

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
export class ListenerState<S extends ConnectionSite = ListenerSite> {
  readonly worker: ProxyWorker
  readonly name: string
  current: S
  connections = 0
  /** No longer in the Plan: every response ends its connection. */
  isRetired = false
  #sockets: readonly Listener[] = []
  #isPaused = false
  readonly #serve: Serve<S>

  constructor(worker: ProxyWorker, name: string, current: S, serve: Serve<S>) {
    this.worker = worker
    this.name = name
    this.current = current
    this.#serve = serve
  }

  replaceSockets(sockets: readonly Listener[]): void {
    this.#sockets = sockets
  }

  /** Owner of a connection that was just accepted. Above the limit accepting pauses, so that clients wait in the kernel's queue. */
  accept(connection: Connection): ConnectionHandler {
    this.connections++
    this.worker.counters.connectionOpened(this.current)
    if (this.connections >= this.current.limits.maxConnections && !this.#isPaused) {
      this.#isPaused = true
      for (const socket of this.#sockets) socket.pause()
    }
    if (connection.secure !== null) this.worker.counters.handshakeDone(this.current, connection.secure.isResumed)
    const { headerPolicy } = this.current
    return headerPolicy === null ? this.#serve(this, connection, null) : new HeaderGate(this, connection).begin(headerPolicy)
  }

  serve(connection: Connection, proxied: ProxiedClient | null): ConnectionHandler {
    return this.#serve(this, connection, proxied)
  }

  /** Owner of a connection that speaks no TLS where this listener does. */
  acceptPlain(connection: Connection): ConnectionHandler | undefined {
    if (this.current.kind !== 'http') return undefined
    const downstream = this.accept(connection) as DownstreamConnection
    downstream.isMisplaced = true
    return downstream
  }

  handshakeFailed(): void {
    this.worker.counters.handshakeFailed(this.current)
  }

  /** A connection of this listener is over. */
  closed(): void {
    this.connections--
    this.worker.counters.connectionClosed(this.current)
    if (!this.#isPaused || this.connections >= this.current.limits.maxConnections) return
    this.#isPaused = false
    for (const socket of this.#sockets) socket.resume()
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
