import type { Pace } from '../core/index.ts'
import type { ChallengeKind, KeyType } from '../schema/index.ts'
import type { StoredCertificate } from './certificate.ts'
import type { AcmeClient } from './client.ts'
import { type Answerer, Orders } from './order.ts'
import type { AcmeProblem } from './problem.ts'
import { askRenewalWindow, backOffMs, momentWithin, type RenewalWindow, renewalMoment } from './renewal.ts'
import { readStored, type Store } from './store.ts'

/** No order takes longer. */
const ORDER_LIMIT_MS = 10 * 60_000
/** What another process orders is looked for so often. */
const LOCKED_MS = 10_000
/** However far the renewal is, the file is looked at so often. */
const LOOK_AGAIN_MS = 6 * 3_600_000

/** A certificate that is to be had. */
export interface WantedCertificate {
  /** The file of the store. */
  readonly path: string
  readonly names: readonly string[]
  readonly keyType: KeyType
  readonly challenge: ChallengeKind
}

/** What all certificates of a configuration have together. */
export interface KeeperParts {
  readonly store: Store
  readonly answerer: Answerer
  readonly pace: Pace
  readonly renewBeforeMs: number | undefined
  readonly backOffMs: number
  readonly maxBackOffMs: number
  /** Rejects or throws where there can be no account yet. */
  client(): AcmeClient
  /** A new certificate is in its file; resolves when it is in force. */
  renewed(): Promise<void>
  log(level: 'info' | 'warn' | 'error', message: string): void
}

/** How it stands with a certificate. Times are in milliseconds since the epoch; 0 is never. */
export interface KeeperStatus {
  readonly state: 'waiting' | 'ordering' | 'failing'
  readonly lastSuccessMs: number
  readonly lastFailureMs: number
  /** Why; "" where the last order was good. */
  readonly failure: string
  /** In a row. */
  readonly failures: number
  /** When the next order is due. */
  readonly nextMs: number
  readonly successCount: number
  readonly failureCount: number
}

/**
 * Keeps one certificate: orders it where there is none that can be used, and again in time. What is in the file is never worse after a failure.
 *
 *     look at the file ─▶ none, or unusable ─▶ order ─▶ look again
 *            └─▶ good: ask for the window (ARI) ─▶ sleep until the moment in it, or until the window is to be asked for again
 */
export class Keeper {
  readonly wanted: WantedCertificate
  readonly #parts: KeeperParts
  readonly #closing = new AbortController()
  /** Resolves when everything is over. */
  readonly ended: Promise<void>
  #wake = new AbortController()
  #state: KeeperStatus['state'] = 'waiting'
  #lastSuccessMs = 0
  #lastFailureMs = 0
  #failure = ''
  #failures = 0
  #nextMs = 0
  #successCount = 0
  #failureCount = 0
  #retryMs = 0
  #isDemanded = false
  #window: { readonly serial: string; readonly value: RenewalWindow | undefined; readonly untilMs: number } | null = null
  /** The moment that was drawn for a certificate: drawing again and again would end early. */
  #moment = { key: '', atMs: 0 }
  /** The last thing that was said about the file or the window, so that it is said once. */
  #said = ''

  constructor(wanted: WantedCertificate, parts: KeeperParts) {
    this.wanted = wanted
    this.#parts = parts
    this.ended = this.#run()
  }

  status(): KeeperStatus {
    return {
      state: this.#state,
      lastSuccessMs: this.#lastSuccessMs,
      lastFailureMs: this.#lastFailureMs,
      failure: this.#failure,
      failures: this.#failures,
      nextMs: this.#nextMs,
      successCount: this.#successCount,
      failureCount: this.#failureCount,
    }
  }

  /** Orders a new one now, whatever the certificate and failures say. */
  renew(): void {
    this.#isDemanded = true
    this.#wake.abort()
  }

  /** Gives up what is under way; `ended` tells when answers to challenges are gone. */
  close(): void {
    this.#closing.abort(new Error('Evener ends, or the certificate is no longer in the configuration'))
  }

