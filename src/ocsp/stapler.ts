import { type Ask, EvenerError, type Pace } from '../core/index.ts'
import { type GoodResponse, type RevokedResponse, readResponse } from './response.ts'
import { makeOcspRequest, type OcspSubject } from './subject.ts'

const TIMEOUT_MS = 10_000
const MAX_BYTES = 64 * 1024
/** After a failure: doubled each time, half of it by chance. */
const FIRST_RETRY_MS = 60_000
const MAX_RETRY_MS = 3_600_000
/** A responder that is always about to update is not asked more often. */
const MIN_WAIT_MS = 60_000
const MAX_WAIT_MS = 86_400_000

export interface StaplerParts {
  readonly ask: Ask
  readonly pace: Pace
  /** There is another response, or none any more. */
  changed(): void
  log(level: 'info' | 'warn', message: string): void
}

/** How it stands with the response about a certificate. Times are in milliseconds since the epoch; 0 is never. */
export interface StaplerStatus {
  readonly url: string
  /** Until when what is stapled holds; 0 where nothing is. */
  readonly nextUpdateMs: number
  readonly nextFetchMs: number
  /** Why the last question failed; "" where it did not. */
  readonly failure: string
  readonly goodCount: number
  readonly failedCount: number
}

/**
 * Keeps a response about one certificate: asked for at once, again when half of its time is over, and forgotten when that has come to its end or the certificate was
 * revoked. Every other failure leaves the one that is there.
 */
export class Stapler {
  readonly #subject: OcspSubject
  readonly #parts: StaplerParts
  readonly #closing = new AbortController()
  /** DER; null where there is nothing to staple. */
  response: Buffer | null = null
  readonly ended: Promise<void>
  #good: GoodResponse | null = null
  #nextFetchMs = 0
  #failure = ''
  #failures = 0
  #goodCount = 0
  #failedCount = 0

  constructor(subject: OcspSubject, parts: StaplerParts) {
    this.#subject = subject
    this.#parts = parts
    this.ended = this.#run()
  }

  status(): StaplerStatus {
    return {
      url: this.#subject.url,
      nextUpdateMs: this.#good?.nextUpdateMs ?? 0,
      nextFetchMs: this.#nextFetchMs,
      failure: this.#failure,
      goodCount: this.#goodCount,
      failedCount: this.#failedCount,
    }
  }

  close(): void {
    this.#closing.abort(new Error('it is no longer wanted'))
  }

  async #run(): Promise<void> {
    // Nobody who makes a stapler is to be called back before it has it.
    await Promise.resolve()
    const { pace } = this.#parts
    const { signal } = this.#closing
    while (!signal.aborted) {
      if (this.#nextFetchMs <= pace.now()) await this.#fetch()
      if (signal.aborted) return
      this.#forgetOld()
      const untilMs = Math.min(this.#nextFetchMs, this.#good?.nextUpdateMs ?? Number.POSITIVE_INFINITY)
      await pace.sleep(Math.max(untilMs - pace.now(), 0), signal).catch(() => {})
    }
  }

  async #fetch(): Promise<void> {
    const { pace, changed } = this.#parts
    try {
      const { bytes, said } = await this.#ask()
      if (this.#closing.signal.aborted) return
      if (said.kind === 'revoked') {
        this.#forget()
        this.#failed(`the certificate was revoked on ${said.day}`)
        return
      }
      this.#goodCount++
      this.#failure = ''
      this.#failures = 0
      this.#good = said
      const half = (said.nextUpdateMs - said.thisUpdateMs) / 2
      // Up to a tenth earlier, so that those of one day do not stay together.
      const wanted = said.thisUpdateMs + half * (1 - pace.random() / 10)
      this.#nextFetchMs = Math.min(Math.max(wanted, pace.now() + MIN_WAIT_MS), pace.now() + MAX_WAIT_MS)
      if (this.response?.equals(bytes)) return
      this.response = bytes
      changed()
    } catch (error) {
      if (!this.#closing.signal.aborted) this.#failed((error as Error).message)
    }
  }

  async #ask(): Promise<{ readonly bytes: Buffer; readonly said: GoodResponse | RevokedResponse }> {
    const { ask, pace } = this.#parts
    const { url } = this.#subject
    const headers = { 'content-type': 'application/ocsp-request', accept: 'application/ocsp-response', 'user-agent': 'evener-ocsp' }
    const body = makeOcspRequest(this.#subject)
    const limits = { timeoutMs: TIMEOUT_MS, maxBytes: MAX_BYTES }
    const answer = await ask({ method: 'POST', url, headers, body, ...limits }, this.#closing.signal)
    if (answer.status !== 200) throw new EvenerError('OCSP_FAILED', `status ${answer.status}`)
    try {
      return { bytes: answer.body, said: readResponse(answer.body, this.#subject, pace.now()) }
    } catch (error) {
      throw new EvenerError('OCSP_FAILED', (error as Error).message, { cause: error })
    }
  }

  #failed(why: string): void {
    const { pace, log } = this.#parts
    this.#failedCount++
    this.#failures++
    const whole = Math.min(FIRST_RETRY_MS * 2 ** Math.min(this.#failures - 1, 30), MAX_RETRY_MS)
    this.#nextFetchMs = pace.now() + whole / 2 + (whole / 2) * pace.random()
    const consequence = this.#good === null ? 'nothing is stapled' : 'the response of before is stapled'
    // Once for each reason: a responder that is down for days is no news every hour.
    if (why !== this.#failure) log('warn', `ocsp ${this.#title}: ${this.#subject.url}: ${why}; ${consequence}`)
    this.#failure = why
  }

  #forgetOld(): void {
    const { pace, log } = this.#parts
    if (this.#good === null || this.#good.nextUpdateMs > pace.now()) return
    this.#forget()
    log('warn', `ocsp ${this.#title}: the response has come to its end; nothing is stapled`)
  }

  #forget(): void {
    const hadOne = this.response !== null
    this.#good = null
    this.response = null
    if (hadOne) this.#parts.changed()
  }

  get #title(): string {
    return this.#subject.leaf.subjectAltName ?? this.#subject.leaf.subject
  }
}
