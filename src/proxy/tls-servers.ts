import { rootCertificates } from 'node:tls'
import type { Engine, TlsClient } from '../engine/index.ts'
import type { PoolPlan, TlsPoolPlan } from '../pool/index.ts'
import type { TlsFiles } from './tls-plan.ts'

interface Entry {
  readonly key: string
  readonly client: TlsClient
}

/** How each server of a worker is connected to over TLS, by the key of the server. What a new Plan leaves as it is keeps its session. */
export class TlsServers {
  readonly #engine: Engine
  #current: ReadonlyMap<string, Entry> = new Map()

  constructor(engine: Engine) {
    this.#engine = engine
  }

  /** Throws EvenerError TLS_*; then nothing was made. */
  prepare(pools: readonly PoolPlan[], files: TlsFiles, keyOf: (pool: PoolPlan, index: number) => string): ReadonlyMap<string, Entry> {
    const prepared = new Map<string, Entry>()
    try {
      for (const pool of pools) {
        const { tls } = pool
        if (tls === undefined) continue
        for (const [index, { address }] of pool.servers.entries()) {
          const key = keyOf(pool, index)
          prepared.set(key, this.#prepare(key, tls, address.family === 'unix' ? 'localhost' : address.host, files))
        }
      }
    } catch (error) {
      this.rollback(prepared)
      throw error
    }
    return prepared
  }

  rollback(prepared: ReadonlyMap<string, Entry>): void {
    for (const [key, entry] of prepared) if (this.#current.get(key) !== entry) entry.client.close()
  }

  commit(prepared: ReadonlyMap<string, Entry>): void {
    const before = this.#current
    this.#current = prepared
    for (const [key, entry] of before) if (prepared.get(key) !== entry) entry.client.close()
  }

  #prepare(server: string, tls: TlsPoolPlan, host: string, files: TlsFiles): Entry {
    const { verify, ca, name = host, certificate, ...rest } = tls
    const authorities = ca === undefined ? undefined : files[ca]
    const shown = certificate && { chain: files[certificate.cert], key: files[certificate.key] }
    const key = JSON.stringify([tls, authorities, shown])
    const kept = this.#current.get(server)
    if (kept?.key === key) return kept
    const client = this.#engine.tlsClient({
      ...rest,
      verify: verify ? { name, authorities: authorities ?? rootCertificates.join('\n') } : undefined,
      certificate: shown,
    })
    return { key, client }
  }
}
