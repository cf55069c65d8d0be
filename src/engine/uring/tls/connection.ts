import type { ClientAddress, SocketAddress } from '../../../core/index.ts'
import type { CloseReason, Connection, ConnectionHandler } from '../../connection.ts'
import type { SecureHooks } from '../../engine.ts'
import { highWaterBytes } from '../../options.ts'
import type { RingConnection } from '../connection.ts'
import { DRAINED, ENDED, OPENED, RECEIVED, tell } from '../connection-state.ts'
import type { Loop, Turned } from '../loop.ts'
import type { SendQueue } from '../send-queue.ts'
import type { RingTlsClient } from './client.ts'
import { Handshake, type TlsAccepting } from './handshake.ts'
import { TlsInput } from './input.ts'
import { FLUSHED, TlsOutput } from './output.ts'
import { RingSecure } from './secure.ts'
import type { RingTlsServer } from './server.ts'

/*
 *   SHAKING ──done──▶ OPEN ──close()──▶ FLUSHING ──▶ OVER
 *      └── failed, too slow ──┴── reset(), failure ──▶ OVER        the socket's own end follows, and closed() with it
 */
const SHAKING = 0
const OPEN = 1
const FLUSHING = 2
const OVER = 3

const NOBODY: ConnectionHandler = { opened() {}, received() {}, ended() {}, drained() {}, closed() {} }

/**
 * A connection over TLS: it owns a RingConnection, whose bytes are ciphertext, and is itself one whose bytes are plaintext.
 *
 *   socket ─▶ RingConnection ─▶ received(): Handshake, then TlsInput decrypts into the bump block ─▶ handler
 *   socket ◀─ RingConnection ◀─ flush(): TlsOutput encrypts what the turn has queued, in records of 16 KiB ◀─ send()
 */
export class TlsConnection implements Connection, ConnectionHandler, Turned {
  handler: ConnectionHandler = NOBODY
  isCongested = false
  readonly secure: RingSecure
  readonly raw: RingConnection
  readonly output: TlsOutput
  /** OpenSSL's; negative once it is gone. */
  session: number
  readonly #loop: Loop
  readonly #input: TlsInput
  readonly #plain: SendQueue
  /** While it is under way. */
  #handshake: Handshake | null
  #state = SHAKING
  #reason: CloseReason | null = null
  /** The handshake is done. */
  #isAgreed = false
  #isPaused = false
  #isEnding = false
  #hasEnded = false
  #peerEnded = false
  #isDirty = false

