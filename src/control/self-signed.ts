import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto'

const DAY_MS = 86_400_000
const VALID_DAYS = 90

const SEQUENCE = 0x30
const SET = 0x31
const INTEGER = 0x02
const BIT_STRING = 0x03
const OCTET_STRING = 0x04
const OBJECT_ID = 0x06
const UTF8_STRING = 0x0c
const GENERALIZED_TIME = 0x18
const BOOLEAN_TRUE = Buffer.of(0x01, 0x01, 0xff)

const ECDSA_WITH_SHA256 = der(SEQUENCE, objectId('2a8648ce3d040302'))
const COMMON_NAME = objectId('550403')
const SUBJECT_ALT_NAME = objectId('551d11')
const BASIC_CONSTRAINTS = objectId('551d13')
const KEY_USAGE = objectId('551d0f')
const EXTENDED_KEY_USAGE = objectId('551d25')
const SERVER_AUTH = objectId('2b06010505070301')
const SUBJECT_KEY_ID = objectId('551d0e')

/** A certificate (RFC 5280) for these names, signed with its own P-256 key: good for trying things out, trusted by nobody. */
export function makeSelfSigned(names: readonly string[]): { readonly cert: string; readonly key: string } {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const spki = publicKey.export({ type: 'spki', format: 'der' })
  const subject = der(SEQUENCE, der(SET, der(SEQUENCE, COMMON_NAME, der(UTF8_STRING, Buffer.from(names[0].slice(0, 64))))))
  const serial = randomBytes(16)
  // Positive, and without a leading zero.
  serial[0] = (serial[0] & 0x3f) | 0x40
  const nowMs = Date.now()
  const body = der(
    SEQUENCE,
    der(0xa0, der(INTEGER, Buffer.of(2))),
    der(INTEGER, serial),
    ECDSA_WITH_SHA256,
    subject,
    der(SEQUENCE, time(nowMs - DAY_MS), time(nowMs + VALID_DAYS * DAY_MS)),
    subject,
    spki,
    der(0xa3, der(SEQUENCE, ...extensions(names, spki))),
  )
  const signature = sign('sha256', body, privateKey)
  const certificate = der(SEQUENCE, body, ECDSA_WITH_SHA256, der(BIT_STRING, Buffer.of(0), signature))
  return { cert: pem('CERTIFICATE', certificate), key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() }
}

function extensions(names: readonly string[], spki: Buffer): Buffer[] {
  const alternatives = names.map((name) =>
    isAddress(name) ? der(0x87, Buffer.from(name.split('.').map(Number))) : der(0x82, Buffer.from(name)),
  )
  const keyId = createHash('sha1').update(spki).digest()
  return [
    der(SEQUENCE, SUBJECT_ALT_NAME, der(OCTET_STRING, der(SEQUENCE, ...alternatives))),
    der(SEQUENCE, BASIC_CONSTRAINTS, BOOLEAN_TRUE, der(OCTET_STRING, der(SEQUENCE))),
    // digitalSignature
    der(SEQUENCE, KEY_USAGE, BOOLEAN_TRUE, der(OCTET_STRING, der(BIT_STRING, Buffer.of(7, 0x80)))),
    der(SEQUENCE, EXTENDED_KEY_USAGE, der(OCTET_STRING, der(SEQUENCE, SERVER_AUTH))),
    der(SEQUENCE, SUBJECT_KEY_ID, der(OCTET_STRING, der(OCTET_STRING, keyId))),
  ]
}

function isAddress(name: string): boolean {
  return /^\d+\.\d+\.\d+\.\d+$/.test(name)
}

/** DER: tag, length, content (X.690 §8.1). */
function der(tag: number, ...parts: Buffer[]): Buffer {
  const content = Buffer.concat(parts)
  const length: number[] = []
  if (content.length < 128) length.push(content.length)
  else {
    for (let rest = content.length; rest > 0; rest >>>= 8) length.unshift(rest & 0xff)
    length.unshift(0x80 | length.length)
  }
  return Buffer.concat([Buffer.of(tag, ...length), content])
}

function objectId(hex: string): Buffer {
  return der(OBJECT_ID, Buffer.from(hex, 'hex'))
}

function time(ms: number): Buffer {
  return der(GENERALIZED_TIME, Buffer.from(new Date(ms).toISOString().replace(/[-:T]|\.\d+/g, '')))
}

function pem(label: string, bytes: Buffer): string {
  const lines = bytes.toString('base64').replace(/(.{64})(?=.)/g, '$1\n')
  return `-----BEGIN ${label}-----\n${lines}\n-----END ${label}-----\n`
}
