import { type Ask, EvenerError, type WebRequest, type WebResponse } from '../core/index.ts'
import type { AccountKey } from './jws.ts'
import { type AcmeProblem, parseJson, problemOf, retryAfterMs, shorten, textOf } from './problem.ts'

const TIMEOUT_MS = 30_000
const MAX_BYTES = 1024 * 1024
/** RFC 8555 §6.5: a nonce may be refused, and the refusal has another one. */
const MAX_NONCES = 10
const USER_AGENT = 'evener-acme'

/** The addresses of an authority (RFC 8555 §7.1.1). */
interface Directory {
  readonly newNonce: string
  readonly newAccount: string
  readonly newOrder: string
  /** RFC 9773; undefined where it has none. */
  readonly renewalInfo: string | undefined
  readonly needsExternalAccount: boolean
}

export interface AcmeAccount {
  readonly directory: string
  readonly key: AccountKey
  readonly email: string | undefined
  readonly externalAccount: { readonly id: string; readonly key: string } | undefined
}

/** An answer to a signed request. */
export interface AcmeAnswer {
  /** The member of a JSON object, or undefined. */
  member(name: string): unknown
  readonly body: Buffer
  /** Where what was made is; "" where nothing was. */
  readonly location: string
  readonly retryAfterMs: number | undefined
}

/**
 * An account with an authority (RFC 8555): requests signed with its key, each with a fresh nonce. Failures are EvenerErrors ACME_FAILED, refusals
 * AcmeProblems. What the authority names as an address must be at https like its directory.
 */
export class AcmeClient {
  readonly account: AcmeAccount
  readonly #ask: Ask
  readonly #now: () => number
  #directory: Directory | null = null
  /** The account's address, by which it is named in requests. */
  #url = ''
  #nonce = ''

  constructor(account: AcmeAccount, ask: Ask, now: () => number) {
    this.account = account
    this.#ask = ask
    this.#now = now
  }

  /** Of its account; it is made, or found again by its key, at the first request. */
  async post(url: string, payload: object | null, signal: AbortSignal): Promise<AcmeAnswer> {
    if (this.#url === '') await this.#register(signal)
    try {
      return await this.#post(url, payload, signal)
    } catch (error) {
      if ((error as AcmeProblem).type !== 'accountDoesNotExist') throw error
      // The authority has forgotten it.
      this.#url = ''
      await this.#register(signal)
      return this.#post(url, payload, signal)
    }
  }

  async newOrder(payload: object, signal: AbortSignal): Promise<AcmeAnswer> {
    return this.post((await this.directory(signal)).newOrder, payload, signal)
  }

  /** An unsigned request, for renewal information. */
  async get(url: string, signal: AbortSignal): Promise<WebResponse> {
    const response = await this.#send({ method: 'GET', url, timeoutMs: TIMEOUT_MS, maxBytes: MAX_BYTES }, signal)
    if (response.status !== 200) throw problemOf(response, this.#now())
    return response
  }

  async directory(signal: AbortSignal): Promise<Directory> {
    if (this.#directory !== null) return this.#directory
    const response = await this.get(this.account.directory, signal)
    const document = (parseJson(response.body) ?? {}) as Record<string, unknown>
    const meta = (document['meta'] ?? {}) as Record<string, unknown>
    this.#directory = {
      newNonce: addressOf(document['newNonce'], 'newNonce'),
      newAccount: addressOf(document['newAccount'], 'newAccount'),
      newOrder: addressOf(document['newOrder'], 'newOrder'),
      renewalInfo: document['renewalInfo'] === undefined ? undefined : addressOf(document['renewalInfo'], 'renewalInfo'),
      needsExternalAccount: meta['externalAccountRequired'] === true,
    }
    return this.#directory
  }

  async #register(signal: AbortSignal): Promise<void> {
    const { email, externalAccount, key } = this.account
    const { newAccount, needsExternalAccount } = await this.directory(signal)
    if (needsExternalAccount && externalAccount === undefined)
      throw new EvenerError('ACME_FAILED', 'the authority wants acme.externalAccount: an account that it has given out')
    const contact = email === undefined ? [] : [`mailto:${email}`]
    const binding = externalAccount === undefined ? {} : { externalAccountBinding: key.bind(newAccount, externalAccount) }
    const answer = await this.#post(newAccount, { termsOfServiceAgreed: true, contact, ...binding }, signal)
    this.#url = addressOf(answer.location, 'Location of the account')
    const known = answer.member('contact')
    if (Array.isArray(known) && known.join() !== contact.join()) await this.#post(this.#url, { contact }, signal)
  }

  async #post(url: string, payload: object | null, signal: AbortSignal): Promise<AcmeAnswer> {
    const { key } = this.account
    const who = this.#url === '' ? { jwk: key.jwk } : { kid: this.#url }
    for (let attempt = 1; ; attempt++) {
      const nonce = this.#nonce === '' ? await this.#newNonce(signal) : this.#nonce
      this.#nonce = ''
      const body = JSON.stringify(key.sign({ ...who, nonce, url }, payload === null ? '' : JSON.stringify(payload)))
      const headers = { 'content-type': 'application/jose+json' }
      const response = await this.#send({ method: 'POST', url, headers, body, timeoutMs: TIMEOUT_MS, maxBytes: MAX_BYTES }, signal)
      if (response.status < 300) return answerOf(response, this.#now())
      const problem = problemOf(response, this.#now())
      if (problem.type !== 'badNonce' || attempt === MAX_NONCES) throw problem
    }
  }

  async #newNonce(signal: AbortSignal): Promise<string> {
    const { newNonce } = await this.directory(signal)
    await this.#send({ method: 'HEAD', url: newNonce, timeoutMs: TIMEOUT_MS, maxBytes: 0 }, signal)
    const nonce = this.#nonce
    if (nonce === '') throw new EvenerError('ACME_FAILED', 'the authority gave no nonce')
    return nonce
  }

  async #send(request: WebRequest, signal: AbortSignal): Promise<WebResponse> {
    const headers = { 'user-agent': USER_AGENT, ...request.headers }
    const response = await this.#ask({ ...request, headers }, signal).catch((error: Error) => {
      throw new EvenerError('ACME_FAILED', `${request.url}: ${error.message}`, { cause: error })
    })
    const nonce = response.headers['replay-nonce']
    if (nonce !== undefined && /^[A-Za-z0-9_-]{1,1024}$/.test(nonce)) this.#nonce = nonce
    return response
  }
}

function answerOf(response: WebResponse, nowMs: number): AcmeAnswer {
  const { body, headers } = response
  const document = parseJson(body)
  const isObject = typeof document === 'object' && document !== null
  return {
    member: (name) => (isObject ? (document as Record<string, unknown>)[name] : undefined),
    body,
    location: headers['location'] ?? '',
    retryAfterMs: retryAfterMs(response, nowMs),
  }
}

/** An address that the authority has named. */
export function addressOf(value: unknown, what: string): string {
  if (typeof value === 'string' && URL.parse(value)?.protocol === 'https:') return value
  throw new EvenerError('ACME_FAILED', `the authority's ${what} is no address at https: ${shorten(textOf(value))}`)
}
