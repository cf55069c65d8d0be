import { createHash, createHmac, pbkdf2Sync, randomBytes, timingSafeEqual } from 'node:crypto'

/** 65536 rounds are about 40 ms in which the control thread does nothing else; PostgreSQL's own default is 4096. */
const MAX_ITERATIONS = 65_536

/** The slow part of the last login, kept because a server asks for the same each time. */
export class ScramMemory {
  #key = ''
  #salted: Buffer = Buffer.alloc(0)

  salted(password: string, salt: Buffer, iterations: number): Buffer {
    const key = `${salt.toString('hex')}:${iterations}`
    if (key === this.#key) return this.#salted
    this.#salted = pbkdf2Sync(password.normalize('NFKC'), salt, iterations, 32, 'sha256')
    this.#key = key
    return this.#salted
  }
}

/** The client's side of SCRAM-SHA-256 without channel binding, RFC 5802 and RFC 7677. Errors are words for a verdict. */
export class Scram {
  readonly #password: string
  readonly #memory: ScramMemory
  readonly #nonce: string
  #serverSignature: Buffer = Buffer.alloc(0)

  constructor(password: string, memory: ScramMemory, nonce = randomBytes(18).toString('base64')) {
    this.#password = password
    this.#memory = memory
    this.#nonce = nonce
  }

  /** PostgreSQL takes the user's name from the start of the connection. */
  get first(): string {
    return `n,,${this.#bare}`
  }

  get #bare(): string {
    return `n=,r=${this.#nonce}`
  }

  /** The answer to the server's first message; undefined where that is not well-formed or asks for too much. */
  final(serverFirst: string): string | undefined {
    const [, nonce, saltText, rounds] = /^r=([!-+\--~]+),s=([A-Za-z0-9+/=]+),i=(\d{1,9})(?:,|$)/.exec(serverFirst) ?? []
    if (nonce === undefined || !nonce.startsWith(this.#nonce) || nonce === this.#nonce) return undefined
    const iterations = Number(rounds)
    if (iterations < 1 || iterations > MAX_ITERATIONS) return undefined
    const salted = this.#memory.salted(this.#password, Buffer.from(saltText, 'base64'), iterations)
    const withoutProof = `c=biws,r=${nonce}`
    const message = `${this.#bare},${serverFirst},${withoutProof}`
    const clientKey = hmac(salted, 'Client Key')
    const signature = hmac(createHash('sha256').update(clientKey).digest(), message)
    this.#serverSignature = hmac(hmac(salted, 'Server Key'), message)
    return `${withoutProof},p=${xor(clientKey, signature).toString('base64')}`
  }

  /** Whether the server's last message proves that it knows the password too. */
  verifies(serverFinal: string): boolean {
    const [, text] = /^v=([A-Za-z0-9+/=]+)/.exec(serverFinal) ?? []
    const signature = Buffer.from(text ?? '', 'base64')
    return signature.length === this.#serverSignature.length && timingSafeEqual(signature, this.#serverSignature)
  }
}

function hmac(key: Buffer, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}

function xor(a: Buffer, b: Buffer): Buffer {
  return Buffer.from(a.map((byte, i) => byte ^ b[i]))
}
