import { createServer, type Server, type Socket } from 'node:net'
import type { SocketAddress } from '../../core/index.ts'
import type { ConnectionHandler } from '../connection.ts'
import { listenError } from '../failures.ts'
import type { Connection, Listener, ListenOptions } from '../index.ts'
import type { TlsServer } from '../tls/index.ts'
import { boundAddress, socketPath } from './address.ts'
import type { PortableEngine } from './engine.ts'
import { type PortableAcceptor, PortableTlsServer } from './tls/index.ts'

export type Accepted = (connection: Connection) => ConnectionHandler | undefined

const DEFAULT_BACKLOG = 4096
/** node:net cannot leave a connection in the kernel's queue, so that a paused listener keeps this many of its own, unread. */
const PARKED_LIMIT = 512

/** One net.Server as a Listener. Sockets arrive paused; the engine begins to read when the handler is known. */
export class PortableListener implements Listener {
  readonly #engine: PortableEngine
  readonly #accepted: Accepted
  readonly #server: Server
  readonly #parked: Socket[] = []
  #address: SocketAddress
  #arrivals = 0
  #drainable = DEFAULT_BACKLOG
  #isPaused = false
  #isClosing = false
  readonly #closed = Promise.withResolvers<void>()

  #tls: PortableTlsServer | null = null
  readonly #acceptor: PortableAcceptor

  constructor(engine: PortableEngine, options: ListenOptions, accepted: Accepted) {
    this.#engine = engine
    this.#accepted = accepted
    this.#address = options.address
    const { plaintext = () => undefined, handshakeFailed: failed = () => {} } = options
    this.#acceptor = {
      secured: (socket, transport, secure) => engine.accept(socket, this.#address, accepted, transport, secure),
      plaintext: (socket) => engine.accept(socket, this.#address, plaintext),
      failed,
    }
    this.secure(options.tls)
    this.#server = createServer({ allowHalfOpen: true, pauseOnConnect: true, noDelay: true })
    this.#server.on('connection', (socket) => this.#arrived(socket))
  }

  get address(): SocketAddress {
    return this.#address
  }

  bind(options: ListenOptions): Promise<void> {
    const server = this.#server
    const asked = this.#address
    const backlog = options.backlog ?? DEFAULT_BACKLOG
    this.#drainable = backlog
    return new Promise((resolve, reject) => {
      server.once('error', (error: NodeJS.ErrnoException) => reject(listenError(asked, error.code ?? error.message, error)))
      const bound = () => {
        server.removeAllListeners('error')
        // An accept that fails (no descriptor left) is tried again by libuv with the next connection.
        server.on('error', (error) => this.#engine.loop.report(error))
        this.#address = boundAddress(asked, server.address())
        resolve()
      }
      if (asked.family === 'unix') server.listen({ path: socketPath(asked.path), backlog }, bound)
      else {
        const { host, port } = asked
        const reusePort = options.reusePort ?? false
        // An IPv6 listener is for IPv6 only, so that [::]:80 and 0.0.0.0:80 can stand side by side.
        server.listen({ host, port, backlog, reusePort, ipv6Only: asked.family === 6, exclusive: true }, bound)
      }
    })
  }

  pause(): void {
    this.#isPaused = true
  }

  resume(): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    this.resumeSoon()
  }

  secure(tls: TlsServer | undefined): void {
    this.#tls = tls instanceof PortableTlsServer ? tls : null
  }

  close(): Promise<void> {
    if (this.#isClosing) return this.#closed.promise
    this.#isClosing = true
    this.#isPaused = false
    this.resumeSoon()
    this.#closeWhenQuiet(this.#arrivals, 0)
    return this.#closed.promise
  }

  closeNow(): Promise<void> {
    this.#isClosing = true
    this.#takeParked()
    for (const socket of this.#parked.splice(0)) drop(socket)
    this.#engine.forgetListener(this)
    this.#closed.resolve()
    return new Promise((resolve) => this.#server.close(() => resolve()))
  }

  /** Accepts what is parked, outside of the call that allowed it. */
  resumeSoon(): void {
    if (this.#parked.length > 0) setImmediate(() => this.#takeParked())
  }

  get #isHeld(): boolean {
    return this.#isPaused || !this.#engine.isRunning
  }

  /**
   * Closing the server drops what waits in the kernel's queue, and libuv accepts one connection a turn: so it is closed when two
   * turns have brought none, or when a whole queue has come since.
   */
  #closeWhenQuiet(arrivals: number, quietTurns: number): void {
    if (quietTurns === 2 || this.#drainable <= 0) {
      void this.closeNow()
      return
    }
    setImmediate(() => {
      const isQuiet = this.#arrivals === arrivals
      this.#drainable -= this.#arrivals - arrivals
      this.#closeWhenQuiet(this.#arrivals, isQuiet ? quietTurns + 1 : 0)
    })
  }

  #takeParked(): void {
    if (this.#isHeld) return
    for (const socket of this.#parked.splice(0)) {
      socket.removeAllListeners('error')
      this.#take(socket)
    }
  }

  #take(socket: Socket): void {
    if (this.#tls === null) this.#engine.accept(socket, this.#address, this.#accepted)
    else this.#tls.accept(socket, this.#acceptor)
  }

  #arrived(socket: Socket): void {
    this.#arrivals++
    if (!this.#isHeld) this.#take(socket)
    else if (this.#parked.length < PARKED_LIMIT) {
      socket.on('error', () => {})
      this.#parked.push(socket)
    } else {
      this.#engine.counters.acceptFailures++
      drop(socket)
    }
  }
}

/** Turns a connection away. */
export function drop(socket: Socket): void {
  socket.on('error', () => {})
  if (socket.remoteFamily === undefined) socket.destroy()
  else socket.resetAndDestroy()
}
