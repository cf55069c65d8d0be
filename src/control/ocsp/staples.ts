import type { Plan } from '../../config/index.ts'
import type { EventLog } from '../../observe/index.ts'
import { Stapler, type StaplerStatus, subjectOf } from '../../ocsp/index.ts'
import type { TlsFiles } from '../../proxy/index.ts'
import { systemPace } from '../pace.ts'
import { webClient } from '../web-client.ts'

/** How it stands with the response about a certificate that is to have one. */
export interface StapleStatus extends StaplerStatus {
  /** The file of the certificate. */
  readonly path: string
}

/** A certificate of a file: another one in the same file is asked about anew. */
interface Kept {
  readonly chain: string
  /** Why nothing can be asked about it; null where it is. */
  readonly obstacle: string | null
  readonly stapler: Stapler | null
}

/** The OCSP responses that Evener fetches for the certificates in force, by the file of each. */
export class Staples {
  readonly #changed: () => void
  readonly #log: EventLog
  readonly #ask = webClient()
  #kept: ReadonlyMap<string, Kept> = new Map()

  /** `changed` is called when there is another response, or none any more. */
  constructor(changed: () => void, log: EventLog) {
    this.#changed = changed
    this.#log = log
  }

  /** The Plan with these certificates is in force. */
  apply(plan: Plan, files: TlsFiles): void {
    const before = this.#kept
    const kept = new Map<string, Kept>()
    for (const { tls } of plan.listeners) {
      for (const { cert, fetchesOcsp, acme } of tls?.certificates ?? []) {
        if (fetchesOcsp !== true || kept.has(cert)) continue
        const chain = files[cert]
        const known = before.get(cert)
        kept.set(cert, known?.chain === chain ? known : this.#keep(cert, chain, acme !== undefined))
      }
    }
    for (const [path, one] of before) if (kept.get(path) !== one) one.stapler?.close()
    this.#kept = kept
  }

  /** The response about a certificate, in base64; undefined where there is none. */
  find(path: string, chain: string): string | undefined {
    const one = this.#kept.get(path)
    return one?.chain === chain ? one.stapler?.response?.toString('base64') : undefined
  }

  status(): StapleStatus[] {
    return [...this.#kept].map(([path, { obstacle, stapler }]) => ({ ...(stapler?.status() ?? nothing(obstacle ?? '')), path }))
  }

  close(): void {
    for (const { stapler } of this.#kept.values()) stapler?.close()
    this.#kept = new Map()
  }

  #keep(path: string, chain: string, isOrdered: boolean): Kept {
    const subject = subjectOf(chain)
    if (typeof subject !== 'string') {
      const log = this.#log
      const parts = {
        ask: this.#ask,
        pace: systemPace,
        changed: this.#changed,
        log: (level: 'info' | 'warn', text: string) => log[level](text),
      }
      return { chain, obstacle: null, stapler: new Stapler(subject, parts) }
    }
    // Until the first order is done a certificate serves that we have signed ourselves.
    if (!isOrdered) this.#log.warn(`ocsp ${path}: ${subject}; nothing is stapled`)
    return { chain, obstacle: subject, stapler: null }
  }
}

function nothing(failure: string): StaplerStatus {
  return { url: '', nextUpdateMs: 0, nextFetchMs: 0, failure, goodCount: 0, failedCount: 0 }
}
