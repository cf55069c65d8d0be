import { createHash, createHmac, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'

/** A public key as ES256 has it (RFC 7518 §6.2), with its members in the order that thumbprints want. */
interface PublicJwk {
  readonly crv: 'P-256'
  readonly kty: 'EC'
  readonly x: string
  readonly y: string
}

/** A signed message in the flattened form (RFC 7515 §7.2.2), as ACME sends it. */
export interface Jws {
  readonly protected: string
  readonly payload: string
  readonly signature: string
}

/** The key of an account: ECDSA with P-256. */
export class AccountKey {
  readonly jwk: PublicJwk
  /** RFC 7638. */
  readonly thumbprint: string
  readonly #key: KeyObject

  private constructor(key: KeyObject) {
    this.#key = key
    const { kty, crv, x, y } = createPublicKey(key).export({ format: 'jwk' })
    if (kty !== 'EC' || crv !== 'P-256' || x === undefined || y === undefined) throw new Error('it is no key for ECDSA with P-256')
    this.jwk = { crv, kty, x, y }
    this.thumbprint = createHash('sha256').update(JSON.stringify(this.jwk)).digest('base64url')
  }

  static create(): AccountKey {
    return new AccountKey(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey)
  }

  /** Throws in words. */
  static parse(pem: string): AccountKey {
    return new AccountKey(createPrivateKey(pem))
  }

  pem(): string {
    return this.#key.export({ type: 'pkcs8', format: 'pem' }).toString()
  }

  /** ES256 (RFC 7518 §3.4). An empty payload is that of POST-as-GET. */
  sign(header: object, payload: string): Jws {
    const head = base64url(JSON.stringify({ alg: 'ES256', ...header }))
    const body = base64url(payload)
    const signature = sign('sha256', Buffer.from(`${head}.${body}`), { key: this.#key, dsaEncoding: 'ieee-p1363' })
    return { protected: head, payload: body, signature: signature.toString('base64url') }
  }

  /** RFC 8555 §7.3.4: this account is to belong to one that the authority knows otherwise. */
  bind(url: string, external: { readonly id: string; readonly key: string }): Jws {
    const head = base64url(JSON.stringify({ alg: 'HS256', kid: external.id, url }))
    const body = base64url(JSON.stringify(this.jwk))
    const signature = createHmac('sha256', Buffer.from(external.key, 'base64url')).update(`${head}.${body}`).digest('base64url')
    return { protected: head, payload: body, signature }
  }

  /** RFC 8555 §8.1. */
  authorize(token: string): string {
    return `${token}.${this.thumbprint}`
  }
}

function base64url(text: string): string {
  return Buffer.from(text).toString('base64url')
}
