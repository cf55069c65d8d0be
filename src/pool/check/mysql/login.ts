import { constants, createHash, publicEncrypt } from 'node:crypto'
import { cString } from './packet.ts'

/** What a server says first (protocol 10). */
export interface Greeting {
  readonly version: string
  readonly capabilities: number
  readonly salt: Buffer
  readonly plugin: string
}

export const CAPABILITY = {
  LONG_PASSWORD: 0x1,
  CONNECT_WITH_DB: 0x8,
  PROTOCOL_41: 0x200,
  SSL: 0x800,
  TRANSACTIONS: 0x2000,
  SECURE_CONNECTION: 0x8000,
  PLUGIN_AUTH: 0x80000,
} as const

const CLIENT =
  CAPABILITY.LONG_PASSWORD | CAPABILITY.PROTOCOL_41 | CAPABILITY.TRANSACTIONS | CAPABILITY.SECURE_CONNECTION | CAPABILITY.PLUGIN_AUTH
const UTF8MB4 = 45
const MAX_PACKET = 1 << 16

/** undefined where it is not well-formed. */
export function readGreeting(body: Buffer): Greeting | undefined {
  if (body[0] !== 10) return undefined
  const version = cString(body, 1)
  const at = version.end + 4
  if (body.length < at + 31) return undefined
  const capabilities = body.readUInt16LE(at + 9) | (body.readUInt16LE(at + 14) << 16)
  const saltLength = Math.max(13, body[at + 16] - 8)
  const rest = body.subarray(at + 27, at + 27 + saltLength)
  const salt = Buffer.concat([body.subarray(at, at + 8), rest]).subarray(0, 20)
  return { version: version.text, capabilities, salt, plugin: cString(body, at + 27 + saltLength).text }
}

export function sslRequest(database: string | undefined): Buffer {
  return head(CAPABILITY.SSL | (database === undefined ? 0 : CAPABILITY.CONNECT_WITH_DB))
}

export interface Login {
  readonly user: string
  readonly password: string
  readonly database: string | undefined
  readonly isSecure: boolean
}

export function loginResponse(login: Login, plugin: string, salt: Buffer): Buffer {
  const { user, password, database, isSecure } = login
  const proof = prove(plugin, password, salt) ?? Buffer.alloc(0)
  const flags = (isSecure ? CAPABILITY.SSL : 0) | (database === undefined ? 0 : CAPABILITY.CONNECT_WITH_DB)
  return Buffer.concat([
    head(flags),
    Buffer.from(`${user}\0`),
    Buffer.from([proof.length]),
    proof,
    Buffer.from(database === undefined ? '' : `${database}\0`),
    Buffer.from(`${plugin}\0`),
  ])
}

/** What a plugin sends for a password; undefined for plugins that are not supported. */
export function prove(plugin: string, password: string, salt: Buffer): Buffer | undefined {
  const isKnown = plugin === 'mysql_native_password' || plugin === 'caching_sha2_password'
  if (!isKnown) return undefined
  if (password === '') return Buffer.alloc(0)
  const once = plugin === 'mysql_native_password' ? hash('sha1', password) : hash('sha256', password)
  if (plugin === 'mysql_native_password') return xor(once, hash('sha1', salt, hash('sha1', once)))
  return xor(once, hash('sha256', hash('sha256', once), salt))
}

/** caching_sha2_password where the server has nothing cached and the connection is in the clear. undefined where the key is none. */
export function encryptPassword(password: string, salt: Buffer, pem: string): Buffer | undefined {
  try {
    const plain = xor(Buffer.from(`${password}\0`), salt)
    return publicEncrypt({ key: pem, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: 'sha1' }, plain)
  } catch {
    return undefined
  }
}

function head(flags: number): Buffer {
  const bytes = Buffer.alloc(32)
  bytes.writeUInt32LE(CLIENT | flags, 0)
  bytes.writeUInt32LE(MAX_PACKET, 4)
  bytes[8] = UTF8MB4
  return bytes
}

function hash(name: string, ...parts: (string | Buffer)[]): Buffer {
  const sum = createHash(name)
  for (const part of parts) sum.update(part)
  return sum.digest()
}

/** `key` is repeated as often as it takes. */
function xor(bytes: Buffer, key: Buffer): Buffer {
  return Buffer.from(bytes.map((byte, i) => byte ^ key[i % key.length]))
}
