import { X509Certificate } from 'node:crypto'
import { readFileSync, unwatchFile, watchFile } from 'node:fs'
import { readStored } from '../acme/index.ts'
import type { Plan } from '../config/index.ts'
import { EvenerError } from '../core/index.ts'
import { TicketKeys } from '../engine/index.ts'
import type { MetricDefinition } from '../observe/index.ts'
import { certificatesOf, fetchedStaple, selfSignedPaths, type TlsFiles } from '../proxy/index.ts'
import { type MadeCertificate, makeSelfSigned } from './self-signed.ts'

/** Tickets are accepted for three of these. */
const TICKET_KEY_LIFE_MS = 12 * 3_600_000
/** How often the files are looked at. */
const WATCH_INTERVAL_MS = 5000

/** A certificate as status and metrics show it. */
export interface CertificateStatus {
  readonly listener: string
  readonly file: string
  readonly subject: string
  readonly names: readonly string[]
  readonly expiresAt: string
}

/** What is known of certificates, told at each scrape. */
export const CERTIFICATE_METRICS: readonly (MetricDefinition & { read(certificate: CertificateStatus): number })[] = [
  {
    name: 'evener_certificate_expiry_timestamp_seconds',
    type: 'gauge',
    help: 'When the certificate of a listener expires, in seconds since the epoch.',
    labels: ['listener', 'certificate'],
    read: (certificate) => Date.parse(certificate.expiresAt) / 1000,
  },
]

/** Certificates, keys and authorities of the Plan in force: read together, so that all workers have the same, and watched. */
export class Certificates {
  readonly #changed: () => void
  readonly #stapleOf: (path: string, chain: string) => string | undefined
  readonly #made = new Map<string, MadeCertificate>()
  readonly #listener = (now: { readonly mtimeMs: number }, before: { readonly mtimeMs: number }): void => {
    if (now.mtimeMs !== 0 && now.mtimeMs !== before.mtimeMs) this.#changed()
  }
  /** Seal the session tickets of all workers. */
  readonly ticketKeys = TicketKeys.create()
  readonly #rotation = setInterval(() => this.ticketKeys.rotate(), TICKET_KEY_LIFE_MS).unref()
  #watched: ReadonlySet<string> = new Set()
  #status: readonly CertificateStatus[] = []

  /** `changed` is called when a file is another than before; `stapleOf` gives the response that was fetched for a certificate, in base64. */
  constructor(changed: () => void, stapleOf: (path: string, chain: string) => string | undefined) {
    this.#changed = changed
    this.#stapleOf = stapleOf
  }

  /** Reads what the Plan names. Throws TLS_INVALID for a file that cannot be read. */
  read(plan: Plan): TlsFiles {
    const files: Record<string, string> = {}
    for (const path of textFiles(plan)) files[path] = contentOf(path).toString('utf8')
    for (const path of binaryFiles(plan)) files[path] = contentOf(path).toString('base64')
    for (const { tls } of plan.listeners) {
      for (const { cert, acme } of tls?.certificates ?? []) if (acme !== undefined) files[cert] ??= this.#readOrdered(cert, acme.names)
      if (tls === undefined || tls.selfSigned.length === 0) continue
      const paths = selfSignedPaths(tls.selfSigned)
      const made = this.#selfSigned(tls.selfSigned)
      files[paths.cert] = made.cert
      files[paths.key] = made.key
    }
    for (const { cert, fetchesOcsp } of plan.listeners.flatMap(({ tls }) => tls?.certificates ?? [])) {
      const staple = fetchesOcsp === true ? this.#stapleOf(cert, files[cert]) : undefined
      if (staple !== undefined) files[fetchedStaple(cert)] = staple
    }
    return files
  }

  /** Chain and key out of the store; of a self-signed certificate until there is one that can be used. */
  #readOrdered(path: string, names: readonly string[]): string {
    const stored = readStored(path, names)
    if (stored.kind === 'read') return stored.certificate.pem
    const made = this.#selfSigned(names)
    return made.cert + made.key
  }

  #selfSigned(names: readonly string[]): MadeCertificate {
    const key = names.join()
    const made = this.#made.get(key) ?? makeSelfSigned(names)
    this.#made.set(key, made)
    return made
  }

  /** The Plan is in force: its files are watched from now on, and no others. */
  watch(plan: Plan, files: TlsFiles): void {
    this.#status = describeCertificates(plan, files)
    const wanted = new Set([...textFiles(plan), ...orderedFiles(plan), ...binaryFiles(plan)])
    for (const path of this.#watched) if (!wanted.has(path)) unwatchFile(path, this.#listener)
    for (const path of wanted) {
      if (!this.#watched.has(path)) watchFile(path, { interval: WATCH_INTERVAL_MS, persistent: false }, this.#listener)
    }
    this.#watched = wanted
  }

  /** Of the Plan in force. */
  status(): readonly CertificateStatus[] {
    return this.#status
  }

  close(): void {
    clearInterval(this.#rotation)
    for (const path of this.#watched) unwatchFile(path, this.#listener)
    this.#watched = new Set()
  }
}

/** What is to be told of the certificates of a Plan. */
function describeCertificates(plan: Plan, files: TlsFiles): CertificateStatus[] {
  return plan.listeners.flatMap(({ name, tls }) =>
    tls === undefined
      ? []
      : certificatesOf(tls).map(({ cert }) => {
          const certificate = new X509Certificate(files[cert])
          return {
            listener: name,
            file: cert,
            subject: certificate.subject.replaceAll('\n', ', '),
            names: (certificate.subjectAltName ?? '').split(', ').filter((each) => each !== ''),
            expiresAt: new Date(certificate.validTo).toISOString(),
          }
        }),
  )
}

function textFiles(plan: Plan): string[] {
  const all = plan.listeners.flatMap(({ tls }) => {
    if (tls === undefined) return []
    const authorities = tls.clientCertificates === undefined ? [] : [tls.clientCertificates.ca]
    return [...tls.certificates.flatMap(({ cert, key, acme }) => (acme === undefined ? [cert, key] : [])), ...authorities]
  })
  const ofPools = plan.pools.flatMap(({ tls }) =>
    tls === undefined ? [] : [tls.ca ?? [], tls.certificate === undefined ? [] : [tls.certificate.cert, tls.certificate.key]].flat(),
  )
  return [...new Set([...all, ...ofPools])]
}

/** Another Evener that shares the store may renew them too. */
function orderedFiles(plan: Plan): string[] {
  return plan.listeners.flatMap(({ tls }) => tls?.certificates.flatMap(({ cert, acme }) => (acme === undefined ? [] : [cert])) ?? [])
}

function binaryFiles(plan: Plan): string[] {
  return [...new Set(plan.listeners.flatMap(({ tls }) => tls?.certificates.flatMap(({ ocsp }) => ocsp ?? []) ?? []))]
}

function contentOf(path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (error) {
    throw new EvenerError('TLS_INVALID', `${path} cannot be read: ${(error as Error).message}`, { cause: error })
  }
}
