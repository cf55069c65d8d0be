import type { Socket } from 'node:net'
import { type ClientAddress, parseIp, type SocketAddress } from '../../core/index.ts'
import type { CloseReason, Connection, ConnectionHandler } from '../connection.ts'
import { closeReason } from '../failures.ts'
import { highWaterBytes } from '../options.ts'
import { Timer } from '../timers.ts'
import { anyAddress, ownAddress } from './address.ts'
import type { PortableEngine } from './engine.ts'
import { stopListening } from './events.ts'
import type { Loop, Turned } from './loop.ts'
import { SendQueue } from './send-queue.ts'
import type { PortableSecure } from './tls/index.ts'

/*
 *   CONNECTING ──connect──▶ OPEN ──close()──▶ FLUSHING ──queue empty──▶ DYING ──'close'──▶ CLOSED
 *        └── failure, timeout ──┴── reset(), failure ──┴────────────────▶ DYING
 */
const CONNECTING = 0
const OPEN = 1
const FLUSHING = 2
const DYING = 3
const CLOSED = 4

/** Written behind a write that the kernel did not take at once: its callback says that it has. */
const NOTHING = Buffer.alloc(0)

/** One net.Socket as a Connection. Events come in through the methods under "from node:net", all others are the room's. */
export class PortableConnection implements Connection, Turned {
  handler: ConnectionHandler
  receivedBytes = 0
  sentBytes = 0
  isCongested = false
  readonly remote: SocketAddress
  readonly #engine: PortableEngine
  readonly #loop: Loop
  readonly #queue: SendQueue
  readonly secure: PortableSecure | null
  #socket: Socket | null = null
  /** The socket beneath TLS, which alone can be reset; else the same. */
  #transport: Socket | null = null
  #local: SocketAddress | null
  #state: number
  #reason: CloseReason | null = null
  #isPaused = false
  #isEnding = false
  #isDirty = false
  /** Received, but there is no block to put it into. */
  #stalled: Uint8Array | null = null
  #connectTimer: Timer | null = null
  /** Made with the first write that has to wait. */
  #written: ((error?: Error | null) => void) | null = null

  /** `local` is null when the socket must be asked, which costs a system call. */
  constructor(
    engine: PortableEngine,
    handler: ConnectionHandler,
    remote: SocketAddress,
    local: SocketAddress | null,
    isAccepted: boolean,
    secure: PortableSecure | null = null,
  ) {
    this.secure = secure
    this.#engine = engine
    this.#loop = engine.loop
    this.handler = handler
    this.remote = remote
    this.#local = local
    this.#state = isAccepted ? OPEN : CONNECTING
    this.#queue = new SendQueue(engine.blocks, engine.loop.bump, engine.arena)
  }

  readRemoteIp(out: ClientAddress): void {
    if (this.remote.family === 'unix') out.clear()
    else parseIp(this.remote.host, out)
  }

