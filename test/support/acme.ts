import { type ConnectionOptions, connect, type PeerCertificate, type TLSSocket } from 'node:tls'
import type { Cleanup } from './cleanup.ts'
import { temporaryFolder } from './cleanup.ts'
import { type Evener, evener } from './evener.ts'
import { type Pebble, type PebbleOptions, pebble } from './pebble.ts'

export interface AcmeSetup {
  readonly running: Evener
  readonly authority: Pebble
  readonly storage: string
  /** Ports of the listener with TLS and of the one without. */
  readonly secure: number
  readonly clear: number
  /** The configuration with these certificates and more `acme`; to be put into force. */
  config(certificates: readonly object[], acme?: object): object
  /** Puts it into force. */
  configure(certificates: readonly object[], acme?: object): Promise<void>
}

/** An Evener with a listener for HTTPS and one for HTTP, and a Pebble that looks at these two. Certificates are ordered from configure() on. */
export async function acmeSetup(t: Cleanup, options: PebbleOptions = {}, listener: object = {}): Promise<AcmeSetup> {
  const storage = `${temporaryFolder(t)}/acme`
  const config = (tls: object, acme?: object): object => ({
    ...(acme && { acme }),
    listeners: {
      secure: { bind: '127.0.0.1:0', ...listener, tls, http: { routes: [{ respond: { status: 200, body: 'secure' } }] } },
      clear: { bind: '127.0.0.1:0', http: { routes: [{ respond: { status: 404, body: 'a route' } }] } },
    },
  })
  const running = await evener(t, config({ selfSigned: ['first.test'], ...('tls' in listener ? (listener.tls as object) : {}) }))
  const [secure, clear] = [await running.port('secure'), await running.port('clear')]
  const authority = await pebble(t, { httpPort: clear, tlsPort: secure, ...options })
  const whole = (certificates: readonly object[], acme: object = {}): object => {
    const common = { agreeTerms: true, directory: authority.directory, ca: authority.caFile, storage, backOff: '100ms', ...acme }
    return config({ certificates, ...('tls' in listener ? (listener.tls as object) : {}) }, common)
  }
  return {
    running,
    authority,
    storage,
    secure,
    clear,
    config: whole,
    configure: async (certificates, acme) => {
      running.configure({
        admin: { bind: '127.0.0.1:0' },
        engine: process.env.EVENER_TEST_ENGINE ?? 'auto',
        workers: 2,
        ...whole(certificates, acme),
      })
      const { status, text } = await running.call('POST', '/api/v1/reload')
      if (status !== 200) throw new Error(text)
    },
  }
}

/** One handshake: what the listener shows for a name, and whether `ca` vouches for it. */
export async function shown(
  port: number,
  servername: string,
  ca: string,
  options: ConnectionOptions = {},
): Promise<{ readonly isTrusted: boolean; readonly certificate: PeerCertificate; readonly socket: TLSSocket }> {
  const socket = connect({ host: '127.0.0.1', port, servername, ca, rejectUnauthorized: false, ...options })
  await new Promise<void>((resolve, reject) => {
    socket.once('secureConnect', resolve)
    socket.once('error', reject)
  })
  const isTrusted = socket.authorized
  const certificate = socket.getPeerCertificate()
  socket.destroy()
  return { isTrusted, certificate, socket }
}
