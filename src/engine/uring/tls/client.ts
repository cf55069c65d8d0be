import { EvenerError } from '../../../core/index.ts'
import type { TlsClient, TlsClientOptions } from '../../tls/index.ts'
import type { TlsThread } from './thread.ts'

/** How connections to one server are secured, and the last session with it. Servers that differ in their names only share a context. */
export class RingTlsClient implements TlsClient {
  readonly options: TlsClientOptions
  readonly context: number
  readonly seat: number
  readonly #thread: TlsThread
  readonly #key: string

  constructor(thread: TlsThread, options: TlsClientOptions) {
    this.options = options
    this.#thread = thread
    const { verify, serverName: _name, ...rest } = options
    this.#key = JSON.stringify([rest, verify?.authorities])
    this.context = thread.shared(this.#key, () => openContext(thread, options))
    this.seat = thread.native.addSeat()
    if (this.seat < 0) throw new EvenerError('TLS_INVALID', 'there is no memory for a TLS session')
  }

  close(): void {
    this.#thread.unshare(this.#key)
    this.#thread.native.removeSeat(this.seat)
  }
}

function openContext(thread: TlsThread, options: TlsClientOptions): number {
  const { certificate, verify } = options
  const { native } = thread
  return thread.open(false, '', options, (context) => {
    if (certificate !== undefined) {
      const [chain, key] = [certificate.chain, certificate.key].map((pem) => new Uint8Array(Buffer.from(pem)))
      thread.demand(native.addCertificate(context, chain, key, undefined), 'certificate')
    }
    const authorities = verify && new Uint8Array(Buffer.from(verify.authorities))
    thread.demand(native.setTrust(context, authorities, verify === undefined ? 0 : 1), 'authorities')
  })
}
