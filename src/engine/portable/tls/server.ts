import { constants, createHash, X509Certificate } from 'node:crypto'
import type { Socket } from 'node:net'
import { createServer, type SecureContextOptions, type Server, type TLSSocket } from 'node:tls'
import { EvenerError } from '../../../core/index.ts'
import {
  asksForChallenge,
  type CertificateOptions,
  CHALLENGE_PROTOCOL,
  ClientHello,
  certificateNames,
  HANDSHAKE_RECORD,
  helloOf,
  ja3,
  ja4,
  NameIndex,
  type TicketKeys,
  type TlsChallenges,
  type TlsServer,
  type TlsServerOptions,
} from '../../tls/index.ts'
import { PortableSecure } from './secure.ts'

/** As on the ring: no renegotiation, and ChaCha20 for clients that prefer it. */
const SERVER_OPTIONS = constants.SSL_OP_NO_RENEGOTIATION | constants.SSL_OP_PRIORITIZE_CHACHA

/** What a listener does with its connections. */
export interface PortableAcceptor {
  /** The handshake is done; `transport` is the socket beneath. */
  secured(socket: TLSSocket, transport: Socket, secure: PortableSecure): void
  /** Whether somebody has taken it. */
  plaintext(socket: Socket): boolean
  failed(reason: string, isTaken: boolean): void
}

interface Handshake {
  readonly transport: Socket
  readonly secure: PortableSecure
  readonly acceptor: PortableAcceptor
}

/** node:tls names the socket that a TLSSocket was made over so. */
interface Wrapping extends TLSSocket {
  readonly _parent: Socket
}

/**
 * A listener's certificates, each set that serves a name together in a tls.Server that listens nowhere: they are handed the sockets
 * that listeners accept, by the name in the ClientHello.
 */
export class PortableTlsServer implements TlsServer {
  readonly options: TlsServerOptions
  readonly #ticketKeys: TicketKeys
  readonly #index: NameIndex
  readonly #shaking: Set<Socket>
  readonly #servers = new Map<string, Server>()
  /** By name. */
  #challenges: ReadonlyMap<string, Server> = new Map()
  /** By the socket beneath; the oldest first. */
  readonly #handshakes = new Map<Socket, Handshake>()

  /** `shaking` is the engine's list of sockets whose handshake is under way. */
  constructor(options: TlsServerOptions, ticketKeys: TicketKeys, shaking: Set<Socket>) {
    this.#shaking = shaking
    this.options = options
    this.#ticketKeys = ticketKeys
    try {
      this.#index = new NameIndex(options.certificates.map(({ chain }) => certificateNames(chain)))
      this.#serverOf(this.#index.fallback)
    } catch (error) {
      throw new EvenerError('TLS_INVALID', (error as Error).message, { cause: error })
    }
  }

  /** Takes a socket that was just accepted and is paused. */
  accept(transport: Socket, acceptor: PortableAcceptor): void {
    if (this.#handshakes.size >= this.options.maxHandshakes) {
      const [[oldest, handshake]] = this.#handshakes
      this.#forget(oldest)
      handshake.acceptor.failed('too many handshakes at a time', false)
      oldest.resetAndDestroy()
    }
    const handshake = { transport, acceptor, secure: new PortableSecure() }
    this.#handshakes.set(transport, handshake)
    this.#shaking.add(transport)
    const gone = (): void => this.#gone(handshake, 'the client went away')
    const slow = setTimeout(() => {
      gone()
      transport.resetAndDestroy()
    }, this.options.handshakeTimeoutMs)
    transport.on('error', gone)
    transport.once('close', gone)
    let first: Buffer = Buffer.alloc(0)
    const look = (): void => {
      const piece: Buffer | null = transport.read()
      if (piece === null) return
      first = first.length === 0 ? piece : Buffer.concat([first, piece])
      const hello = helloOf(first)
      if (hello === null) return
      clearTimeout(slow)
      transport.removeListener('readable', look)
      this.#begin(handshake, first, hello, gone)
    }
    transport.once('close', () => clearTimeout(slow))
    transport.on('readable', look)
    transport.once('end', () => {
      clearTimeout(slow)
      gone()
      transport.destroy()
    })
  }

  challenge(challenges: TlsChallenges): void {
    // With an id of its own: what is agreed on here without a client's certificate must not be resumed elsewhere.
    const options = { ...this.options, id: `acme ${this.options.id}`, protocols: [CHALLENGE_PROTOCOL], clientCertificates: undefined }
    try {
      this.#challenges = new Map([...challenges].map(([name, certificate]) => [name, this.#make([certificate], options)]))
    } catch (error) {
      throw new EvenerError('TLS_INVALID', (error as Error).message, { cause: error })
    }
  }

  /** Handshakes that are under way go on. */
  close(): void {
    this.#servers.clear()
    this.#challenges = new Map()
  }

