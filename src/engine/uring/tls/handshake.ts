import { TLS_BIT, TLS_RESULT } from '../../../kernel/index.ts'
import type { CloseReason } from '../../connection.ts'
import type { SecureHooks } from '../../engine.ts'
import { Timer, type TimerTarget } from '../../timers.ts'
import { ClientHello, HANDSHAKE_RECORD } from '../../tls/index.ts'
import type { Loop } from '../loop.ts'
import type { TlsConnection } from './connection.ts'
import type { RingTlsServer } from './server.ts'
import type { TlsThread } from './thread.ts'

/** Room for a flight of handshake messages; longer ones overflow and follow. */
const FLIGHT_BYTES = 8192

/** The listener's side of a handshake: its certificates, and who gets the connection. */
export interface TlsAccepting {
  readonly server: RingTlsServer
  readonly acceptor: SecureHooks
}

/**
 * The handshake of one connection, with its deadline: forgotten when it is done. A server's is one of those that its RingTlsServer counts, and
 * stops once, at the ClientHello, where the certificate depends on the name that the client asks for.
 */
export class Handshake implements TimerTarget {
  readonly acceptor: SecureHooks | null
  readonly #loop: Loop
  readonly #thread: TlsThread
  readonly #connection: TlsConnection
  readonly #timer = new Timer(this)
  #server: RingTlsServer | null
  #hasBegun = false

  /** `accepting` is null for a client. */
  constructor(loop: Loop, connection: TlsConnection, accepting: TlsAccepting | null, timeoutMs: number) {
    this.acceptor = accepting?.acceptor ?? null
    this.#server = accepting?.server ?? null
    this.#loop = loop
    this.#thread = loop.tls
    this.#connection = connection
    this.#server?.enter(this)
    loop.timers.arm(this.#timer, timeoutMs)
  }

  /** Whether what a client begins with is no TLS. */
  isPlain(start: number): boolean {
    const isFirst = !this.#hasBegun
    this.#hasBegun = true
    return isFirst && this.acceptor !== null && this.#loop.memory[start] !== HANDSHAKE_RECORD
  }

  /** One step, with what has come; a client begins with nothing. Returns how far it got, or -1 where there is nothing to go on with. */
  receive(start: number, end: number): number {
    const { native, results } = this.#thread
    const { raw, output, session } = this.#connection
    const out = raw.reserve(FLIGHT_BYTES)
    if (out === -1) {
      this.#connection.fail('overload')
      return -1
    }
    const bits = native.receive(session, start, end, 0, 0, out, out + FLIGHT_BYTES)
    const next = end - results[TLS_RESULT.inLeft]
    if (!output.sendReserved(session)) this.#connection.fail('overload')
    if ((bits & TLS_BIT.failed) !== 0) this.fail('handshake', native.failure(session))
    else if ((bits & TLS_BIT.hello) !== 0) {
      this.#choose()
      return next
    } else if ((bits & TLS_BIT.done) !== 0) {
      this.end()
      this.#connection.agreed(this.acceptor)
      return next
    }
    return -1
  }

  /** It came to nothing: the connection is closed behind an alert, if there is one. */
  fail(reason: CloseReason, why: string): void {
    this.tell(why)
    this.#connection.fail(reason)
  }

  /** It is dropped for others. */
  drop(why: string): void {
    this.tell(why)
    this.end()
    this.#connection.reset()
  }

  /** Says why it came to nothing, once. */
  tell(why: string): void {
    const { secure } = this.#connection
    if (secure.failure !== '') return
    secure.failure = why
    this.acceptor?.failed(why, false)
  }

  /** The connection is over. */
  gone(reason: CloseReason): void {
    if (this.acceptor !== null) this.tell(`the client went away: ${reason}`)
    this.end()
  }

  /** It is over, one way or the other. */
  end(): void {
    this.#loop.timers.disarm(this.#timer)
    this.#server?.leave(this)
    this.#server = null
  }

  /** It takes too long. */
  expired(): void {
    this.tell('the handshake took too long')
    this.#connection.cut('timeout')
  }

  /** The ClientHello has come: chooses the certificate. */
  #choose(): void {
    const { native } = this.#thread
    const { secure, session } = this.#connection
    const hello = ClientHello.parse(native.hello(session))
    const server = this.#server
    if (server === null) return
    if (server.options.fingerprints) secure.recognize(hello)
    const challenge = server.challengeFor(hello)
    secure.isChallenge = challenge !== undefined
    const context = challenge ?? server.contextFor(hello.serverName)
    if (context !== server.context) native.useContext(session, context)
  }
}
