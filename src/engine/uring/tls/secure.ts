import type { NativeTlsInfo } from '../../../kernel/index.ts'
import { type ClientHello, ja3, ja4, type Secure } from '../../tls/index.ts'

/** What is known of a connection's TLS; asked of OpenSSL only if somebody wants to know. */
export class RingSecure implements Secure {
  ja3 = ''
  ja4 = ''
  failure = ''
  isChallenge = false
  /** "" until the handshake is done. */
  readonly #ask: () => NativeTlsInfo | null
  #info: NativeTlsInfo | null = null

  constructor(ask: () => NativeTlsInfo | null) {
    this.#ask = ask
  }

  get version(): string {
    return this.#known?.version ?? ''
  }

  get cipher(): string {
    return this.#known?.cipher ?? ''
  }

  get group(): string {
    return this.#known?.group ?? ''
  }

  get serverName(): string {
    return this.#known?.serverName ?? ''
  }

  get protocol(): string {
    return this.#known?.protocol ?? ''
  }

  get isResumed(): boolean {
    return this.#known?.isResumed === 1
  }

  get peerSubject(): string {
    return this.#known?.peerSubject ?? ''
  }

  recognize(hello: ClientHello): void {
    this.ja3 = ja3(hello)
    this.ja4 = ja4(hello)
  }

  get #known(): NativeTlsInfo | null {
    return (this.#info ??= this.#ask())
  }
}
