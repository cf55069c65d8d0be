import type { TlsChallenges } from './challenges.ts'

export type TlsVersion = '1.2' | '1.3'

/** A certificate with its chain, and its key; both PEM. */
export interface CertificateOptions {
  readonly chain: string
  readonly key: string
  /** DER of an OCSP response to be stapled. */
  readonly ocsp?: Uint8Array | undefined
}

export interface ClientCertificateOptions {
  /** `request`: a client may come without one; one that it shows must be good. */
  readonly mode: 'request' | 'require'
  /** PEM of the authorities that may have signed it. */
  readonly authorities: string
}

export interface TlsServerOptions {
  /** Separates the sessions of one listener from those of another, which may ask for other client certificates. */
  readonly id: string
  /** At least one; the first serves clients that name no host or an unknown one. */
  readonly certificates: readonly CertificateOptions[]
  readonly minVersion: TlsVersion
  readonly maxVersion: TlsVersion
  /** OpenSSL's lists: ciphers of TLS 1.2, suites of TLS 1.3, groups for the key exchange. */
  readonly ciphers: string
  readonly suites: string
  readonly groups: string
  /** ALPN, best first; empty for none. */
  readonly protocols: readonly string[]
  readonly clientCertificates: ClientCertificateOptions | undefined
  readonly tickets: boolean
  /** Whether `secure.ja3` and `secure.ja4` are to be computed. */
  readonly fingerprints: boolean
  readonly handshakeTimeoutMs: number
  /** Handshakes that may be under way at a time in each worker; above it the oldest is reset. */
  readonly maxHandshakes: number
}

export interface TlsClientOptions {
  /** undefined verifies nothing; `authorities` is PEM. */
  readonly verify: { readonly authorities: string; readonly name: string } | undefined
  /** SNI; "" for none. */
  readonly serverName: string
  readonly certificate: CertificateOptions | undefined
  readonly protocols: readonly string[]
  readonly minVersion: TlsVersion
  readonly maxVersion: TlsVersion
  readonly ciphers: string
  readonly suites: string
  readonly groups: string
}

/** Certificates and options, ready for handshakes. What was begun with it goes on after close(). */
export interface TlsServer {
  readonly options: TlsServerOptions
  /** From now on an authority that asks for one of these names by tls-alpn-01 is answered. Throws EvenerError TLS_*. */
  challenge(challenges: TlsChallenges): void
  close(): void
}

/** The same for connections to one server; the last session with it is kept, to be resumed. */
export interface TlsClient {
  readonly options: TlsClientOptions
  close(): void
}

/** What TLS says of a connection. Texts are empty until the handshake is done. */
export interface Secure {
  /** "TLSv1.3" */
  readonly version: string
  readonly cipher: string
  readonly group: string
  /** The name that the client asked for (SNI). */
  readonly serverName: string
  /** ALPN. */
  readonly protocol: string
  readonly isResumed: boolean
  /** Subject of the peer's certificate (RFC 2253); "" where it showed none. */
  readonly peerSubject: string
  readonly ja3: string
  readonly ja4: string
  /** The handshake has answered an authority that looks whether a name is ours, and no byte may follow. */
  readonly isChallenge: boolean
  /** Why the handshake failed. */
  readonly failure: string
}

export const NOT_SECURE: Secure = {
  version: '',
  cipher: '',
  group: '',
  serverName: '',
  protocol: '',
  isResumed: false,
  peerSubject: '',
  ja3: '',
  ja4: '',
  isChallenge: false,
  failure: '',
}
