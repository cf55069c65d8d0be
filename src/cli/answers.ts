/** The answers of the admin API that the commands read; docs/admin-api.md has them whole. */
export interface StatusAnswer {
  readonly version: string
  readonly engine: { readonly kind: string; readonly reason: string }
  readonly workers: number
  readonly uptimeMs: number
  readonly config: { readonly file: string | null; readonly generation: number; readonly loadedAt: string }
  readonly listeners: readonly ListenerAnswer[]
  readonly certificates: readonly CertificateAnswer[]
  readonly pools: readonly PoolAnswer[]
}

export interface CertificateAnswer {
  readonly listener: string
  readonly file: string
  readonly subject: string
  readonly names: readonly string[]
  readonly expiresAt: string
  readonly acme: {
    readonly state: string
    readonly nextOrderAt: string | null
    readonly lastSuccessAt: string | null
    readonly lastFailureAt: string | null
    readonly failure: string | null
    readonly failures: number
  } | null
  readonly ocsp: { readonly isStapled: boolean; readonly nextUpdateAt: string | null; readonly failure: string | null } | null
}

export interface ListenerAnswer {
  readonly name: string
  readonly addresses: readonly string[]
  readonly connections: number
  readonly requests: number
  readonly latencyMs: { readonly p50: number; readonly p99: number } | null
}

export interface PoolAnswer {
  readonly name: string
  readonly algorithm: string
  readonly available: number
  readonly active: number
  readonly queue: { readonly length: number; readonly size: number } | null
  readonly breaker: string | null
  readonly panic: boolean
  readonly sessions: number | null
  readonly discovery: readonly { readonly source: string; readonly servers: number; readonly failure: string | null }[]
  readonly servers: readonly ServerAnswer[]
}

export interface ServerAnswer {
  readonly name: string
  readonly address: string
  readonly source: string
  readonly health: string
  readonly admin: string
  readonly weight: number
  readonly priority: number
  readonly slowStartPercent: number | null
  readonly ejected: boolean
  readonly active: number
  readonly requests: number
  readonly failures: number
  readonly latencyMs: number
  readonly check: { readonly reason: string } | null
  readonly agent?: { readonly reason: string } | null
}

/** Health in a word or two: "up", "ejected", "starting 35 %". */
export function describeHealth({ health, ejected, slowStartPercent }: ServerAnswer): string {
  if (ejected) return 'ejected'
  return slowStartPercent === null ? health : `${health} ${Math.round(slowStartPercent)} %`
}

/** What is unusual about a pool: "queue 3/500, breaker open"; empty where nothing is. */
export function describePoolState({ queue, breaker, panic, sessions }: PoolAnswer): string {
  const parts = [
    queue === null ? '' : `queue ${queue.length}/${queue.size}`,
    breaker === null ? '' : `breaker ${breaker}`,
    sessions === null ? '' : `${sessions} sessions`,
    panic ? 'panic: health is ignored' : '',
  ]
  return parts.filter((part) => part !== '').join(', ')
}

/** What check and agent said last: "http check: status 200; agent: up, weight 75 %". */
export function describeChecks({ check, agent }: Pick<ServerAnswer, 'check' | 'agent'>): string {
  const words = [check?.reason, agent?.reason].filter((reason) => reason !== undefined)
  return words.length === 0 ? '-' : words.join('; ')
}