  get local(): SocketAddress {
    if (this.#local !== null) return this.#local
    const own = this.#socket === null || this.#state === CONNECTING ? undefined : ownAddress(this.#socket, this.remote.family)
    if (own === undefined) return anyAddress(this.remote.family)
    this.#local = own
    return own
  }

  get isOpen(): boolean {
    return this.#state === OPEN
  }

  get isOver(): boolean {
    return this.#state >= DYING
  }

  get queuedBytes(): number {
    return this.#queue.bytes
  }

  reserve(length: number): number {
    return this.#loop.bump.room(length)
  }

  commit(length: number): void {
    if (length === 0 || !this.#maySend()) return
    this.#queue.commit(length)
    this.#queued()
  }

  send(start: number, end: number): void {
    if (start >= end || !this.#maySend()) return
    this.#queue.append(start, end)
    this.#queued()
  }

  splice(): boolean {
    return false
  }

  end(): void {
    if (!this.#maySend()) return
    this.#isEnding = true
    this.#touch()
  }

  pause(): void {
    if (this.#isPaused || this.#state > OPEN) return
    this.#isPaused = true
    this.#socket?.pause()
  }

  resume(): void {
    if (!this.#isPaused || this.#state > OPEN) return
    this.#isPaused = false
    if (this.#stalled === null) this.#socket?.resume()
  }

  close(): void {
    if (this.#state === CONNECTING) this.reset()
    if (this.#state !== OPEN) return
    this.#state = FLUSHING
    // What still arrives is read and dropped: unread bytes would turn the FIN into an RST.
    if (this.#isPaused || this.#stalled !== null) this.#socket?.resume()
    this.#stalled = null
    this.#touch()
  }

  reset(): void {
    if (this.#state >= DYING) return
    const wasConnected = this.#state !== CONNECTING
    this.#die('local')
    const socket = this.#transport
    if (socket === null) setImmediate(() => this.gone('local'))
    else if (!wasConnected || this.remote.family === 'unix') socket.destroy()
    // libuv cannot reset while a FIN is on its way out.
    else if (socket.writableEnded && !socket.writableFinished) socket.once('finish', () => socket.resetAndDestroy())
    else socket.resetAndDestroy()
  }

  // From the engine.

  attach(socket: Socket, transport = socket): void {
    this.#socket = socket
    this.#transport = transport
    if (this.#isPaused) socket.pause()
  }

  /** Gives the socket away, paused: this connection is over, and nobody is told. */
  detach(): Socket | null {
    const socket = this.#socket
    if (socket === null || this.#state !== OPEN) return null
    this.#state = CLOSED
    this.#socket = null
    this.#transport = null
    this.#stalled = null
    this.#queue.clear()
    stopListening(socket)
    socket.pause()
    this.#engine.forget(this)
    return socket
  }

  startConnectTimer(timeoutMs: number): void {
    this.#connectTimer = new Timer(this)
    this.#loop.timers.arm(this.#connectTimer, timeoutMs)
  }

  /** The connect has taken too long. */
  expired(): void {
    if (this.#state !== CONNECTING) return
    this.#die('timeout')
    this.#transport?.destroy()
  }

  /** Gives an accepted connection to its owner and begins to receive. */
  begin(handler: ConnectionHandler): void {
    this.handler = handler
    if (!this.#isPaused) this.#socket?.resume()
  }

  /** Hands what is queued to Node. The engine calls this once per event for each connection that changed. */
  flush(): void {
    this.#isDirty = false
    const socket = this.#socket
    if (socket === null || this.#state === CONNECTING || this.#state >= DYING || this.#queue.isInFlight) return
    while (!this.#queue.isEmpty) {
      if (!this.#queue.writeTo(socket)) {
        this.#written ??= (error) => {
          if (!error) this.wrote()
        }
        socket.write(NOTHING, this.#written)
        return
      }
      this.#taken()
    }
    this.#flushed(socket)
  }

  /** Puts what waited for a block into the arena. False when there is still not enough room. */
  relieve(): boolean {
    const stalled = this.#stalled
    if (stalled === null) return true
    const passed = this.#pass(stalled, stalled.length)
    if (this.#stalled === null) return true
    if (passed < stalled.length) {
      this.#stalled = stalled.subarray(passed)
      return false
    }
    this.#stalled = null
    if (!this.#isPaused) this.#socket?.resume()
    return true
  }

  // From node:net. Each of these is one event: enter, tell the handler, leave.

  connected(): void {
    if (this.#state !== CONNECTING) return
    this.#state = OPEN
    if (this.#connectTimer !== null) this.#loop.timers.disarm(this.#connectTimer)
    this.#loop.enter()
    if (!this.#queue.isEmpty || this.#isEnding) this.#touch()
    try {
      this.handler.opened(this)
    } catch (error) {
      this.#fail(error)
    }
    this.#loop.leave()
  }

  /** `source` is Node's and valid only now. */
  read(source: Uint8Array, length: number): void {
    if (this.#state !== OPEN) return
    this.#loop.enter()
    this.receivedBytes += length
    const passed = this.#pass(source, length)
    if (passed < length && this.#state === OPEN) {
      // Buffer's own slice() would be a view of memory that the next read overwrites.
      this.#stalled = Uint8Array.prototype.slice.call(source, passed, length)
      this.#socket?.pause()
      this.#loop.starve(this)
    }
    this.#loop.leave()
  }

  peerEnded(): void {
    if (this.#state !== OPEN) return
    this.#loop.enter()
    try {
      this.handler.ended(this)
    } catch (error) {
      this.#fail(error)
    }
    this.#loop.leave()
  }

  wrote(): void {
    if (this.#state >= DYING) return
    this.#loop.enter()
    this.#taken()
    this.#touch()
    this.#loop.leave()
  }

  failed(error: NodeJS.ErrnoException): void {
    this.#die(this.#reasonOf(error))
    // A reset that the system refuses leaves Node without a handle to close, and so without a 'close'.
    if (error.syscall === 'reset') setImmediate(() => this.gone('failed'))
    else if (this.secure !== null) this.#breakOff()
  }

  /** The socket is closed, or there never was one. The last event: gives everything back and tells the handler. */
  gone(reason: CloseReason): void {
    if (this.#state === CLOSED) return
    this.#state = CLOSED
    this.#loop.enter()
    this.#stalled = null
    this.#queue.clear()
    if (this.#connectTimer !== null) this.#loop.timers.disarm(this.#connectTimer)
    this.#engine.forget(this)
    try {
      this.handler.closed(this, this.#reason ?? reason)
    } catch (error) {
      this.#loop.report(error)
    }
    this.#loop.leave()
  }

  // Inner steps.

  /** An error of TLS on a connection that stands leaves both sockets as they are, if half-open is allowed. */
  #breakOff(): void {
    this.#socket?.destroy()
    this.#transport?.once('close', () => this.gone('failed'))
    this.#transport?.destroy()
  }

  /** Hands `length` bytes to the handler, block by block, and returns how many found a block. */
  #pass(source: Uint8Array, length: number): number {
    const { blocks, memory } = this.#engine
    const bump = this.#loop.bump
    let passed = 0
    while (passed < length && this.#state === OPEN) {
      const run = Math.min(length - passed, blocks.blockBytes)
      const start = this.#loop.roomToReceive(run)
      if (start === -1) return passed
      memory.set(run === source.length ? source : source.subarray(passed, passed + run), start)
      bump.advance(run)
      passed += run
      blocks.hold(start)
      try {
        this.handler.received(this, start, start + run)
      } catch (error) {
        this.#fail(error)
      }
      blocks.release(start)
    }
    return length
  }

  #taken(): void {
    this.sentBytes += this.#queue.taken()
    if (!this.isCongested || this.#queue.bytes > this.#engine.options.lowWaterBytes || this.#state !== OPEN) return
    this.isCongested = false
    try {
      this.handler.drained(this)
    } catch (error) {
      this.#fail(error)
    }
  }

  /** The queue is empty: a close or an end that waited for it can go. */
  #flushed(socket: Socket): void {
    if (this.#state === FLUSHING) {
      this.#die('done')
      socket.destroy()
    } else if (this.#isEnding && !socket.writableEnded) {
      socket.end()
    }
  }

  /** What is no error of the socket during a handshake is one of TLS. */
  #reasonOf(error: NodeJS.ErrnoException): CloseReason {
    const reason = closeReason(error.code ?? '')
    if (this.secure === null || this.#state !== CONNECTING || reason !== 'failed') return reason
    this.secure.failure = (error as { reason?: string }).reason ?? error.message
    return 'handshake'
  }

  #maySend(): boolean {
    return this.#state <= OPEN && !this.#isEnding
  }

  #queued(): void {
    const { blocks, options } = this.#engine
    if (this.#queue.bytes > highWaterBytes(options, blocks.isScarce)) this.isCongested = true
    this.#touch()
  }

  #touch(): void {
    if (this.#isDirty) return
    this.#isDirty = true
    this.#loop.changed(this)
  }

  #fail(error: unknown): void {
    this.#loop.report(error)
    if (this.#state >= DYING) return
    this.#die('failed')
    this.#socket?.destroy()
  }

  /** From here on nothing reaches the handler but closed(). */
  #die(reason: CloseReason): void {
    this.#reason ??= reason
    this.#state = DYING
    this.#stalled = null
  }
}
