import { createPublicKey, generateKeyPair, type KeyObject, sign } from 'node:crypto'
import { promisify } from 'node:util'
import { DER, DER_NULL, der, derObjectId } from '../core/index.ts'
import type { KeyType } from '../schema/index.ts'

const generate = promisify(generateKeyPair)

const EXTENSION_REQUEST = derObjectId('1.2.840.113549.1.9.14')
const SUBJECT_ALT_NAME = derObjectId('2.5.29.17')

const CURVES: Readonly<Partial<Record<KeyType, string>>> = { ec256: 'P-256', ec384: 'P-384' }
const RSA_BITS: Readonly<Partial<Record<KeyType, number>>> = { rsa2048: 2048, rsa3072: 3072, rsa4096: 4096 }

/** Signature algorithms by the kind of key: AlgorithmIdentifier and the digest. */
const SIGNATURES = {
  ec256: { algorithm: der(DER.SEQUENCE, derObjectId('1.2.840.10045.4.3.2')), digest: 'sha256' },
  ec384: { algorithm: der(DER.SEQUENCE, derObjectId('1.2.840.10045.4.3.3')), digest: 'sha384' },
  rsa: { algorithm: der(DER.SEQUENCE, derObjectId('1.2.840.113549.1.1.11'), DER_NULL), digest: 'sha256' },
} as const

/** A fresh private key; not made on this thread, which a large one would keep busy for seconds. */
export async function makeKey(type: KeyType): Promise<KeyObject> {
  const namedCurve = CURVES[type]
  if (namedCurve !== undefined) return (await generate('ec', { namedCurve })).privateKey
  return (await generate('rsa', { modulusLength: RSA_BITS[type] as number })).privateKey
}

/** A request for a certificate (PKCS #10, RFC 2986) with these DNS names and an empty subject; DER. */
export function makeRequest(key: KeyObject, names: readonly string[]): Buffer {
  const alternatives = der(DER.SEQUENCE, ...names.map((name) => der(0x82, Buffer.from(name, 'latin1'))))
  const extensions = der(DER.SEQUENCE, der(DER.SEQUENCE, SUBJECT_ALT_NAME, der(DER.OCTET_STRING, alternatives)))
  const attribute = der(DER.SEQUENCE, EXTENSION_REQUEST, der(DER.SET, extensions))
  const spki = createPublicKey(key).export({ type: 'spki', format: 'der' })
  const body = der(DER.SEQUENCE, der(DER.INTEGER, Buffer.of(0)), der(DER.SEQUENCE), spki, der(0xa0, attribute))
  const { algorithm, digest } = SIGNATURES[kindOf(key)]
  return der(DER.SEQUENCE, body, algorithm, der(DER.BIT_STRING, Buffer.of(0), sign(digest, body, key)))
}

function kindOf(key: KeyObject): keyof typeof SIGNATURES {
  if (key.asymmetricKeyType === 'rsa') return 'rsa'
  return key.asymmetricKeyDetails?.namedCurve === 'secp384r1' ? 'ec384' : 'ec256'
}
