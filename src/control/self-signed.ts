import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto'
import { DER, DER_TRUE, der, derObjectId, derTime, pem } from '../core/index.ts'

const DAY_MS = 86_400_000
const VALID_DAYS = 90

const ECDSA_WITH_SHA256 = der(DER.SEQUENCE, derObjectId('1.2.840.10045.4.3.2'))
const COMMON_NAME = derObjectId('2.5.4.3')
const SUBJECT_ALT_NAME = derObjectId('2.5.29.17')
const BASIC_CONSTRAINTS = derObjectId('2.5.29.19')
const KEY_USAGE = derObjectId('2.5.29.15')
const EXTENDED_KEY_USAGE = derObjectId('2.5.29.37')
const SERVER_AUTH = derObjectId('1.3.6.1.5.5.7.3.1')
const SUBJECT_KEY_ID = derObjectId('2.5.29.14')
/** RFC 8737 §3: the digest of what an authority asked for. */
const ACME_IDENTIFIER = derObjectId('1.3.6.1.5.5.7.1.31')

export interface MadeCertificate {
  readonly cert: string
  readonly key: string
}

/** A certificate (RFC 5280) for these names, signed with its own P-256 key: good for trying things out, trusted by nobody. */
export function makeSelfSigned(names: readonly string[]): MadeCertificate {
  return make(names, [])
}

/** The certificate that answers tls-alpn-01 (RFC 8737 §3): for that name alone, with the digest of the key authorization. */
export function makeChallengeCertificate(name: string, digest: Uint8Array): MadeCertificate {
  return make([name], [der(DER.SEQUENCE, ACME_IDENTIFIER, DER_TRUE, der(DER.OCTET_STRING, der(DER.OCTET_STRING, digest)))])
}

function make(names: readonly string[], more: readonly Buffer[]): MadeCertificate {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const spki = publicKey.export({ type: 'spki', format: 'der' })
  const commonName = der(DER.SEQUENCE, COMMON_NAME, der(DER.UTF8_STRING, Buffer.from(names[0].slice(0, 64))))
  const subject = der(DER.SEQUENCE, der(DER.SET, commonName))
  const serial = randomBytes(16)
  // Positive, and without a leading zero.
  serial[0] = (serial[0] & 0x3f) | 0x40
  const nowMs = Date.now()
  const body = der(
    DER.SEQUENCE,
    der(0xa0, der(DER.INTEGER, Buffer.of(2))),
    der(DER.INTEGER, serial),
    ECDSA_WITH_SHA256,
    subject,
    der(DER.SEQUENCE, derTime(nowMs - DAY_MS), derTime(nowMs + VALID_DAYS * DAY_MS)),
    subject,
    spki,
    der(0xa3, der(DER.SEQUENCE, ...extensions(names, spki), ...more)),
  )
  const signature = sign('sha256', body, privateKey)
  const certificate = der(DER.SEQUENCE, body, ECDSA_WITH_SHA256, der(DER.BIT_STRING, Buffer.of(0), signature))
  return { cert: pem('CERTIFICATE', certificate), key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() }
}

function extensions(names: readonly string[], spki: Buffer): Buffer[] {
  const alternatives = names.map((name) =>
    isAddress(name) ? der(0x87, Buffer.from(name.split('.').map(Number))) : der(0x82, Buffer.from(name)),
  )
  const keyId = createHash('sha1').update(spki).digest()
  return [
    der(DER.SEQUENCE, SUBJECT_ALT_NAME, der(DER.OCTET_STRING, der(DER.SEQUENCE, ...alternatives))),
    der(DER.SEQUENCE, BASIC_CONSTRAINTS, DER_TRUE, der(DER.OCTET_STRING, der(DER.SEQUENCE))),
    // digitalSignature
    der(DER.SEQUENCE, KEY_USAGE, DER_TRUE, der(DER.OCTET_STRING, der(DER.BIT_STRING, Buffer.of(7, 0x80)))),
    der(DER.SEQUENCE, EXTENDED_KEY_USAGE, der(DER.OCTET_STRING, der(DER.SEQUENCE, SERVER_AUTH))),
    der(DER.SEQUENCE, SUBJECT_KEY_ID, der(DER.OCTET_STRING, der(DER.OCTET_STRING, keyId))),
  ]
}

function isAddress(name: string): boolean {
  return /^\d+\.\d+\.\d+\.\d+$/.test(name)
}