  #begin(handshake: Handshake, first: Buffer, message: Uint8Array, gone: () => void): void {
    const { transport, acceptor, secure } = handshake
    transport.removeAllListeners('end')
    transport.removeAllListeners('readable')
    transport.pause()
    transport.unshift(first)
    if (first[0] !== HANDSHAKE_RECORD) {
      this.#forget(transport)
      transport.removeListener('error', gone)
      transport.removeListener('close', gone)
      acceptor.failed('no TLS', acceptor.plaintext(transport))
      return
    }
    const hello = ClientHello.parse(message)
    if (this.options.fingerprints) {
      secure.ja3 = ja3(hello)
      secure.ja4 = ja4(hello)
    }
    const challenge = asksForChallenge(hello) ? this.#challenges.get(hello.serverName) : undefined
    secure.isChallenge = challenge !== undefined
    const server = challenge ?? this.#serverOf(this.#index.find(hello.serverName) ?? this.#index.fallback)
    server.emit('connection', transport)
  }

  #done(socket: TLSSocket): void {
    const handshake = this.#handshakes.get((socket as Wrapping)._parent)
    if (handshake === undefined) {
      socket.destroy()
      return
    }
    const { transport, acceptor, secure } = handshake
    this.#forget(transport)
    if (this.options.clientCertificates !== undefined && !socket.authorized && socket.getPeerX509Certificate() !== undefined) {
      acceptor.failed(`the client's certificate is not accepted: ${String(socket.authorizationError)}`, false)
      socket.destroy()
      return
    }
    // During the handshake an end is the end.
    socket.allowHalfOpen = true
    secure.begin(socket)
    acceptor.secured(socket, transport, secure)
  }

  #failed(socket: TLSSocket, error: NodeJS.ErrnoException): void {
    const handshake = this.#handshakes.get((socket as Wrapping)._parent)
    socket.on('error', () => {})
    if (error.code === 'ERR_TLS_HANDSHAKE_TIMEOUT') handshake?.transport.resetAndDestroy()
    if (handshake !== undefined) this.#gone(handshake, (error as { reason?: string }).reason ?? error.message)
    socket.destroy()
  }

  #gone({ transport, acceptor }: Handshake, reason: string): void {
    if (this.#forget(transport)) acceptor.failed(reason, false)
  }

  #forget(transport: Socket): boolean {
    this.#shaking.delete(transport)
    return this.#handshakes.delete(transport)
  }

  #serverOf(certificates: readonly number[]): Server {
    const key = certificates.join()
    const made = this.#servers.get(key)
    if (made !== undefined) return made
    const server = this.#make(certificates.map((index) => this.options.certificates[index]))
    this.#servers.set(key, server)
    return server
  }

  #make(certificates: readonly CertificateOptions[], options: TlsServerOptions = this.options): Server {
    const { clientCertificates: asked, protocols } = options
    const server = createServer({
      cert: certificates.map(({ chain }) => chain),
      key: certificates.map(({ key }) => key),
      ca: asked?.authorities,
      ...commonOptions(options),
      ticketKeys: this.#ticketKeys.forNode(),
      ALPNProtocols: protocols.length === 0 ? undefined : [...protocols],
      requestCert: asked !== undefined,
      // A client that need not show a certificate is looked at when the handshake is done.
      rejectUnauthorized: asked?.mode === 'require',
      handshakeTimeout: options.handshakeTimeoutMs,
      pauseOnConnect: true,
      secureOptions: SERVER_OPTIONS | (options.tickets ? 0 : constants.SSL_OP_NO_TICKET),
      sessionIdContext: createHash('sha256').update(options.id).digest('hex').slice(0, 32),
    })
    server.on('secureConnection', (socket) => this.#done(socket))
    server.on('tlsClientError', (error, socket) => this.#failed(socket, error))
    const staples = certificates.filter(({ ocsp }) => ocsp !== undefined)
    if (staples.length > 0) {
      server.on('OCSPRequest', (chosen: Buffer, _issuer: Buffer, answer: (error: null, response: Buffer | null) => void) => {
        const found = staples.find(({ chain }) => new X509Certificate(chain).raw.equals(chosen))
        answer(null, found?.ocsp === undefined ? null : Buffer.from(found.ocsp))
      })
    }
    return server
  }
}

/** What contexts of servers and clients have in common. */
export function commonOptions(
  options: Pick<TlsServerOptions, 'minVersion' | 'maxVersion' | 'ciphers' | 'suites' | 'groups'>,
): SecureContextOptions {
  return {
    minVersion: `TLSv${options.minVersion}`,
    maxVersion: `TLSv${options.maxVersion}`,
    ciphers: [options.suites, options.ciphers].filter((list) => list !== '').join(':'),
    ecdhCurve: options.groups,
    honorCipherOrder: true,
  }
}
