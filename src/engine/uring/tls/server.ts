import {
  asksForChallenge,
  type CertificateOptions,
  CHALLENGE_PROTOCOL,
  type ClientHello,
  certificateNames,
  NameIndex,
  type TlsChallenges,
  type TlsServer,
  type TlsServerOptions,
} from '../../tls/index.ts'
import type { Handshake } from './handshake.ts'
import type { TlsThread } from './thread.ts'

/**
 * A listener's certificates in OpenSSL's contexts: one for each set of certificates that serve a name together (RSA and ECDSA side
 * by side). Handshakes begin in the first context and move to that of the name that the client asks for.
 */
export class RingTlsServer implements TlsServer {
  readonly options: TlsServerOptions
  /** Where handshakes begin. */
  readonly context: number
  readonly #thread: TlsThread
  readonly #index: NameIndex
  readonly #contexts = new Map<string, number>()
  /** Those that answer authorities, by name. */
  #challenges: ReadonlyMap<string, number> = new Map()
  /** Under way, the oldest first. */
  readonly #handshakes = new Set<Handshake>()
  #isClosed = false

  constructor(thread: TlsThread, options: TlsServerOptions) {
    this.options = options
    this.#thread = thread
    this.#index = new NameIndex(options.certificates.map(({ chain }) => certificateNames(chain)))
    this.context = this.#contextOf(this.#index.fallback)
  }

  /** The context of a name as SNI has it. */
  contextFor(name: string): number {
    const certificates = name === '' ? undefined : this.#index.find(name)
    return certificates === undefined ? this.context : this.#contextOf(certificates)
  }

  /** The context that answers an authority; undefined for every other client. */
  challengeFor(hello: ClientHello): number | undefined {
    return this.#challenges.size > 0 && asksForChallenge(hello) ? this.#challenges.get(hello.serverName) : undefined
  }

  challenge(challenges: TlsChallenges): void {
    if (this.#isClosed) return
    const made = new Map<string, number>()
    for (const [name, certificate] of challenges) made.set(name, this.#answer(certificate))
    this.#dropChallenges()
    this.#challenges = made
    this.#configure(this.context)
  }

  /** A handshake begins; where there are too many the oldest gives way. */
  enter(handshake: Handshake): void {
    if (this.#handshakes.size >= this.options.maxHandshakes) {
      const [oldest] = this.#handshakes
      oldest.drop('too many handshakes at a time')
    }
    this.#handshakes.add(handshake)
  }

  leave(handshake: Handshake): void {
    this.#handshakes.delete(handshake)
    if (this.#isClosed && this.#handshakes.size === 0) this.#free()
  }

  /** What has been accepted may still have to say which name it asks for: the contexts stay until the last handshake is over. */
  close(): void {
    this.#isClosed = true
    if (this.#handshakes.size === 0) this.#free()
  }

  #free(): void {
    for (const context of this.#contexts.values()) this.#thread.native.closeContext(context)
    this.#contexts.clear()
    this.#dropChallenges()
  }

  #dropChallenges(): void {
    for (const context of this.#challenges.values()) this.#thread.native.closeContext(context)
    this.#challenges = new Map()
  }

  /** With an id of its own: what is agreed on here without a client's certificate must not be resumed elsewhere. */
  #answer({ chain, key }: CertificateOptions): number {
    const options = { ...this.options, protocols: [CHALLENGE_PROTOCOL] }
    return this.#thread.open(true, `acme ${options.id}`, options, (context) => {
      this.#thread.demand(this.#thread.native.addCertificate(context, bytesOf(chain), bytesOf(key), undefined), 'answer to a challenge')
      this.#thread.native.setServer(context, 0, 0)
    })
  }

  #contextOf(certificates: readonly number[]): number {
    const key = certificates.join()
    const made = this.#contexts.get(key)
    if (made !== undefined) return made
    const context = this.#make(certificates)
    this.#contexts.set(key, context)
    return context
  }

  #make(certificates: readonly number[]): number {
    const { options } = this
    return this.#thread.open(true, options.id, options, (context) => {
      const { native } = this.#thread
      // The last certificate for a type of key is the one that OpenSSL takes, and the first is to win.
      for (const index of certificates.toReversed()) {
        const { chain, key, ocsp } = options.certificates[index]
        this.#thread.demand(native.addCertificate(context, bytesOf(chain), bytesOf(key), ocsp), `certificate ${index}`)
      }
      const asked = options.clientCertificates
      if (asked !== undefined)
        this.#thread.demand(
          native.setTrust(context, bytesOf(asked.authorities), asked.mode === 'require' ? 2 : 1),
          'authorities of client certificates',
        )
      this.#configure(context)
    })
  }

  #configure(context: number): void {
    this.#thread.native.setServer(context, this.options.tickets ? 1 : 0, this.#needsHello ? 1 : 0)
  }

  get #needsHello(): boolean {
    return this.options.fingerprints || this.options.certificates.length > 1 || this.#challenges.size > 0
  }
}

function bytesOf(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text))
}
