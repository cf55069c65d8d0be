import { unlinkSync } from 'node:fs'
import type { SocketAddress } from '../../core/index.ts'
import { errnoName, native } from '../../kernel/index.ts'
import type { Connection, ConnectionHandler } from '../connection.ts'
import type { Listener, ListenOptions, SecureHooks } from '../engine.ts'
import { closeReason } from '../failures.ts'
import { Timer } from '../timers.ts'
import type { TlsServer } from '../tls/index.ts'
import { RingConnection } from './connection.ts'
import type { Loop } from './loop.ts'
import { ERRNO, KIND } from './operations.ts'
import { RingTlsServer, TlsConnection } from './tls/index.ts'

export type Accepted = (connection: Connection) => ConnectionHandler | undefined

/** Between tries while there are no descriptors or no memory left for a connection. */
const RETRY_MS = 100
/** Takes the events of a connection that was turned away. */
const NOBODY: ConnectionHandler = { opened() {}, received() {}, ended() {}, drained() {}, closed() {} }

/** One listening socket. The kernel accepts for it (multishot); what is beyond maxConnections is reset. */
export class RingListener implements Listener {
  readonly address: SocketAddress
  readonly #loop: Loop
  readonly #accepted: Accepted
  readonly #fd: number
  readonly #slot: number
  readonly #generation: number
  readonly #retry = new Timer(this)
  readonly #acceptor: SecureHooks
  #tls: RingTlsServer | null = null
  #isAccepting = false
  #isCancelling = false
  #isPaused = false
  #isClosing = false
  #isAbandoned = false
  readonly #closed = Promise.withResolvers<void>()

  /** Takes the descriptor. */
  constructor(loop: Loop, fd: number, address: SocketAddress, accepted: Accepted, options: ListenOptions) {
    this.address = address
    this.#loop = loop
    this.#fd = fd
    this.#accepted = accepted
    const { plaintext = () => undefined, handshakeFailed: failed = () => {} } = options
    this.#acceptor = { accepted, plaintext, failed }
    this.secure(options.tls)
    this.#generation = loop.nextGeneration()
    this.#slot = loop.addListener(this, fd)
    this.#update()
  }

  close(): Promise<void> {
    if (this.#isClosing) return this.#closed.promise
    this.#isClosing = true
    this.#loop.timers.disarm(this.#retry)
    this.#update()
    if (!this.#isAccepting) this.#finish()
    return this.#closed.promise
  }

  pause(): void {
    this.#isPaused = true
    this.#update()
  }

  resume(): void {
    this.#isPaused = false
    this.#update()
  }

  secure(tls: TlsServer | undefined): void {
    this.#tls = tls instanceof RingTlsServer ? tls : null
  }

  /** Closes without accepting what waits in the queue. */
  abandon(): void {
    this.#isAbandoned = true
    void this.close()
  }

  /** The pause after a failure is over. */
  expired(): void {
    this.#update()
  }

  onAccepted(generation: number, result: number, hasMore: boolean): void {
    if (generation !== this.#generation) return
    if (!hasMore) {
      this.#isAccepting = false
      this.#isCancelling = false
    }
    if (result >= 0) this.#adopt(result)
    else this.#failed(result)
    if (this.#isClosing && !this.#isAccepting) this.#finish()
    else this.#update()
  }

  #update(): void {
    const isWanted = !this.#isPaused && !this.#isClosing && !this.#retry.isArmed
    if (isWanted && !this.#isAccepting) {
      this.#isAccepting = true
      this.#loop.ring.accept(this.#fd, this.#slot, this.#generation)
    } else if (!isWanted && this.#isAccepting && !this.#isCancelling) {
      this.#isCancelling = true
      this.#loop.ring.cancel(KIND.ACCEPT, this.#slot, this.#generation)
    }
  }

  #adopt(fd: number): void {
    const slot = this.#loop.nextSlot()
    if (slot === -1 || this.#isAbandoned) {
      this.#loop.counters.acceptFailures++
      native().setLinger(fd, 0)
      native().close(fd)
      return
    }
    const connection = new RingConnection(this.#loop, fd, slot, NOBODY, null, true)
    this.#loop.occupy(connection, fd)
    if (this.#tls !== null) {
      TlsConnection.accept(this.#loop, connection, this.#tls, this.#acceptor)
      connection.begin()
      return
    }
    let handler: ConnectionHandler | undefined
    try {
      handler = this.#accepted(connection)
    } catch (error) {
      this.#loop.report(error)
    }
    if (handler === undefined) connection.reset()
    else {
      connection.handler = handler
      connection.begin()
    }
  }

  #failed(result: number): void {
    if (result === ERRNO.ECANCELED || result === ERRNO.EINTR || result === ERRNO.EAGAIN) return
    const errno = errnoName(result)
    // The client has gone before it was accepted: nothing is wrong with the listener.
    if (errno === 'ECONNABORTED' || errno === 'EPROTO') return
    this.#loop.counters.acceptFailures++
    if (closeReason(errno) !== 'overload') this.#loop.report(new Error(`accept: ${errno}`))
    if (!this.#isClosing) this.#loop.timers.arm(this.#retry, RETRY_MS)
  }

  /** Nothing is in flight: takes what is left in the queue, then closes. */
  #finish(): void {
    if (!this.#isAbandoned) for (let fd = native().accept(this.#fd); fd >= 0; fd = native().accept(this.#fd)) this.#adopt(fd)
    this.#loop.ring.closeDescriptor(this.#fd)
    this.#loop.removeListener(this.#slot)
    if (this.address.family === 'unix') removeSocketFile(this.address.path)
    this.#closed.resolve()
  }
}

function removeSocketFile(path: string): void {
  if (path.startsWith('@')) return
  try {
    unlinkSync(path)
  } catch {
    // Somebody else has removed it.
  }
}
