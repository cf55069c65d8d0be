import type { ClientAddress, SocketAddress } from '../../../core/index.ts'
import { TLS_BIT, TLS_RESULT } from '../../../kernel/index.ts'
import type { CloseReason, Connection, ConnectionHandler } from '../../connection.ts'
import { highWaterBytes } from '../../options.ts'
import { Timer, type TimerTarget } from '../../timers.ts'
import { ClientHello } from '../../tls/index.ts'
import type { RingConnection } from '../connection.ts'
import { DRAINED, ENDED, OPENED, RECEIVED, tell } from '../connection-state.ts'
import type { Loop, Turned } from '../loop.ts'
import type { SendQueue } from '../send-queue.ts'
import { TlsOutput } from './output.ts'
import { RingSecure } from './secure.ts'
import type { RingTlsServer } from './server.ts'
import { Stalled } from './stalled.ts'
import type { TlsThread } from './thread.ts'

/*
 *   SHAKING ──done──▶ OPEN ──close()──▶ FLUSHING ──▶ OVER
 *      └── failed, too slow ──┴── reset(), failure ──▶ OVER        the socket's own end follows, and closed() with it
 */
const SHAKING = 0
const OPEN = 1
const FLUSHING = 2
const OVER = 3

/** First byte of a handshake's record; what begins otherwise is no TLS. */
const HANDSHAKE_RECORD = 22
/** Room for a flight of handshake messages; longer ones overflow and follow. */
const FLIGHT_BYTES = 8192
/** A record that began in an earlier piece may bring this much more plaintext than the piece has ciphertext. */
const PENDING_BYTES = 16 * 1024
/** How often a connection that found no block for its plaintext looks again. */
const STALLED_MS = 16

/** What a listener gives to the connections that it accepts over TLS. */
export interface TlsAcceptor {
  /** The owner of a connection whose handshake is done; undefined resets it. */
  accepted(connection: Connection): ConnectionHandler | undefined
  /** The owner of a connection that speaks no TLS; undefined resets it. */
  plaintext(connection: Connection): ConnectionHandler | undefined
  failed(reason: string): void
}

const NOBODY: ConnectionHandler = { opened() {}, received() {}, ended() {}, drained() {}, closed() {} }

/**
 * A connection over TLS: it owns a RingConnection, whose bytes are ciphertext, and is itself one whose bytes are plaintext.
 *
 *   socket ─▶ RingConnection ─▶ received(): decrypts into the bump block ─▶ handler
 *   socket ◀─ RingConnection ◀─ flush(): encrypts what the turn has queued, in records of 16 KiB ◀─ send()
 */
export class TlsConnection implements Connection, ConnectionHandler, Turned, TimerTarget {
  handler: ConnectionHandler = NOBODY
  isCongested = false
  readonly secure: RingSecure
  readonly #loop: Loop
  readonly #thread: TlsThread
  readonly #raw: RingConnection
  readonly #output: TlsOutput
  readonly #plain: SendQueue
  readonly #timer = new Timer(this)
  readonly #stalled: Stalled
  #server: RingTlsServer | null
  #acceptor: TlsAcceptor | null
  #session: number
  #state = SHAKING
  #reason: CloseReason | null = null
  /** The handshake is done. */
  #isAgreed = false
  #isFresh = true
  #isPartial = false
  #isPaused = false
  #isEnding = false
  #hasEnded = false
  #peerEnded = false
  #isDirty = false

