import { EvenerError } from '../../../core/index.ts'
import type { TlsClient, TlsClientOptions } from '../../tls/index.ts'
import type { TlsThread } from './thread.ts'

/** How connections to one server are secured, and the last session with it. */
export class RingTlsClient implements TlsClient {
  readonly options: TlsClientOptions
  readonly context: number
  readonly seat: number
  readonly #thread: TlsThread

  constructor(thread: TlsThread, options: TlsClientOptions) {
    this.options = options
    this.#thread = thread
    const { native } = thread
    const { certificate, verify } = options
    this.context = thread.open(false, '', options, (context) => {
      if (certificate !== undefined) {
        const [chain, key] = [certificate.chain, certificate.key].map((pem) => new Uint8Array(Buffer.from(pem)))
        thread.demand(native.addCertificate(context, chain, key, undefined), 'certificate')
      }
      if (verify !== undefined) thread.demand(native.setTrust(context, new Uint8Array(Buffer.from(verify.authorities)), 1), 'authorities')
      else native.setTrust(context, undefined, 0)
    })
    this.seat = native.addSeat()
    if (this.seat < 0) throw new EvenerError('TLS_INVALID', 'there is no memory for a TLS session')
  }

  close(): void {
    this.#thread.native.closeContext(this.context)
    this.#thread.native.removeSeat(this.seat)
  }
}
