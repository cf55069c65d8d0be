import { createCipheriv, createDecipheriv, createHmac, hkdfSync, randomBytes } from 'node:crypto'

/** How a server is written into a cookie. `signed` and `encrypted` need a secret. */
export type ValueFormat = 'plain' | 'signed' | 'encrypted'

const DIGEST_BYTES = 9
const SIGNED_BYTES = 16
const IV_BYTES = 12
const TAG_BYTES = 16
/** Longer values are no values of ours. */
export const MAX_VALUE_BYTES = 128

/**
 * Names servers in cookies: the same in every worker, after a reload and after a restart.
 *
 *   plain       a digest of pool and server name; whoever tries addresses can find out which one it is, and name another
 *   signed      the same keyed with the secret (HMAC-SHA-256, cut to 128 bits): it can be neither guessed nor forged
 *   encrypted   AES-256-GCM of the plain digest, with the pool as associated data: two clients of a server have different values
 *
 * All in base64url. With several secrets the first writes and all read, so that they can be changed without losing sessions.
 * Reading and writing plain and signed values is a look-up; encrypted ones cost some microseconds.
 */
export class ServerValues {
  readonly #isEncrypted: boolean
  readonly #keys: readonly Buffer[]
  readonly #pool: Buffer
  readonly #digests: readonly Buffer[]
  /** The value of each server; empty where each is a new one. */
  readonly #written: readonly string[]
  /** Index by value, or by digest where values are encrypted. */
  readonly #indexes = new Map<string, number>()

  constructor(pool: string, servers: readonly string[], format: ValueFormat, secrets: readonly string[]) {
    if (format !== 'plain' && secrets.length === 0) throw new Error(`${format} values need a secret`)
    this.#isEncrypted = format === 'encrypted'
    this.#pool = Buffer.from(pool)
    this.#keys = secrets.map((secret) => Buffer.from(hkdfSync('sha256', secret, '', `evener persistence ${format}`, 32)))
    this.#digests = servers.map((server) => digest('evener server', pool, server).subarray(0, DIGEST_BYTES))
    const bySecret =
      format === 'signed'
        ? this.#keys.map((key) => servers.map((server) => digest(key, pool, server).subarray(0, SIGNED_BYTES).toString('base64url')))
        : [this.#digests.map((each) => each.toString('base64url'))]
    this.#written = bySecret[0]
    for (const values of bySecret) for (const [index, value] of values.entries()) this.#indexes.set(value, index)
  }

  /** The value for the server at `index`. */
  write(index: number): string {
    return this.#isEncrypted ? this.#encrypt(this.#digests[index]) : this.#written[index]
  }

  /** The index of the server that a value names; -1 for a value that is not ours, was tampered with, or names a server that is gone. */
  read(value: string): number {
    if (value.length > MAX_VALUE_BYTES) return -1
    if (!this.#isEncrypted) return this.#indexes.get(value) ?? -1
    const found = BASE64URL.test(value) ? this.#decrypt(Buffer.from(value, 'base64url')) : undefined
    return found === undefined ? -1 : (this.#indexes.get(found.toString('base64url')) ?? -1)
  }

  #encrypt(plain: Buffer): string {
    const iv = randomBytes(IV_BYTES)
    const cipher = createCipheriv('aes-256-gcm', this.#keys[0], iv).setAAD(this.#pool)
    return Buffer.concat([iv, cipher.update(plain), cipher.final(), cipher.getAuthTag()]).toString('base64url')
  }

  #decrypt(bytes: Buffer): Buffer | undefined {
    if (bytes.length !== IV_BYTES + DIGEST_BYTES + TAG_BYTES) return undefined
    for (const key of this.#keys) {
      const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, IV_BYTES)).setAAD(this.#pool)
      decipher.setAuthTag(bytes.subarray(-TAG_BYTES))
      try {
        return Buffer.concat([decipher.update(bytes.subarray(IV_BYTES, -TAG_BYTES)), decipher.final()])
      } catch {
        // Another secret may have written it.
      }
    }
    return undefined
  }
}

const BASE64URL = /^[\w-]+$/

function digest(key: string | Buffer, pool: string, server: string): Buffer {
  return createHmac('sha256', key)
    .update(JSON.stringify([pool, server]))
    .digest()
}
