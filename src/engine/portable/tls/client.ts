import { X509Certificate } from 'node:crypto'
import type { Socket } from 'node:net'
import { checkServerIdentity, connect as connectTls, createSecureContext, type SecureContext, type TLSSocket } from 'node:tls'
import { EvenerError } from '../../../core/index.ts'
import type { TlsClient, TlsClientOptions } from '../../tls/index.ts'
import { commonOptions } from './server.ts'

/** How connections to one server are secured, and the last session with it. */
export class PortableTlsClient implements TlsClient {
  readonly options: TlsClientOptions
  readonly #context: SecureContext
  #session: Buffer | undefined

  constructor(options: TlsClientOptions) {
    this.options = options
    try {
      // node:tls passes over what is no certificate.
      if (options.verify !== undefined) new X509Certificate(options.verify.authorities)
      this.#context = createSecureContext({
        ca: options.verify?.authorities,
        cert: options.certificate?.chain,
        key: options.certificate?.key,
        ...commonOptions(options),
      })
    } catch (error) {
      throw new EvenerError('TLS_INVALID', (error as Error).message, { cause: error })
    }
  }

  /** TLS over a socket that is connected. */
  secure(socket: Socket): TLSSocket {
    const { verify, serverName, protocols } = this.options
    const secured = connectTls({
      socket,
      secureContext: this.#context,
      session: this.#session,
      servername: serverName,
      ALPNProtocols: protocols.length === 0 ? undefined : [...protocols],
      rejectUnauthorized: verify !== undefined,
      checkServerIdentity: (_name, certificate) => (verify === undefined ? undefined : checkServerIdentity(verify.name, certificate)),
    })
    // During the handshake an end is the end.
    secured.once('secureConnect', () => {
      secured.allowHalfOpen = true
    })
    secured.on('session', (session) => {
      this.#session = session
    })
    return secured
  }

  close(): void {
    this.#session = undefined
  }
}
