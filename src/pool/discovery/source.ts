import { formatAddress } from '../../core/index.ts'
import type { CheckDelay } from '../check/connect.ts'
import type { ServerPlan } from '../plan.ts'

/** Servers beyond these are left out of a source's answer. */
export const MAX_DISCOVERED = 1024
const FIRST_RETRY_MS = 1000
const LAST_RETRY_MS = 30_000

/** What a source says now. */
export interface DiscoveryAnswer {
  readonly servers: readonly ServerPlan[]
  readonly validForMs: number
}

/** Asks once. Rejects with words for the log. */
export type AskSource = () => Promise<DiscoveryAnswer>

/** What a source has to say of itself. */
export interface SourceEvent {
  readonly kind: 'changed' | 'failed' | 'recovered' | 'cut'
  readonly source: string
  /** "2 servers: + 10.0.0.3:80, - 10.0.0.1:80", or why it failed. */
  readonly reason: string
}

export interface SourceOptions {
  /** "dns app.test" */
  readonly name: string
  readonly mayEmpty: boolean
  readonly delay: CheckDelay
  readonly wallClock: () => number
  readonly tell: (event: SourceEvent) => void
}

/**
 * Asks one source again and again, each time when its answer has run out. Whatever goes wrong, the last servers stay: a source that is
 * down must not take a pool with it. Failures are told when they begin and when they end, and tried again after 1 s, 2 s, … 30 s.
 */
export class Source {
  readonly name: string
  servers: readonly ServerPlan[] = []
  /** Why the last question failed; empty when it did not. */
  failure = ''
  /** Milliseconds since the epoch of the last answer that was of use; 0 before the first. */
  answeredAtMs = 0
  readonly #ask: AskSource
  readonly #options: SourceOptions
  readonly #first = Promise.withResolvers<void>()
  #failures = 0
  #cancelDelay: () => void = () => {}
  #isClosed = false

  constructor(ask: AskSource, options: SourceOptions) {
    this.name = options.name
    this.#ask = ask
    this.#options = options
  }

  /** Resolves with the first answer or failure. */
  get asked(): Promise<void> {
    return this.#first.promise
  }

  start(): void {
    void this.#askAgain()
  }

  close(): void {
    this.#isClosed = true
    this.#cancelDelay()
    this.#first.resolve()
  }

  async #askAgain(): Promise<void> {
    const outcome = await this.#ask().catch((error: unknown) => (error instanceof Error ? error.message : String(error)))
    if (this.#isClosed) return
    const nextMs = typeof outcome === 'string' ? this.#failed(outcome) : this.#answered(outcome)
    this.#first.resolve()
    this.#cancelDelay = this.#options.delay(nextMs, () => void this.#askAgain())
  }

  #answered({ servers, validForMs }: DiscoveryAnswer): number {
    if (servers.length === 0 && !this.#options.mayEmpty) return this.#failed('there is no server in the answer')
    if (servers.length > MAX_DISCOVERED) this.#say('cut', `${servers.length} servers, of which ${MAX_DISCOVERED} are used`)
    if (this.#failures > 0) this.#say('recovered', 'it answers again')
    this.#failures = 0
    this.failure = ''
    this.answeredAtMs = this.#options.wallClock()
    const before = this.servers
    this.servers = distinct(servers).slice(0, MAX_DISCOVERED)
    if (!isSame(before, this.servers)) this.#say('changed', describeChange(before, this.servers))
    return validForMs
  }

  #failed(reason: string): number {
    this.#failures++
    if (this.failure !== reason) {
      const kept = this.servers.length
      this.#say(
        'failed',
        `${reason}; ${kept === 0 ? 'there is no answer to go on with' : `going on with the last answer (${count(kept)})`}`,
      )
    }
    this.failure = reason
    return Math.min(FIRST_RETRY_MS * 2 ** (this.#failures - 1), LAST_RETRY_MS)
  }

  #say(kind: SourceEvent['kind'], reason: string): void {
    this.#options.tell({ kind, source: this.name, reason })
  }
}

/** In one order, so that resolvers that turn their answers round change nothing. */
function distinct(servers: readonly ServerPlan[]): ServerPlan[] {
  const byName = new Map<string, ServerPlan>()
  for (const server of servers) if (!byName.has(server.name)) byName.set(server.name, server)
  return [...byName.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
}

function isSame(before: readonly ServerPlan[], now: readonly ServerPlan[]): boolean {
  return JSON.stringify(before) === JSON.stringify(now)
}

function describeChange(before: readonly ServerPlan[], now: readonly ServerPlan[]): string {
  const keys = (servers: readonly ServerPlan[]): Set<string> => new Set(servers.map(label))
  const [old, fresh] = [keys(before), keys(now)]
  const changes = [
    ...[...fresh].filter((key) => !old.has(key)).map((key) => `+ ${key}`),
    ...[...old].filter((key) => !fresh.has(key)).map((key) => `- ${key}`),
  ]
  const shown = changes.length > 16 ? [...changes.slice(0, 16), `and ${changes.length - 16} more`] : changes
  return `${count(now.length)}${shown.length === 0 ? ', with other weights' : `: ${shown.join(', ')}`}`
}

function label({ name, address }: ServerPlan): string {
  const text = formatAddress(address)
  return name === text ? text : `${name} ${text}`
}

function count(servers: number): string {
  return servers === 1 ? '1 server' : `${servers} servers`
}