  /** `session` is -errno when there was no memory for it; `accepting` is null for a client. */
  private constructor(loop: Loop, raw: RingConnection, session: number, accepting: TlsAccepting | null, timeoutMs: number) {
    this.#loop = loop
    this.raw = raw
    raw.handler = this
    this.session = session
    this.output = new TlsOutput(loop, raw, this)
    this.#plain = this.output.queue
    this.#input = new TlsInput(loop, this)
    this.secure = new RingSecure(() => (this.session < 0 || !this.#isAgreed ? null : loop.tls.native.info(this.session)))
    this.#handshake = new Handshake(loop, this, accepting, timeoutMs)
    if (session < 0) raw.fail('overload')
  }

  /** The server's side over `raw`, from its first byte on. */
  static accept(loop: Loop, raw: RingConnection, server: RingTlsServer, acceptor: SecureHooks): TlsConnection {
    const session = loop.tls.native.open(server.context, '', '', -1)
    return new TlsConnection(loop, raw, session, { server, acceptor }, server.options.handshakeTimeoutMs)
  }

  /** A client's, which begins when `raw` is connected; `timeoutMs` is for both. */
  static connect(loop: Loop, raw: RingConnection, client: RingTlsClient, timeoutMs: number, handler: ConnectionHandler): TlsConnection {
    const { serverName, verify } = client.options
    const session = loop.tls.native.open(client.context, serverName, verify?.name ?? '', client.seat)
    const connection = new TlsConnection(loop, raw, session, null, timeoutMs)
    connection.handler = handler
    return connection
  }

  get remote(): SocketAddress {
    return this.raw.remote
  }

  get local(): SocketAddress {
    return this.raw.local
  }

  readRemoteIp(out: ClientAddress): void {
    this.raw.readRemoteIp(out)
  }

  get isOpen(): boolean {
    return this.#state === OPEN && this.raw.isOpen
  }

  get queuedBytes(): number {
    return this.#plain.bytes + this.raw.queuedBytes
  }

  get receivedBytes(): number {
    return this.raw.receivedBytes
  }

  get sentBytes(): number {
    return this.raw.sentBytes
  }

  reserve(length: number): number {
    return this.raw.reserve(length)
  }

  commit(length: number): void {
    if (length > 0 && this.#maySend()) this.#queued(this.#plain.commit(length))
  }

  send(start: number, end: number): void {
    if (start < end && this.#maySend()) this.#queued(this.#plain.append(start, end))
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
    // A handshake has to go on.
    if (this.#state === OPEN) this.raw.pause()
  }

  resume(): void {
    if (!this.#isPaused || this.#state > OPEN) return
    this.#isPaused = false
    if (!this.#input.isStalled) this.raw.resume()
  }

  close(): void {
    if (this.#state === SHAKING) this.reset()
    if (this.#state !== OPEN) return
    this.#state = FLUSHING
    this.#input.clear()
    this.#touch()
  }

  reset(): void {
    this.#state = OVER
    this.raw.reset()
  }

  flush(): void {
    this.#isDirty = false
    if ((this.#state !== OPEN && this.#state !== FLUSHING) || !this.raw.isOpen) return
    const flushed = this.output.flush(this.session)
    if (flushed === FLUSHED.FAILED) this.fail('failed')
    if (flushed !== FLUSHED.ALL) return
    if (this.#state === FLUSHING) this.#finish()
    else if (this.#isEnding && !this.#hasEnded) {
      if (this.output.end(this.session) !== FLUSHED.ALL) return
      this.#hasEnded = true
      this.raw.end()
      if (this.#peerEnded) this.raw.close()
    } else if (this.isCongested && !this.raw.expectDrained()) this.drained()
  }

  // From the socket.

  opened(): void {
    this.#handshake?.receive(0, 0)
  }

  received(_raw: Connection, start: number, end: number): void {
    if (this.#state >= FLUSHING) return
    if (this.#handshake?.isPlain(start) === true) this.#speaksPlain(this.#handshake.acceptor as SecureHooks, start, end)
    else if (this.#input.isStalled) this.#input.keep(start, end)
    else this.feed(start, end)
  }

  ended(): void {
    if (this.#input.isStalled) this.#input.keepEnd()
    else this.#socketEnded()
  }

  drained(): void {
    if (!this.isCongested || this.#state !== OPEN) return
    this.isCongested = false
    this.#tell(DRAINED)
  }

  closed(_raw: Connection, reason: CloseReason): void {
    this.#state = OVER
    this.#handshake?.gone(reason)
    this.output.clear()
    this.#input.clear()
    // While the session is there it can be asked for the log.
    try {
      this.handler.closed(this, this.#reason ?? reason)
    } catch (error) {
      this.#loop.report(error)
    }
    this.#closeSession()
  }

  // From the handshake and the input.

  /** Bytes that arrive are still wanted. */
  get isListening(): boolean {
    return this.#state <= OPEN
  }

  /** Takes ciphertext; plaintext goes to the handler block by block. */
  feed(start: number, end: number): void {
    let at = start
    while (this.#state <= OPEN) {
      const next = this.#handshake === null ? this.#input.receive(at, end) : this.#handshake.receive(at, end)
      if (next === -1) return
      at = next
    }
  }

  /** The handshake is done. */
  agreed(acceptor: SecureHooks | null): void {
    this.#handshake = null
    this.#isAgreed = true
    this.#state = OPEN
    if (this.#isPaused) this.raw.pause()
    if (acceptor !== null) {
      const handler = this.#ask(acceptor.accepted, this)
      if (handler === undefined) this.reset()
      else this.handler = handler
    } else {
      if (!this.#plain.isEmpty || this.#isEnding) this.#touch()
      this.#tell(OPENED)
    }
  }

  tellReceived(start: number, end: number): void {
    this.#tell(RECEIVED, start, end)
  }

  /** close_notify: the peer sends nothing more. */
  peerHasEnded(): void {
    if (this.#peerEnded) return
    this.#peerEnded = true
    this.#tell(ENDED)
    if (this.#hasEnded && this.#state === OPEN) this.raw.close()
  }

  /** Nothing waits for a block any more; behind it came FIN, or not. */
  relieved(hasEnded: boolean): void {
    if (this.#state !== OPEN) return
    if (hasEnded) this.#socketEnded()
    else if (!this.#isPaused) this.raw.resume()
  }

  /** Ends with what is queued on the socket, an alert perhaps, and that reason. */
  fail(reason: CloseReason): void {
    if (this.#state === OVER) return
    this.#reason = reason
    this.#state = OVER
    this.raw.close()
  }

  /** Ends at once, for that reason. */
  cut(reason: CloseReason): void {
    this.#reason = reason
    this.reset()
  }

  // Inner steps.

  /** FIN. Without close_notify before it nobody knows whether the peer had more to say. */
  #socketEnded(): void {
    if (this.#peerEnded || this.#state >= FLUSHING) return
    if (this.#handshake === null) this.fail('truncated')
    else this.#handshake.fail('handshake', 'the peer closed the connection during the handshake')
  }

  /** Not a word of TLS: perhaps a browser that was told "http:". */
  #speaksPlain(acceptor: SecureHooks, start: number, end: number): void {
    this.#handshake?.end()
    this.#handshake = null
    this.#state = OVER
    this.#closeSession()
    const { raw } = this
    raw.handler = NOBODY
    const handler = this.#ask(acceptor.plaintext, raw)
    acceptor.failed('no TLS', handler !== undefined)
    if (handler === undefined) raw.reset()
    else {
      raw.handler = handler
      tell(handler, raw, RECEIVED, start, end)
    }
  }

  #finish(): void {
    if (!this.#hasEnded && this.output.end(this.session) !== FLUSHED.ALL) return
    this.#state = OVER
    this.raw.close()
  }

  #closeSession(): void {
    if (this.session >= 0) this.#loop.tls.native.close(this.session)
    this.session = -1
  }

  #maySend(): boolean {
    return this.#state <= OPEN && !this.#isEnding
  }

  #queued(hasRoom: boolean): void {
    const { blocks, options } = this.#loop
    if (this.queuedBytes > highWaterBytes(options, blocks.isScarce)) this.isCongested = true
    if (hasRoom) this.#touch()
    else this.fail('overload')
  }

  #touch(): void {
    if (this.#isDirty) return
    this.#isDirty = true
    this.#loop.touch(this)
  }

  #ask(accepted: (connection: Connection) => ConnectionHandler | undefined, connection: Connection): ConnectionHandler | undefined {
    try {
      return accepted(connection)
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
      this.fail('failed')
    }
  }
}
