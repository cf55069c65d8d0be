import { EXPOSITION_TYPE } from '../../observe/index.ts'
import type { ServerPlan, Session } from '../../pool/index.ts'
import type { ServerChange } from '../runtime-changes.ts'
import type { PoolStatus } from '../status.ts'
import { poolResource } from './pools.ts'
import { type AdminAnswer, type AdminHandler, failure } from './server.ts'

/** What the admin API asks of pools. Names are known to be there but for a removal at the same time. */
export interface PoolsTarget {
  list(): readonly PoolStatus[]
  changeServer(pool: string, server: string, change: ServerChange): void
  addServer(pool: string, server: ServerPlan): Promise<PoolChangeResult>
  removeServer(pool: string, server: string): Promise<PoolChangeResult>
  /** Up to `limit` of a pool's session table; undefined where it has none. */
  sessionsOf(pool: string, limit: number): readonly Session[] | undefined
  /** How many went; undefined where there is no table. */
  clearSessions(pool: string, server?: string): number | undefined
}

/** What the admin API asks of the balancer. */
export interface AdminTarget {
  /** Listening, and every worker answers. */
  readonly isReady: boolean
  /** A plan is in force. */
  readonly hasPlan: boolean
  status(): unknown
  readonly pools: PoolsTarget
  metrics(): string
  reload(): Promise<ReloadResult>
}

/** `message` says why nothing was changed. */
export type PoolChangeResult = { readonly ok: true } | { readonly ok: false; readonly message: string }

export type ReloadResult =
  | { readonly ok: true; readonly generation: number; readonly warnings: readonly string[] }
  | { readonly ok: false; readonly message: string; readonly diagnostics: readonly unknown[] }

/** The routes of the admin API; docs/admin-api.md describes them. */
export function adminApi(target: AdminTarget): AdminHandler {
  return async (request) => {
    if (!target.hasPlan && request.path.startsWith('/api/')) return failure(503, 'starting', 'Evener is starting; nothing is in force yet.')
    switch (`${request.method} ${request.path}`) {
      case 'GET /healthz':
        return { status: 200, text: 'ok\n' }
      case 'GET /readyz':
        return target.isReady ? { status: 200, text: 'ready\n' } : { status: 503, text: 'not ready\n' }
      case 'GET /metrics':
        return { status: 200, text: target.metrics(), contentType: EXPOSITION_TYPE }
      case 'GET /api/v1/status':
        return { status: 200, json: target.status() }
      case 'GET /api/v1/pools':
        return { status: 200, json: { pools: target.pools.list() } }
      case 'POST /api/v1/reload':
        return reload(target)
      default:
        return request.path.startsWith('/api/v1/pools/') ? poolResource(target.pools, request) : undefined
    }
  }
}

async function reload(target: AdminTarget): Promise<AdminAnswer> {
  const result = await target.reload()
  if (result.ok) return { status: 200, json: { generation: result.generation, warnings: result.warnings } }
  return { status: 422, json: { error: { code: 'config-invalid', message: result.message, diagnostics: result.diagnostics } } }
}
