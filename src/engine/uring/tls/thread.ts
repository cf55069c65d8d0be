import { EvenerError } from '../../../core/index.ts'
import { createTls, type NativeTls, TLS_RESULT } from '../../../kernel/index.ts'
import type { TlsVersion } from '../../tls/index.ts'

/** Slices that one call encrypts at most. */
export const MAX_SLICES = 64
const VERSIONS: Readonly<Record<TlsVersion, number>> = { '1.2': 0x0303, '1.3': 0x0304 }

/** What contexts of servers and clients have in common. */
export interface ContextOptions {
  readonly minVersion: TlsVersion
  readonly maxVersion: TlsVersion
  readonly ciphers: string
  readonly suites: string
  readonly groups: string
  readonly protocols: readonly string[]
}

/** TLS of one engine: the addon's state, and the memory in which its calls leave their results. */
export class TlsThread {
  readonly native: NativeTls
  readonly #shared = new Map<string, { readonly context: number; users: number }>()
  readonly results = new Int32Array(TLS_RESULT.slices + 2 * MAX_SLICES)

  constructor(arena: Uint8Array, ticketKeys: Uint8Array) {
    this.native = createTls(arena, this.results, ticketKeys)
  }

  /** A context that all who ask for it by that key have together. */
  shared(key: string, open: () => number): number {
    const entry = this.#shared.get(key) ?? { context: open(), users: 0 }
    entry.users++
    this.#shared.set(key, entry)
    return entry.context
  }

  /** The last one to let go of a shared context closes it. */
  unshare(key: string): void {
    const entry = this.#shared.get(key)
    if (entry === undefined || --entry.users > 0) return
    this.#shared.delete(key)
    this.native.closeContext(entry.context)
  }

  /** A context with the common options. Throws TLS_INVALID in OpenSSL's words; then nothing is left. */
  open(isServer: boolean, id: string, options: ContextOptions, configure: (context: number) => void): number {
    const context = this.native.openContext(isServer ? 1 : 0, Buffer.from(id).subarray(0, 32))
    if (context < 0) throw new EvenerError('TLS_INVALID', 'there is no memory for a TLS context')
    try {
      this.demand(this.native.setVersions(context, VERSIONS[options.minVersion], VERSIONS[options.maxVersion]), 'versions')
      this.demand(this.native.setCiphers(context, options.ciphers, '', ''), `ciphers ${JSON.stringify(options.ciphers)}`)
      this.demand(this.native.setCiphers(context, '', options.suites, ''), `suites ${JSON.stringify(options.suites)}`)
      this.demand(this.native.setCiphers(context, '', '', options.groups), `groups ${JSON.stringify(options.groups)}`)
      if (options.protocols.length > 0) this.demand(this.native.setProtocols(context, wireFormat(options.protocols)), 'alpn')
      configure(context)
      return context
    } catch (error) {
      this.native.closeContext(context)
      throw error
    }
  }

  demand(result: number, what: string): void {
    if (result < 0) throw new EvenerError('TLS_INVALID', `${what}: ${this.native.reason()}`)
  }
}

function wireFormat(protocols: readonly string[]): Uint8Array {
  return new Uint8Array(Buffer.concat(protocols.flatMap((name) => [Buffer.of(name.length), Buffer.from(name, 'latin1')])))
}
