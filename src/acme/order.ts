import { createHash, type KeyObject } from 'node:crypto'
import { EvenerError, type Pace } from '../core/index.ts'
import type { ChallengeKind, KeyType } from '../schema/index.ts'
import { readCertificate, type StoredCertificate } from './certificate.ts'
import { type AcmeAnswer, type AcmeClient, addressOf } from './client.ts'
import { makeKey, makeRequest } from './csr.ts'
import { type AcmeProblem, describeProblem, shorten, textOf } from './problem.ts'

const FIRST_POLL_MS = 250
const MAX_POLL_MS = 5000
const MAX_AUTHORIZATIONS = 200

/** What shows an authority that a name is ours. */
export interface ChallengeAnswer {
  readonly kind: ChallengeKind
  /** Without "*.". */
  readonly name: string
  readonly token: string
  readonly keyAuthorization: string
  /** SHA-256 of the key authorization: of tls-alpn-01 as it is, of dns-01 in base64url. */
  readonly digest: Buffer
}

/** Puts answers where the authority looks for them, and takes them away. */
export interface Answerer {
  /** Resolves when the authority may look. Rejects with words. */
  present(answer: ChallengeAnswer, signal: AbortSignal): Promise<void>
  /** Never rejects. */
  remove(answer: ChallengeAnswer): Promise<void>
}

export interface OrderRequest {
  readonly names: readonly string[]
  readonly keyType: KeyType
  readonly challenge: ChallengeKind
  /** The certificate that is renewed, by its RFC 9773 identifier. */
  readonly replaces: string | undefined
}

/** Orders of one account (RFC 8555 §7.4). */
export class Orders {
  readonly #client: AcmeClient
  readonly #answerer: Answerer
  readonly #pace: Pace

  constructor(client: AcmeClient, answerer: Answerer, pace: Pace) {
    this.#client = client
    this.#answerer = answerer
    this.#pace = pace
  }

  /** A certificate with a new key. Rejects with EvenerError ACME_FAILED or what `signal` says; answers to challenges are gone then. */
  async place(request: OrderRequest, signal: AbortSignal): Promise<StoredCertificate> {
    const { names } = request
    const order = await this.#open(request, signal)
    const url = addressOf(order.location, 'Location of the order')
    const authorizations = order.member('authorizations')
    if (!Array.isArray(authorizations) || authorizations.length > MAX_AUTHORIZATIONS)
      throw new EvenerError('ACME_FAILED', 'the order of the authority has no authorizations')
    await this.#authorize(
      authorizations.map((each) => addressOf(each, 'authorization')),
      request.challenge,
      signal,
    )
    const key = await makeKey(request.keyType)
    const ready = await this.#settle(url, ['ready', 'valid'], 'the order', signal)
    const csr = makeRequest(key, names).toString('base64url')
    if (ready.member('status') === 'ready') await this.#client.post(addressOf(ready.member('finalize'), 'finalize'), { csr }, signal)
    const valid = await this.#settle(url, ['valid'], 'the order', signal)
    const chain = await this.#client.post(addressOf(valid.member('certificate'), 'certificate'), null, signal)
    return joined(chain.body.toString('latin1'), key, names)
  }

  /** Some authorities know each certificate to be replaced once only (RFC 9773 §5): it is then ordered without. */
  async #open({ names, replaces }: OrderRequest, signal: AbortSignal): Promise<AcmeAnswer> {
    const identifiers = names.map((value) => ({ type: 'dns', value }))
    const { renewalInfo } = await this.#client.directory(signal)
    if (replaces === undefined || renewalInfo === undefined) return this.#client.newOrder({ identifiers }, signal)
    return this.#client.newOrder({ identifiers, replaces }, signal).catch((error: AcmeProblem) => {
      const isRefused = error.type === 'alreadyReplaced' || error.type === 'malformed' || error.type === 'unauthorized'
      if (!isRefused) throw error
      return this.#client.newOrder({ identifiers }, signal)
    })
  }

  /** All names at once: what is in DNS takes time to get around. */
  async #authorize(urls: readonly string[], kind: ChallengeKind, signal: AbortSignal): Promise<void> {
    const answers: ChallengeAnswer[] = []
    try {
      const pending: { readonly url: string; readonly challenge: string; readonly name: string }[] = []
      for (const url of urls) {
        const authorization = await this.#client.post(url, null, signal)
        if (authorization.member('status') === 'valid') continue
        const name = nameOf(authorization)
        const { challenge, token } = challengeOf(authorization, kind, name)
        const keyAuthorization = this.#client.account.key.authorize(token)
        const digest = createHash('sha256').update(keyAuthorization).digest()
        const answer = { kind, name, token, keyAuthorization, digest }
        answers.push(answer)
        await this.#answerer.present(answer, signal)
        pending.push({ url, challenge, name })
      }
      for (const { challenge } of pending) await this.#client.post(challenge, {}, signal)
      for (const { url, name } of pending) await this.#settle(url, ['valid'], name, signal)
    } finally {
      for (const answer of answers) await this.#answerer.remove(answer)
    }
  }

  /** Asks until the status is one of those. */
  async #settle(url: string, wanted: readonly string[], what: string, signal: AbortSignal): Promise<AcmeAnswer> {
    for (let wait = FIRST_POLL_MS; ; wait = Math.min(wait * 1.5, MAX_POLL_MS)) {
      const answer = await this.#client.post(url, null, signal)
      const status = textOf(answer.member('status'))
      if (wanted.includes(status)) return answer
      if (!['pending', 'processing', 'ready'].includes(status)) throw new EvenerError('ACME_FAILED', `${what}: ${reasonOf(answer, status)}`)
      await this.#pace.sleep(Math.max(wait, answer.retryAfterMs ?? 0), signal)
    }
  }
}

