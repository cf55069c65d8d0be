import { readServers, type ServerPlan } from '../../pool/index.ts'
import type { ServerChange } from '../runtime-changes.ts'
import type { PoolStatus } from '../status.ts'
import type { PoolsTarget } from './api.ts'
import { type AdminAnswer, type AdminRequest, failure } from './server.ts'

const MAX_WEIGHT = 65535
const ADMIN_STATES = ['ready', 'drain', 'maintenance'] as const
const MAX_SESSIONS_SHOWN = 10_000

/** Everything below /api/v1/pools/; undefined where there is no such resource. */
export async function poolResource(target: PoolsTarget, request: AdminRequest): Promise<AdminAnswer | undefined> {
  const [pool, kind, name, ...more] = request.path.slice('/api/v1/pools/'.length).split('/').map(decode)
  if (more.length > 0) return undefined
  const found = target.list().find((candidate) => candidate.name === pool)
  if (found === undefined) return failure(404, 'no-such-pool', `There is no pool "${pool}"; there are ${listOf(target.list())}.`)
  if (kind === undefined) return request.method === 'GET' ? { status: 200, json: found } : undefined
  if (kind === 'sessions' && name === undefined) return sessions(target, found, request)
  if (kind !== 'servers') return undefined
  if (name !== undefined) return server(target, found, name, request)
  if (request.method === 'GET') return { status: 200, json: { servers: found.servers } }
  return request.method === 'POST' ? addServer(target, found, request.body) : undefined
}

async function server(target: PoolsTarget, pool: PoolStatus, name: string, request: AdminRequest): Promise<AdminAnswer | undefined> {
  const found = pool.servers.find((candidate) => candidate.name === name)
  if (found === undefined) {
    return failure(404, 'no-such-server', `Pool "${pool.name}" has no server "${name}"; it has ${listOf(pool.servers)}.`)
  }
  switch (request.method) {
    case 'GET':
      return { status: 200, json: found }
    case 'PATCH': {
      const change = readChange(request.body)
      if (typeof change === 'string') return failure(400, 'invalid-change', change)
      target.changeServer(pool.name, name, change)
      return { status: 200, json: serverOf(target, pool.name, name) }
    }
    case 'DELETE': {
      const result = await target.removeServer(pool.name, name)
      return result.ok ? { status: 200, json: { removed: name } } : failure(409, 'not-changed', result.message)
    }
    default:
      return undefined
  }
}

async function addServer(target: PoolsTarget, pool: PoolStatus, body: unknown): Promise<AdminAnswer> {
  const read = readServers([body], 1)
  if (typeof read === 'string') return failure(400, 'invalid-server', `The server cannot be read: ${read.replace(/^server 0: /, '')}.`)
  const [added] = read as [ServerPlan]
  if (pool.servers.some(({ name }) => name === added.name)) {
    return failure(409, 'server-exists', `Pool "${pool.name}" has a server "${added.name}" already.`)
  }
  const result = await target.addServer(pool.name, added)
  if (!result.ok) return failure(409, 'not-changed', result.message)
  return { status: 201, json: serverOf(target, pool.name, added.name) }
}

function sessions(target: PoolsTarget, pool: PoolStatus, request: AdminRequest): AdminAnswer | undefined {
  const of = request.query.get('server') ?? undefined
  if (of !== undefined && !pool.servers.some(({ name }) => name === of)) {
    return failure(404, 'no-such-server', `Pool "${pool.name}" has no server "${of}"; it has ${listOf(pool.servers)}.`)
  }
  const none = failure(409, 'no-session-table', `Pool "${pool.name}" has no persistence by table, and so no sessions to show.`)
  if (request.method === 'GET') {
    const limit = Math.min(Math.max(1, Number(request.query.get('limit') ?? 100) || 1), MAX_SESSIONS_SHOWN)
    const found = target.sessionsOf(pool.name, limit)
    if (found === undefined) return none
    const shown = found.map((session) => ({ server: session.server, expiresAt: new Date(session.expiresAtMs).toISOString() }))
    return { status: 200, json: { count: pool.sessions, sessions: shown } }
  }
  if (request.method !== 'DELETE') return undefined
  const cleared = target.clearSessions(pool.name, of)
  return cleared === undefined ? none : { status: 200, json: { cleared } }
}

function serverOf(target: PoolsTarget, pool: string, name: string): unknown {
  return target
    .list()
    .find((candidate) => candidate.name === pool)
    ?.servers.find((candidate) => candidate.name === name)
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
