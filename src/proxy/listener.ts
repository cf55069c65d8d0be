import type { Connection, ConnectionHandler, Listener } from '../engine/index.ts'
import { DownstreamConnection } from './downstream.ts'
import type { ListenerSite } from './site.ts'
import type { ProxyWorker } from './worker.ts'

/**
 * A listener as long as it has the same addresses, over any number of Plans. What the Plan says of it is in `current`, which a
 * reload replaces: connections stay, and their next request sees the new routes.
 */
export class ListenerState {
  readonly worker: ProxyWorker
  readonly name: string
  current: ListenerSite
  connections = 0
  /** No longer in the Plan: every response ends its connection. */
  isRetired = false
  #sockets: readonly Listener[] = []
  #isPaused = false

  constructor(worker: ProxyWorker, name: string, current: ListenerSite) {
    this.worker = worker
    this.name = name
    this.current = current
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
    return new DownstreamConnection(this.worker, this, connection)
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
