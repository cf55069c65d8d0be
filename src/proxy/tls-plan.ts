import type { ChallengeKind, KeyType } from '../schema/index.ts'

/** Files of one certificate, as paths; their contents come with the Plan as TlsFiles. */
export interface CertificatePlan {
  readonly cert: string
  readonly key: string
  readonly ocsp: string | undefined
  /** Evener asks the responder for a response itself; see fetchedStaple(). */
  readonly fetchesOcsp?: true | undefined
  /** Ordered from an authority; `cert` and `key` are then the same file of the store. undefined for files of the operator's. */
  readonly acme?: CertificateOrderPlan | undefined
}

/** What is ordered for a certificate by ACME. */
export interface CertificateOrderPlan {
  readonly names: readonly string[]
  readonly challenge: ChallengeKind
  readonly keyType: KeyType
}

/** `tls` of a listener. */
export interface TlsListenerPlan {
  readonly certificates: readonly CertificatePlan[]
  /** Names of a certificate that is made at start-up; empty for none. */
  readonly selfSigned: readonly string[]
  readonly minVersion: '1.2' | '1.3'
  readonly maxVersion: '1.2' | '1.3'
  /** OpenSSL's lists: ciphers of TLS 1.2, suites of TLS 1.3, groups of the key exchange. */
  readonly ciphers: string
  readonly suites: string
  readonly groups: string
  readonly protocols: readonly string[]
  readonly clientCertificates: { readonly mode: 'request' | 'require'; readonly ca: string; readonly header: string } | undefined
  readonly tickets: boolean
  readonly handshakeTimeoutMs: number
  readonly maxHandshakes: number
}

/** Contents of the files that a Plan names, by path: text of PEM files, base64 of others. Made certificates have a path of their own. */
export type TlsFiles = Readonly<Record<string, string>>

/** Under what the certificate and key of `selfSigned` stand in TlsFiles. */
export function selfSignedPaths(names: readonly string[]): CertificatePlan {
  return {
    cert: `self-signed certificate for ${names.join(', ')}`,
    key: `key of the self-signed certificate for ${names.join(', ')}`,
    ocsp: undefined,
  }
}

/** Under what the response stands in TlsFiles that was fetched for a certificate; nothing does until there is one. */
export function fetchedStaple(cert: string): string {
  return `OCSP response for ${cert}`
}

/** All certificates of a listener, the made one last. */
export function certificatesOf(plan: TlsListenerPlan): readonly CertificatePlan[] {
  return plan.selfSigned.length === 0 ? plan.certificates : [...plan.certificates, selfSignedPaths(plan.selfSigned)]
}