  async #run(): Promise<void> {
    // Nobody who makes a keeper is to be called back before it has it.
    await Promise.resolve()
    const { pace } = this.#parts
    while (!this.#closing.signal.aborted) {
      try {
        await this.#turn()
      } catch (error) {
        this.#failed(error as Error)
      }
      const waitMs = Math.min(Math.max(this.#nextWakeMs() - pace.now(), 0), LOOK_AGAIN_MS)
      if (this.#isDemanded) continue
      this.#wake = new AbortController()
      await pace.sleep(waitMs, AbortSignal.any([this.#wake.signal, this.#closing.signal])).catch(() => {})
    }
  }

  #nextWakeMs(): number {
    return Math.min(this.#nextMs, this.#window?.untilMs ?? Number.POSITIVE_INFINITY)
  }

  async #turn(): Promise<void> {
    const { pace, store } = this.#parts
    const present = this.#read()
    const due = present === undefined ? 0 : await this.#due(present)
    this.#nextMs = Math.max(due, this.#retryMs)
    if (this.#nextMs > pace.now() && !this.#isDemanded) return
    const release = store.lock(this.wanted.path, pace.now())
    if (release === undefined) {
      this.#nextMs = pace.now() + LOCKED_MS
      this.#say('info', 'another process orders it')
      return
    }
    try {
      this.#isDemanded = false
      await this.#order(present)
    } finally {
      release()
    }
  }

  #read(): StoredCertificate | undefined {
    const stored = readStored(this.wanted.path, this.wanted.names)
    if (stored.kind === 'read') return stored.certificate
    if (stored.kind === 'unusable') this.#say('warn', `${this.wanted.path} cannot be used and is ordered anew: ${stored.reason}`)
    return undefined
  }

  /** When the certificate is to be renewed. */
  async #due(present: StoredCertificate): Promise<number> {
    const { pace, renewBeforeMs } = this.#parts
    const window = await this.#askWindow(present)
    const key = `${present.serial} ${window?.startMs} ${window?.endMs}`
    if (this.#moment.key !== key) {
      const random = pace.random()
      this.#moment = { key, atMs: window === undefined ? renewalMoment(present, renewBeforeMs, random) : momentWithin(window, random) }
    }
    return this.#moment.atMs
  }

  /** What the authority says, as long as that holds; an authority that cannot be asked is asked later. */
  async #askWindow(present: StoredCertificate): Promise<RenewalWindow | undefined> {
    const { pace } = this.#parts
    const known = this.#window
    if (known?.serial === present.serial && known.untilMs > pace.now()) return known.value
    let value: RenewalWindow | undefined
    try {
      value = await askRenewalWindow(this.#parts.client(), present, pace.now(), this.#closing.signal)
    } catch (error) {
      this.#say('warn', `the authority does not say when it is to be renewed: ${(error as Error).message}`)
      value = known?.serial === present.serial ? known.value : undefined
    }
    this.#window = { serial: present.serial, value, untilMs: pace.now() + (value?.retryAfterMs ?? LOOK_AGAIN_MS) }
    return value
  }

  async #order(present: StoredCertificate | undefined): Promise<void> {
    const { pace, store, answerer } = this.#parts
    this.#state = 'ordering'
    const signal = AbortSignal.any([this.#closing.signal, limit(ORDER_LIMIT_MS)])
    const { names, keyType, challenge, path } = this.wanted
    const orders = new Orders(this.#parts.client(), answerer, pace)
    const got = await orders.place({ names, keyType, challenge, replaces: present?.id }, signal)
    store.write(path, got)
    this.#state = 'waiting'
    this.#lastSuccessMs = pace.now()
    this.#successCount++
    this.#failures = 0
    this.#failure = ''
    this.#retryMs = 0
    this.#said = ''
    this.#nextMs = 0
    const until = new Date(got.notAfterMs).toISOString()
    await this.#parts.renewed()
    this.#parts.log('info', `${this.#title}: ${present === undefined ? 'a certificate is there' : 'it was renewed'}, until ${until}`)
  }

  #failed(error: Error): void {
    if (this.#closing.signal.aborted) return
    const { pace, log } = this.#parts
    this.#failures++
    this.#failureCount++
    this.#state = 'failing'
    this.#failure = error.message
    this.#lastFailureMs = pace.now()
    const { backOffMs: firstMs, maxBackOffMs } = this.#parts
    const waitMs = backOffMs(this.#failures, firstMs, maxBackOffMs, pace.random(), (error as AcmeProblem).retryAfterMs)
    this.#retryMs = pace.now() + waitMs
    this.#nextMs = this.#retryMs
    log('error', `${this.#title}: no certificate: ${error.message}; it is tried again in ${describeWait(waitMs)}`)
  }

  get #title(): string {
    return `acme ${this.wanted.names.join(', ')} (${this.wanted.keyType})`
  }

  #say(level: 'info' | 'warn', message: string): void {
    if (message !== this.#said) this.#parts.log(level, `${this.#title}: ${message}`)
    this.#said = message
  }
}

function limit(ms: number): AbortSignal {
  const controller = new AbortController()
  setTimeout(() => controller.abort(new Error(`the order took longer than ${describeWait(ms)}`)), ms).unref()
  return controller.signal
}

function describeWait(ms: number): string {
  if (ms < 90_000) return `${Math.ceil(ms / 1000)} s`
  return ms < 5_400_000 ? `${Math.round(ms / 60_000)} minutes` : `${Math.round(ms / 3_600_000)} hours`
}
