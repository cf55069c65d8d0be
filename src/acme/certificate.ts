import { createPrivateKey, X509Certificate } from 'node:crypto'
import { DER, readCertificateFields } from '../core/index.ts'

const AUTHORITY_KEY_ID = '2.5.29.35'

/** A certificate of the store: its chain and its key in one PEM text. */
export interface StoredCertificate {
  /** Chain and key. */
  readonly pem: string
  readonly serial: string
  readonly notBeforeMs: number
  readonly notAfterMs: number
  /** RFC 9773 §4.1; undefined where the certificate lacks what it is made of. */
  readonly id: string | undefined
}

/** Reads a chain with its key, for exactly these names. Throws in words. */
export function readCertificate(pem: string, names: readonly string[]): StoredCertificate {
  const leaf = new X509Certificate(pem)
  if (!leaf.checkPrivateKey(createPrivateKey(pem))) throw new Error('the key does not belong to the certificate')
  const covered = new Set(namesOf(leaf))
  const missing = names.filter((name) => !covered.has(name))
  if (missing.length > 0) throw new Error(`the certificate is not for ${missing.join(', ')}`)
  return {
    pem,
    serial: leaf.serialNumber,
    notBeforeMs: Date.parse(leaf.validFrom),
    notAfterMs: Date.parse(leaf.validTo),
    id: renewalId(leaf.raw),
  }
}

/** By which an authority knows a certificate when it is asked for renewal information: key identifier of the issuer, and serial number. */
export function renewalId(certificate: Buffer): string | undefined {
  try {
    const { serial, extension } = readCertificateFields(certificate)
    const keyId = extension(AUTHORITY_KEY_ID)
      ?.members(DER.SEQUENCE)
      .find(({ tag }) => tag === 0x80)
    return keyId && `${keyId.content.toString('base64url')}.${serial.content.toString('base64url')}`
  } catch {
    // It is no certificate as RFC 5280 has it: the authority cannot be asked about it.
    return undefined
  }
}

function namesOf(certificate: X509Certificate): string[] {
  return (certificate.subjectAltName ?? '')
    .split(', ')
    .filter((each) => each.startsWith('DNS:'))
    .map((each) => each.slice('DNS:'.length).toLowerCase())
}
