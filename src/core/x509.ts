import { DER, DerValue, derObjectId } from './der.ts'

/** Fields of a certificate (RFC 5280 §4.1) in the very bytes in which they are in it, which node:crypto does not give. */
export interface CertificateFields {
  /** INTEGER with its tag. */
  readonly serial: DerValue
  /** Names with their tags. */
  readonly issuer: Buffer
  readonly subject: Buffer
  /** The bits of subjectPublicKey, by whose digest keys are known. */
  readonly publicKey: Buffer
  /** The value of an extension, by the dotted identifier; undefined where it has none. */
  extension(id: string): DerValue | undefined
}

/** Reads a certificate in DER. Throws in words. */
export function readCertificateFields(certificate: Uint8Array): CertificateFields {
  const [body] = DerValue.parse(certificate).members(DER.SEQUENCE)
  const members = body.members(DER.SEQUENCE)
  // Version 1 leaves its number out.
  const fields = members[0]?.tag === 0xa0 ? members.slice(1) : members
  const [serial, , issuer, , subject, key] = fields
  if (key === undefined) throw new Error('it is no certificate')
  const [, bits] = key.members(DER.SEQUENCE)
  if (bits === undefined) throw new Error('it is no certificate')
  const extensions =
    fields
      .find(({ tag }) => tag === 0xa3)
      ?.members()[0]
      ?.members(DER.SEQUENCE) ?? []
  return {
    serial: serial.demand(DER.INTEGER),
    issuer: issuer.demand(DER.SEQUENCE).whole,
    subject: subject.demand(DER.SEQUENCE).whole,
    publicKey: bits.bits(),
    extension: (id) => {
      const wanted = derObjectId(id)
      for (const each of extensions) {
        const parts = each.members(DER.SEQUENCE)
        if (parts[0]?.whole.equals(wanted)) return DerValue.parse(parts[parts.length - 1].demand(DER.OCTET_STRING).content)
      }
      return undefined
    },
  }
}

/** Whether a certificate demands that a response about it is stapled (RFC 7633: status_request is 5). */
export function mustStaple(certificate: Uint8Array): boolean {
  try {
    const features = readCertificateFields(certificate).extension('1.3.6.1.5.5.7.1.24')?.members(DER.SEQUENCE) ?? []
    return features.some(({ tag, content }) => tag === DER.INTEGER && content.length === 1 && content[0] === 5)
  } catch {
    return false
  }
}