function nameOf(authorization: AcmeAnswer): string {
  const { value } = (authorization.member('identifier') ?? {}) as { value?: unknown }
  if (typeof value === 'string' && /^[a-z0-9.-]{1,253}$/i.test(value)) return value.toLowerCase()
  throw new EvenerError('ACME_FAILED', 'an authorization of the authority has no name')
}

function challengeOf(authorization: AcmeAnswer, kind: ChallengeKind, name: string): { readonly challenge: string; readonly token: string } {
  const offered = authorization.member('challenges')
  const all = (Array.isArray(offered) ? offered : []) as { type?: unknown; url?: unknown; token?: unknown }[]
  const found = all.find((each) => each?.type === kind)
  // RFC 8555 §8.1: the alphabet of base64url, so that a token is no path.
  if (found === undefined || typeof found.token !== 'string' || !/^[A-Za-z0-9_-]{1,256}$/.test(found.token)) {
    const kinds = all.map((each) => textOf(each?.type)).join(', ')
    throw new EvenerError('ACME_FAILED', `${name}: the authority does not offer ${kind}${kinds === '' ? '' : `, but ${shorten(kinds)}`}`)
  }
  return { challenge: addressOf(found.url, 'challenge'), token: found.token }
}

/** Why an order or an authorization is invalid: its own error, or that of a challenge. */
function reasonOf(answer: AcmeAnswer, status: string): string {
  const challenges = answer.member('challenges')
  const errors = [answer.member('error'), ...(Array.isArray(challenges) ? challenges.map((each) => each?.error) : [])]
  const texts = errors.map((error) => describeProblem(error).text).filter((text) => text !== '')
  return texts[0] ?? `it is ${shorten(status)}`
}

function joined(chain: string, key: KeyObject, names: readonly string[]): StoredCertificate {
  const blocks = chain.match(/-----BEGIN CERTIFICATE-----\r?\n[A-Za-z0-9+/=\r\n]+-----END CERTIFICATE-----/g) ?? []
  const pem = [...blocks, key.export({ type: 'pkcs8', format: 'pem' }).toString().trim(), ''].join('\n')
  try {
    return readCertificate(pem, names)
  } catch (error) {
    throw new EvenerError('ACME_FAILED', `what the authority gave cannot be used: ${(error as Error).message}`, { cause: error })
  }
}
