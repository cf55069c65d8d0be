import { certificateNames, NameIndex, type TlsServer, type TlsServerOptions } from '../../tls/index.ts'
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
    return certificates === undefined || this.#isClosed ? this.context : this.#contextOf(certificates)
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
  }

  close(): void {
    this.#isClosed = true
    // A handshake that is under way looks its context up again when the ClientHello arrives.
    for (const handshake of [...this.#handshakes]) handshake.leave()
    for (const context of this.#contexts.values()) this.#thread.native.closeContext(context)
    this.#contexts.clear()
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
      native.setServer(context, options.tickets ? 1 : 0, this.#needsHello ? 1 : 0)
    })
  }

  get #needsHello(): boolean {
    return this.options.fingerprints || this.options.certificates.length > 1
  }
}

function bytesOf(text: string): Uint8Array {
  return new Uint8Array(Buffer.from(text))
}