  /** `raw` must tell its events to this connection. `session` is -errno when there was no memory for it; `timeoutMs` is a client's. */
  constructor(loop: Loop, raw: RingConnection, session: number, server: RingTlsServer | null, acceptor: TlsAcceptor | null, timeoutMs = 0) {
    this.#loop = loop
    this.#thread = loop.tls
    this.#raw = raw
    this.#session = session
    this.#server = server
    this.#acceptor = acceptor
    this.#output = new TlsOutput(loop, raw)
    this.#plain = this.#output.queue
    this.#stalled = new Stalled(loop.blocks)
    this.secure = new RingSecure(() => (this.#session < 0 || !this.#isAgreed ? null : this.#thread.native.info(this.#session)))
    if (server !== null) this.#join(server)
    else loop.timers.arm(this.#timer, timeoutMs)
    if (session < 0) raw.fail('overload')
  }

  get remote(): SocketAddress {
    return this.#raw.remote
  }

  get local(): SocketAddress {
    return this.#raw.local
  }

  readRemoteIp(out: ClientAddress): void {
    this.#raw.readRemoteIp(out)
  }

  get isOpen(): boolean {
    return this.#state === OPEN && this.#raw.isOpen
  }

  get queuedBytes(): number {
    return this.#plain.bytes + this.#raw.queuedBytes
  }

  get receivedBytes(): number {
    return this.#raw.receivedBytes
  }

  get sentBytes(): number {
    return this.#raw.sentBytes
  }

  reserve(length: number): number {
    return this.#loop.bump.room(length)
  }

  commit(length: number): void {
    if (length === 0 || !this.#maySend()) return
    const bump = this.#loop.bump
    const start = bump.cursor
    bump.advance(length)
    this.#queued(this.#plain.commit(start, start + length))
  }

  send(start: number, end: number): void {
    if (start >= end || !this.#maySend()) return
    this.#queued(this.#plain.append(start, end))
  }

  end(): void {
    if (!this.#maySend()) return
    this.#isEnding = true
    this.#touch()
  }

  pause(): void {
    if (this.#isPaused || this.#state > OPEN) return
    this.#isPaused = true
    // A handshake has to go on.
    if (this.#state === OPEN) this.#raw.pause()
  }

  resume(): void {
    if (!this.#isPaused || this.#state > OPEN) return
    this.#isPaused = false
    if (this.#stalled.isEmpty) this.#raw.resume()
  }

  close(): void {
    if (this.#state === SHAKING) this.reset()
    if (this.#state !== OPEN) return
    this.#state = FLUSHING
    this.#stalled.clear()
    this.#touch()
  }

  reset(): void {
    this.#state = OVER
    this.#raw.reset()
  }

  // From the engine.

  /** Takes leave of the server's contexts, which are about to be closed: what is under way goes on with the one it has. */
  adopt(): void {
    this.#leave()
  }

  /** The handshake takes too long, or there may be blocks again. */
  expired(): void {
    if (this.#state === SHAKING) {
      this.secure.failure = 'the handshake took too long'
      this.#acceptor?.failed(this.secure.failure)
      this.#reason = 'timeout'
      this.reset()
    } else if (!this.#stalled.isEmpty) this.#relieve()
  }

  flush(): void {
    this.#isDirty = false
    if ((this.#state !== OPEN && this.#state !== FLUSHING) || !this.#raw.isOpen) return
    const failure = this.#output.flush(this.#session)
    if (failure !== null) {
      this.#fail(failure)
      return
    }
    if (this.#state === FLUSHING) this.#finish()
    else if (this.#isEnding && !this.#hasEnded) {
      this.#hasEnded = true
      this.#output.end(this.#session)
      this.#raw.end()
      if (this.#peerEnded) this.#raw.close()
    } else if (this.isCongested && !this.#raw.expectDrained()) this.drained()
  }

  // From the socket.

  opened(): void {
    const out = this.#raw.reserve(FLIGHT_BYTES)
    if (out === -1) {
      this.#fail('overload')
      return
    }
    const bits = this.#thread.native.start(this.#session, out, out + FLIGHT_BYTES)
    if (!this.#output.sendReserved(this.#session)) this.#fail('overload')
    if ((bits & TLS_BIT.failed) !== 0) this.#handshakeFailed()
  }

  received(_raw: Connection, start: number, end: number): void {
    if (this.#state >= FLUSHING) return
    if (this.#isFresh && this.#acceptor !== null && this.#loop.memory[start] !== HANDSHAKE_RECORD) {
      this.#speaksPlain(start, end)
      return
    }
    this.#isFresh = false
    if (!this.#stalled.isEmpty) this.#stalled.push(start, end)
    else this.#feed(start, end)
  }

  ended(): void {
    if (!this.#stalled.isEmpty) this.#stalled.hasEnded = true
    else this.#socketEnded()
  }

  drained(): void {
    if (!this.isCongested || this.#state !== OPEN) return
    this.isCongested = false
    this.#tell(DRAINED)
  }

  closed(_raw: Connection, reason: CloseReason): void {
    const wasShaking = this.#state === SHAKING || this.#acceptor !== null
    this.#state = OVER
    this.#loop.timers.disarm(this.#timer)
    this.#leave()
    this.#plain.clear()
    this.#stalled.clear()
    if (wasShaking && this.#acceptor !== null && this.secure.failure === '') this.#acceptor.failed(`the client went away: ${reason}`)
    // While the session is there it can be asked for the log.
    try {
      this.handler.closed(this, this.#reason ?? reason)
    } catch (error) {
      this.#loop.report(error)
    }
    if (this.#session >= 0) {
      this.#thread.native.close(this.#session)
      this.#session = -1
    }
  }

  // Inner steps.

  #join(server: RingTlsServer): void {
    const { handshakes, options } = server
    if (handshakes.size >= options.maxHandshakes) {
      const [oldest] = handshakes
      oldest.#dropHandshake()
    }
    handshakes.add(this)
    this.#loop.timers.arm(this.#timer, options.handshakeTimeoutMs)
  }

  #leave(): void {
    this.#server?.handshakes.delete(this)
    this.#server = null
  }

  #dropHandshake(): void {
    this.secure.failure = 'too many handshakes at a time'
    this.#acceptor?.failed(this.secure.failure)
    this.#leave()
    this.reset()
  }

  /** Takes ciphertext; plaintext goes to the handler block by block. */
  #feed(start: number, end: number): void {
    let at = start
    while (this.#state <= OPEN) {
      const next = this.#state === SHAKING ? this.#shake(at, end) : this.#decrypt(at, end)
      if (next === -1) return
      at = next
    }
  }

  /** One step of the handshake. Returns how far it got in the ciphertext, or -1 where there is nothing to go on with. */
  #shake(at: number, end: number): number {
    const { native, results } = this.#thread
    const out = this.#raw.reserve(FLIGHT_BYTES)
    if (out === -1) {
      this.#fail('overload')
      return -1
    }
    const bits = native.receive(this.#session, at, end, 0, 0, out, out + FLIGHT_BYTES)
    const next = end - results[TLS_RESULT.inLeft]
    if (!this.#output.sendReserved(this.#session)) this.#fail('overload')
    if ((bits & TLS_BIT.failed) !== 0) this.#handshakeFailed()
    else if ((bits & TLS_BIT.hello) !== 0) {
      this.#choose()
      return next
    } else if ((bits & TLS_BIT.done) !== 0) {
      this.#handshakeDone()
      return next
    }
    return -1
  }

  /** The ClientHello has come: chooses the certificate. */
  #choose(): void {
    const { native } = this.#thread
    const hello = ClientHello.parse(native.hello(this.#session))
    const server = this.#server
    if (server === null) return
    if (server.options.fingerprints) this.secure.recognize(hello)
    const context = server.contextFor(hello.serverName)
    if (context !== server.context) native.useContext(this.#session, context)
  }

  #handshakeDone(): void {
    this.#loop.timers.disarm(this.#timer)
    this.#leave()
    this.#isAgreed = true
    this.#state = OPEN
    if (this.#isPaused) this.#raw.pause()
    const acceptor = this.#acceptor
    this.#acceptor = null
    if (acceptor !== null) {
      const handler = this.#ask(acceptor.accepted)
      if (handler === undefined) this.reset()
      else this.handler = handler
    } else {
      if (!this.#plain.isEmpty || this.#isEnding) this.#touch()
      this.#tell(OPENED)
    }
  }

  #handshakeFailed(): void {
    this.secure.failure = this.#thread.native.failure(this.#session)
    this.#acceptor?.failed(this.secure.failure)
    this.#fail('handshake')
  }

  #decrypt(at: number, end: number): number {
    const { native, results } = this.#thread
    const { bump, blocks } = this.#loop
    const wanted = Math.min(end - at + (this.#isPartial ? PENDING_BYTES : 0), blocks.blockBytes)
    const plain = bump.room(wanted)
    if (plain === -1) return this.#stall(at, end)
    const bits = native.receive(this.#session, at, end, plain, plain + wanted, 0, 0)
    const count = results[TLS_RESULT.plainBytes]
    const next = end - results[TLS_RESULT.inLeft]
    this.#isPartial = (bits & TLS_BIT.partial) !== 0
    if (count > 0) {
      bump.advance(count)
      blocks.hold(plain)
    }
    if (results[TLS_RESULT.overflowBytes] > 0 && !this.#output.sendOverflow(this.#session)) this.#fail('overload')
    if (count > 0) {
      this.#tell(RECEIVED, plain, plain + count)
      blocks.release(plain)
    }
    if (this.#state > OPEN) return -1
    if ((bits & TLS_BIT.failed) !== 0) this.#fail('failed')
    else if ((bits & TLS_BIT.ended) !== 0) this.#endReceived()
    return (bits & TLS_BIT.more) === 0 ? -1 : next
  }

  /** close_notify: the peer sends nothing more. */
  #endReceived(): void {
    if (this.#peerEnded) return
    this.#peerEnded = true
    this.#tell(ENDED)
    if (this.#hasEnded && this.#state === OPEN) this.#raw.close()
  }

  /** FIN. Without close_notify before it nobody knows whether the peer had more to say. */
  #socketEnded(): void {
    if (this.#peerEnded || this.#state >= FLUSHING) return
    this.#reason = this.#state === SHAKING ? 'handshake' : 'truncated'
    if (this.#state === SHAKING) {
      this.secure.failure = 'the peer closed the connection during the handshake'
      this.#acceptor?.failed(this.secure.failure)
    }
    this.#state = OVER
    this.#raw.close()
  }

  /** Not a word of TLS: perhaps a browser that was told "http:". */
  #speaksPlain(start: number, end: number): void {
    const acceptor = this.#acceptor as TlsAcceptor
    this.#loop.timers.disarm(this.#timer)
    this.#leave()
    this.#acceptor = null
    this.#state = OVER
    this.#thread.native.close(this.#session)
    this.#session = -1
    acceptor.failed('no TLS')
    const raw = this.#raw
    raw.handler = NOBODY
    const handler = this.#ask(() => acceptor.plaintext(raw))
    if (handler === undefined) raw.reset()
    else {
      raw.handler = handler
      tell(handler, raw, RECEIVED, start, end)
    }
  }

  #finish(): void {
    if (!this.#hasEnded) this.#output.end(this.#session)
    this.#state = OVER
    this.#raw.close()
  }

  /** There is no block for plaintext: keeps the ciphertext and looks again soon. */
  #stall(start: number, end: number): number {
    this.#loop.counters.receiveStarvations++
    this.#stalled.push(start, end)
    this.#raw.pause()
    this.#loop.timers.arm(this.#timer, STALLED_MS)
    return -1
  }

  #relieve(): void {
    const waiting = this.#stalled.take()
    for (const [start, end] of waiting) {
      if (this.#state !== OPEN) break
      if (this.#stalled.isEmpty) this.#feed(start, end)
      else this.#stalled.push(start, end)
    }
    for (const [start] of waiting) this.#loop.blocks.release(start)
    if (!this.#stalled.isEmpty || this.#state !== OPEN) return
    if (this.#stalled.hasEnded) this.#socketEnded()
    else if (!this.#isPaused) this.#raw.resume()
  }

  #maySend(): boolean {
    return this.#state <= OPEN && !this.#isEnding
  }

  #queued(hasRoom: boolean): void {
    const { blocks, options } = this.#loop
    if (this.queuedBytes > highWaterBytes(options, blocks.isScarce)) this.isCongested = true
    if (hasRoom) this.#touch()
    else this.#fail('overload')
  }

  #touch(): void {
    if (this.#isDirty) return
    this.#isDirty = true
    this.#loop.touch(this)
  }

  #ask(accepted: (connection: Connection) => ConnectionHandler | undefined): ConnectionHandler | undefined {
    try {
      return accepted(this)
    } catch (error) {
      this.#loop.report(error)
      return undefined
    }
  }

  #tell(event: number, start = 0, end = 0): void {
    try {
      tell(this.handler, this, event, start, end)
    } catch (error) {
      this.#loop.report(error)
      this.#fail('failed')
    }
  }

  /** Ends with what is queued on the socket, an alert perhaps, and that reason. */
  #fail(reason: CloseReason): void {
    if (this.#state === OVER) return
    this.#reason = reason
    this.#state = OVER
    this.#raw.close()
  }
}
