/** What a header tells of the client's TLS. */
export interface SslFacts {
  /** "TLSv1.3" */
  readonly version: string
  readonly cipher: string
  /** RFC 2253; "" where the client showed no certificate. One that is shown was verified. */
  readonly peerSubject: string
  readonly isResumed: boolean
}

const VERSION = 0x21
const COMMON_NAME = 0x22
const CIPHER = 0x23
const CLIENT_SSL = 1
const CLIENT_CERTIFICATE_NOW = 2
const CLIENT_CERTIFICATE_IN_SESSION = 4
const MAX_TEXT_BYTES = 255

/** The value of the TLV for TLS: flags, whether a certificate was verified (0: yes), and version, name and cipher where they are known. */
export function writeSsl({ version, cipher, peerSubject, isResumed }: SslFacts): Uint8Array {
  const hasCertificate = peerSubject !== ''
  const certificate = isResumed ? CLIENT_CERTIFICATE_IN_SESSION : CLIENT_CERTIFICATE_IN_SESSION | CLIENT_CERTIFICATE_NOW
  const flags = hasCertificate ? CLIENT_SSL | certificate : CLIENT_SSL
  return Buffer.concat([
    Buffer.of(flags, 0, 0, 0, hasCertificate ? 0 : 1),
    ...text(VERSION, version),
    ...text(COMMON_NAME, commonName(peerSubject)),
    ...text(CIPHER, cipher),
  ])
}

/** The first CN of a subject in the order of its certificate, which is the last one of RFC 2253; "" where it has none. */
export function commonName(subject: string): string {
  const attributes = subject.match(/(?:[^,+\\]|\\.)+/g) ?? []
  const found = attributes.findLast((attribute) => attribute.startsWith('CN='))?.slice(3) ?? ''
  const bytes = found.replace(/\\([0-9A-Fa-f]{2}|.)/g, (_, escaped: string) =>
    escaped.length === 1 ? escaped : String.fromCharCode(Number.parseInt(escaped, 16)),
  )
  return Buffer.from(bytes, 'latin1').toString('utf8')
}

function text(type: number, value: string): Buffer[] {
  const bytes = Buffer.from(value).subarray(0, MAX_TEXT_BYTES)
  return bytes.length === 0 ? [] : [Buffer.of(type, 0, bytes.length), bytes]
}
