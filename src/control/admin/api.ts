import type { PoolStatus } from '../status.ts'
import { type AdminAnswer, type AdminHandler, type AdminRequest, failure } from './server.ts'

/** What the admin API asks of the balancer. */
export interface AdminTarget {
  /** Listening, and every worker answers. */
  readonly isReady: boolean
  status(): unknown
  pools(): readonly PoolStatus[]
  metrics(): string
  /** Rejects with an error whose message says why nothing was changed. */
  changeServer(pool: string, server: string, change: ServerChange): ServerChangeResult
  reload(): Promise<ReloadResult>
}

export interface ServerChange {
  readonly admin?: 'ready' | 'drain' | 'maintenance'
  readonly weight?: number
}

export type ServerChangeResult = { readonly ok: true; readonly pool: PoolStatus } | { readonly ok: false; readonly message: string }

export type ReloadResult =
  | { readonly ok: true; readonly generation: number; readonly warnings: readonly string[] }
  | { readonly ok: false; readonly message: string; readonly diagnostics: readonly unknown[] }

const MAX_WEIGHT = 65535
const ADMIN_STATES = ['ready', 'drain', 'maintenance'] as const

/** The routes of the admin API; docs/admin-api.md describes them. */
export function adminApi(target: AdminTarget): AdminHandler {
  return async (request) => {
    switch (`${request.method} ${request.path}`) {
      case 'GET /healthz':
        return { status: 200, text: 'ok\n' }
      case 'GET /readyz':
        return target.isReady ? { status: 200, text: 'ready\n' } : { status: 503, text: 'not ready\n' }
      case 'GET /metrics':
        return { status: 200, text: target.metrics(), contentType: 'text/plain; version=0.0.4; charset=utf-8' }
      case 'GET /api/v1/status':
        return { status: 200, json: target.status() }
      case 'GET /api/v1/pools':
        return { status: 200, json: { pools: target.pools() } }
      case 'POST /api/v1/reload':
        return reload(target)
      default:
        return resource(target, request)
    }
  }
}

async function reload(target: AdminTarget): Promise<AdminAnswer> {
  const result = await target.reload()
  if (result.ok) return { status: 200, json: { generation: result.generation, warnings: result.warnings } }
  return { status: 422, json: { error: { code: 'config-invalid', message: result.message, diagnostics: result.diagnostics } } }
}

function resource(target: AdminTarget, request: AdminRequest): AdminAnswer | undefined {
  const [, pool, server] = /^\/api\/v1\/pools\/([^/]+)(?:\/servers\/([^/]+))?$/.exec(request.path) ?? []
  if (pool === undefined) return undefined
  const poolName = decode(pool)
  const found = target.pools().find((candidate) => candidate.name === poolName)
  if (found === undefined) return failure(404, 'no-such-pool', `There is no pool "${poolName}"; there are ${listOf(target.pools())}.`)
  if (server === undefined) return request.method === 'GET' ? { status: 200, json: found } : undefined
  const serverName = decode(server)
  const foundServer = found.servers.find((candidate) => candidate.name === serverName)
  if (foundServer === undefined) {
    return failure(404, 'no-such-server', `Pool "${poolName}" has no server "${serverName}"; it has ${listOf(found.servers)}.`)
  }
  if (request.method === 'GET') return { status: 200, json: foundServer }
  if (request.method !== 'PATCH') return undefined
  const change = readChange(request.body)
  if (typeof change === 'string') return failure(400, 'invalid-change', change)
  const result = target.changeServer(poolName, serverName, change)
  if (!result.ok) return failure(409, 'not-changed', result.message)
  return { status: 200, json: result.pool.servers.find((candidate) => candidate.name === serverName) }
}

/** The change, or a sentence that says what is wrong with it. */
function readChange(body: unknown): ServerChange | string {
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    return 'The body must be an object like {"admin": "drain"} or {"weight": 3}.'
  const unknown = Object.keys(body).filter((key) => key !== 'admin' && key !== 'weight')
  if (unknown.length > 0) return `Unknown key "${unknown[0]}"; "admin" and "weight" can be changed.`
  const { admin, weight } = body as { admin?: unknown; weight?: unknown }
  if (admin === undefined && weight === undefined) return 'Nothing to change: give "admin", "weight" or both.'
  if (admin !== undefined && !ADMIN_STATES.includes(admin as (typeof ADMIN_STATES)[number])) {
    return `"admin" is ${ADMIN_STATES.map((state) => `"${state}"`).join(', ')}, not ${JSON.stringify(admin)}.`
  }
  if (weight !== undefined && !(Number.isInteger(weight) && (weight as number) >= 0 && (weight as number) <= MAX_WEIGHT)) {
    return `"weight" is a whole number from 0 to ${MAX_WEIGHT}, not ${JSON.stringify(weight)}.`
  }
  return { admin: admin as ServerChange['admin'], weight: weight as number | undefined }
}

function listOf(named: readonly { readonly name: string }[]): string {
  return named.map(({ name }) => `"${name}"`).join(', ') || 'none'
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
