import { createHash, X509Certificate } from 'node:crypto'
import { DER, DER_NULL, type DerValue, der, derObjectId, readCertificateFields } from '../core/index.ts'

const SHA1 = derObjectId('1.3.14.3.2.26')
const SHA256 = derObjectId('2.16.840.1.101.3.4.2.1')
const PEM_BLOCK = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g

/** A certificate that is asked about, with its issuer. */
export interface OcspSubject {
  readonly leaf: X509Certificate
  readonly issuer: X509Certificate
  /** Where its authority answers. */
  readonly url: string
}

/** What can be asked about a chain (PEM, its leaf first), or in words why nothing can. Throws for what is no certificate. */
export function subjectOf(chain: string): OcspSubject | string {
  const [leaf, ...others] = (chain.match(PEM_BLOCK) ?? []).map((block) => new X509Certificate(block))
  if (leaf === undefined) throw new Error('there is no certificate')
  const url = /^OCSP - URI:(http:\/\/[!-~]{1,2000})$/m.exec(leaf.infoAccess ?? '')?.[1]
  if (url === undefined) return 'the certificate names no OCSP responder'
  const issuer = others.find((each) => leaf.checkIssued(each) && leaf.verify(each.publicKey))
  return issuer === undefined ? "its issuer's certificate does not stand behind it" : { leaf, issuer, url }
}

/** A request about one certificate (RFC 6960 §4.1.1), in the profile of RFC 5019: SHA-1, no nonce, so that the answer may be one that is ready. */
export function makeOcspRequest({ leaf, issuer }: OcspSubject): Buffer {
  const { subject, publicKey } = readCertificateFields(issuer.raw)
  const { serial } = readCertificateFields(leaf.raw)
  const digests = [subject, publicKey].map((bytes) => der(DER.OCTET_STRING, hash('sha1', bytes)))
  const id = der(DER.SEQUENCE, der(DER.SEQUENCE, SHA1, DER_NULL), ...digests, serial.whole)
  return der(DER.SEQUENCE, der(DER.SEQUENCE, der(DER.SEQUENCE, der(DER.SEQUENCE, id))))
}

/** Whether a CertID (RFC 6960 §4.1.1) is that of the certificate. Throws where it is malformed. */
export function isAbout(id: DerValue, { leaf, issuer }: OcspSubject): boolean {
  const [algorithm, name, key, serial] = id.members(DER.SEQUENCE)
  if (serial === undefined) throw new Error('an identifier of a certificate is malformed')
  const kind = algorithm.members(DER.SEQUENCE)[0]?.whole
  const digest = kind?.equals(SHA1) ? 'sha1' : kind?.equals(SHA256) ? 'sha256' : undefined
  if (digest === undefined) return false
  const fields = readCertificateFields(issuer.raw)
  return (
    name.content.equals(hash(digest, fields.subject)) &&
    key.content.equals(hash(digest, fields.publicKey)) &&
    serial.whole.equals(readCertificateFields(leaf.raw).serial.whole)
  )
}

export function hash(digest: 'sha1' | 'sha256', bytes: Uint8Array): Buffer {
  return createHash(digest).update(bytes).digest()
}
