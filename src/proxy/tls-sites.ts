import { createHash } from 'node:crypto'
import { type Engine, NO_CHALLENGES, type TlsChallenges, type TlsServer } from '../engine/index.ts'
import type { AccessLogFormat } from '../observe/index.ts'
import type { ListenerPlan } from './config.ts'
import { certificatesOf, fetchedStaple, type TlsFiles, type TlsListenerPlan } from './tls-plan.ts'

/** What OpenSSL keeps of an id. */
const SESSIONS_ID_LENGTH = 32

interface Entry {
  readonly key: string
  readonly server: TlsServer
}

/**
 * The TLS of each listener of a worker. What a new Plan leaves as it is, contents of the files included, is kept, so that a
 * reload costs nothing; what is replaced goes on for the handshakes that began with it.
 */
export class TlsSites {
  readonly #engine: Engine
  #current: ReadonlyMap<string, Entry> = new Map()
  #challenges: TlsChallenges = NO_CHALLENGES

  constructor(engine: Engine) {
    this.#engine = engine
  }

  /** The entries of a Plan, by listener. Throws EvenerError TLS_*; then nothing was made. */
  prepare(
    listeners: readonly ListenerPlan[],
    files: TlsFiles,
    accessLog: { readonly format: AccessLogFormat } | undefined,
  ): ReadonlyMap<string, Entry> {
    const prepared = new Map<string, Entry>()
    try {
      for (const listener of listeners) {
        const { name, tls } = listener
        if (tls === undefined) continue
        const usesFingerprints = asksForFingerprints(listener) || writesFingerprints(accessLog)
        prepared.set(name, this.#prepare(name, tls, files, usesFingerprints))
      }
    } catch (error) {
      this.rollback(prepared)
      throw error
    }
    return prepared
  }

  rollback(prepared: ReadonlyMap<string, Entry>): void {
    for (const [name, entry] of prepared) if (this.#current.get(name) !== entry) entry.server.close()
  }

  commit(prepared: ReadonlyMap<string, Entry>): void {
    const before = this.#current
    this.#current = prepared
    for (const [name, entry] of before) if (prepared.get(name) !== entry) entry.server.close()
    // Those that were made meanwhile.
    if (this.#challenges.size > 0) this.challenge(this.#challenges)
  }

  /** Throws EvenerError TLS_*. */
  challenge(challenges: TlsChallenges): void {
    this.#challenges = challenges
    for (const { server } of this.#current.values()) server.challenge(challenges)
  }

  #prepare(name: string, tls: TlsListenerPlan, files: TlsFiles, fingerprints: boolean): Entry {
    const certificates = certificatesOf(tls).map(({ cert, key, ocsp, fetchesOcsp }) => {
      const staple = files[ocsp ?? (fetchesOcsp === true ? fetchedStaple(cert) : '')]
      return { chain: files[cert], key: files[key], ocsp: staple === undefined ? undefined : new Uint8Array(Buffer.from(staple, 'base64')) }
    })
    const asked = tls.clientCertificates
    const clientCertificates = asked && { mode: asked.mode, authorities: files[asked.ca] }
    const key = JSON.stringify([tls, certificates, clientCertificates, fingerprints])
    const kept = this.#current.get(name)
    if (kept?.key === key) return kept
    const server = this.#engine.tlsServer({
      ...tls,
      id: sessionsId(name, clientCertificates),
      certificates,
      clientCertificates,
      fingerprints,
    })
    return { key, server }
  }
}

/** A session is resumed without a look at the client's certificate: not on another listener, nor after others may come in. */
function sessionsId(listener: string, clientCertificates: object | undefined): string {
  return createHash('sha256')
    .update(JSON.stringify([listener, clientCertificates]))
    .digest('hex')
    .slice(0, SESSIONS_ID_LENGTH)
}

/** Fingerprints are made only where a route asks for them or the log shows them. */
function asksForFingerprints(listener: ListenerPlan): boolean {
  return listener.kind === 'http' && listener.routes.some(({ match }) => (match.tls ?? []).some(({ name }) => isFingerprint(name)))
}

function writesFingerprints(accessLog: { readonly format: AccessLogFormat } | undefined): boolean {
  const format = accessLog?.format
  if (format?.kind === 'template') return format.parts.some((part) => part.kind === 'variable' && isFingerprint(part.name))
  return format?.kind === 'json'
}

function isFingerprint(name: string): boolean {
  return name === 'ja3' || name === 'ja4'
}
