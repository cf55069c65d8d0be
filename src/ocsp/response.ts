import { type KeyObject, verify, X509Certificate } from 'node:crypto'
import { DER, DerValue, derObjectId, readCertificateFields } from '../core/index.ts'
import { hash, isAbout, type OcspSubject } from './subject.ts'

/** Clocks differ. */
const SKEW_MS = 300_000
const MAX_CERTIFICATES = 16
const BASIC_RESPONSE = derObjectId('1.3.6.1.5.5.7.48.1.1')
/** Extended key usage of a responder that the issuer has appointed. */
const OCSP_SIGNING = '1.3.6.1.5.5.7.3.9'

/** Without SHA-1. */
const SIGNATURES: readonly (readonly [id: Buffer, digest: string, keyType: string])[] = [
  [derObjectId('1.2.840.113549.1.1.11'), 'sha256', 'rsa'],
  [derObjectId('1.2.840.113549.1.1.12'), 'sha384', 'rsa'],
  [derObjectId('1.2.840.113549.1.1.13'), 'sha512', 'rsa'],
  [derObjectId('1.2.840.10045.4.3.2'), 'sha256', 'ec'],
  [derObjectId('1.2.840.10045.4.3.3'), 'sha384', 'ec'],
  [derObjectId('1.2.840.10045.4.3.4'), 'sha512', 'ec'],
]
const REFUSALS: Readonly<Record<number, string>> = {
  1: 'it cannot read the request',
  2: 'an internal error',
  3: 'try later',
  5: 'it wants a signature',
  6: 'it does not answer us',
}

/** A response that may be stapled. */
export interface GoodResponse {
  readonly kind: 'good'
  readonly thisUpdateMs: number
  readonly nextUpdateMs: number
}

/** The certificate is no good any more, and this is signed as well. */
export interface RevokedResponse {
  readonly kind: 'revoked'
  /** "2026-11-21" */
  readonly day: string
}

/**
 * Reads a response (RFC 6960 §4.2) and verifies it as a client would: it is about the certificate, holds now, and is signed by the issuer or by whom the issuer has
 * appointed. Throws in words for everything else.
 */
export function readResponse(bytes: Uint8Array, subject: OcspSubject, nowMs: number): GoodResponse | RevokedResponse {
  const basic = basicResponse(bytes)
  const [data, algorithm, signature, more] = basic.members(DER.SEQUENCE)
  if (signature === undefined) throw new Error('the response is malformed')
  const members = data.members(DER.SEQUENCE)
  const [responder, , responses] = members[0]?.tag === 0xa0 ? members.slice(1) : members
  if (responses === undefined) throw new Error('the response is malformed')
  const signer = signerOf(responder, more, subject, nowMs)
  if (!isSigned(data.whole, algorithm, signature.bits(), signer)) throw new Error('the signature of the response is wrong')
  const single = responses.members(DER.SEQUENCE).find((each) => isAbout(each.members(DER.SEQUENCE)[0], subject))
  if (single === undefined) throw new Error('the response is about another certificate')
  return readSingle(single, nowMs)
}

function basicResponse(bytes: Uint8Array): DerValue {
  const [status, content] = DerValue.parse(bytes).members(DER.SEQUENCE)
  const code = status?.demand(DER.ENUMERATED).content[0] ?? -1
  if (code !== 0) throw new Error(`the responder refuses: ${REFUSALS[code] ?? `status ${code}`}`)
  const [type, value] = content?.demand(0xa0).members()[0]?.members(DER.SEQUENCE) ?? []
  if (value === undefined || !type.whole.equals(BASIC_RESPONSE)) throw new Error('the response is of an unknown kind')
  return DerValue.parse(value.demand(DER.OCTET_STRING).content)
}

function readSingle(single: DerValue, nowMs: number): GoodResponse | RevokedResponse {
  const [, status, thisUpdate, ...rest] = single.members(DER.SEQUENCE)
  if (thisUpdate === undefined) throw new Error('the response is malformed')
  if (status.tag !== 0x80 && status.tag !== 0xa1) throw new Error('the responder does not know the certificate')
  const nextUpdate = rest.find(({ tag }) => tag === 0xa0)?.members()[0]
  if (nextUpdate === undefined) throw new Error('the response does not say until when it holds')
  const [thisUpdateMs, nextUpdateMs] = [thisUpdate.time(), nextUpdate.time()]
  if (thisUpdateMs > nowMs + SKEW_MS) throw new Error('the response is of the future')
  if (nextUpdateMs <= nowMs) throw new Error('the response is too old')
  if (nextUpdateMs <= thisUpdateMs) throw new Error('the response ends before it begins')
  if (status.tag === 0xa1) return { kind: 'revoked', day: dayOf(status.members()[0]?.time()) }
  return { kind: 'good', thisUpdateMs, nextUpdateMs }
}

/** The key of the issuer, or of a responder that the issuer has appointed (RFC 6960 §4.2.2.2). */
function signerOf(responder: DerValue, more: DerValue | undefined, { issuer }: OcspSubject, nowMs: number): KeyObject {
  if (isResponder(responder, issuer)) return issuer.publicKey
  const certificates = more?.demand(0xa0).members()[0]?.members(DER.SEQUENCE).slice(0, MAX_CERTIFICATES) ?? []
  for (const { whole } of certificates) {
    const certificate = new X509Certificate(whole)
    if (!isResponder(responder, certificate)) continue
    if (!certificate.checkIssued(issuer) || !certificate.verify(issuer.publicKey))
      throw new Error("the responder's certificate is not of the issuer")
    if (!certificate.keyUsage?.includes(OCSP_SIGNING)) throw new Error("the responder's certificate is not for signing responses")
    const isValid = Date.parse(certificate.validFrom) <= nowMs + SKEW_MS && nowMs < Date.parse(certificate.validTo)
    if (!isValid) throw new Error("the responder's certificate has expired, or is not valid yet")
    return certificate.publicKey
  }
  throw new Error('the response is signed by nobody who may')
}

function isResponder(responder: DerValue, certificate: X509Certificate): boolean {
  const [named] = responder.members()
  const { subject, publicKey } = readCertificateFields(certificate.raw)
  if (responder.tag === 0xa1) return named.whole.equals(subject)
  if (responder.tag === 0xa2) return named.demand(DER.OCTET_STRING).content.equals(hash('sha1', publicKey))
  throw new Error('the response does not say who has signed it')
}

function isSigned(data: Buffer, algorithm: DerValue, signature: Buffer, key: KeyObject): boolean {
  const id = algorithm.members(DER.SEQUENCE)[0]?.whole
  const found = SIGNATURES.find(([wanted, , type]) => id?.equals(wanted) && key.asymmetricKeyType === type)
  if (found === undefined) throw new Error('the response is signed in a way that is not accepted')
  return verify(found[1], data, key, signature)
}

function dayOf(ms: number | undefined): string {
  return ms === undefined || Number.isNaN(ms) ? 'an unknown day' : new Date(ms).toISOString().slice(0, 10)
}
