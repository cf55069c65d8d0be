import { formatAddress } from '../core/index.ts'
import { ACCESS_LOG_VARIABLES, type AccessLogPlan, type LogTemplatePart } from '../observe/config.ts'
import { type CheckPlan, canonicalAlgorithm, type PoolPlan } from '../pool/config.ts'
import type { HttpListenerPlan, HttpRoutePlan } from '../proxy/config.ts'
import type {
  FieldMatchPlan,
  HeaderEditPlan,
  HeaderLine,
  PathMatchPlan,
  RouteActionPlan,
  RouteMatchPlan,
  TemplatePart,
} from '../route/config.ts'
import type { Plan } from './plan.ts'
import type { Configuration } from './schema/root.ts'

type ListenerInput = Configuration['listeners'][string]
type RouteInput = ListenerInput['http']['routes'][number]
type PoolInput = Configuration['pools'][string]
type Timeouts = Configuration['timeouts']
type Limits = Configuration['limits']

const DEFAULT_TIMEOUTS = {
  requestHead: 10_000,
  requestBody: 30_000,
  idle: 60_000,
  send: 60_000,
  tunnel: 3_600_000,
  connect: 3_000,
  response: 30_000,
}
const DEFAULT_LIMITS = { head: 16 * 1024, line: 8 * 1024, fields: 100, body: Number.MAX_SAFE_INTEGER, connections: 50_000 }

/** Resolves what inherits, and gives everything the shape that the rooms want. */
export function buildPlan(input: Configuration, warnings: readonly string[]): Plan {
  const pools = Object.entries(input.pools).map(([name, pool]) => buildPool(name, pool, input.timeouts))
  const timeoutsOf = new Map(Object.entries(input.pools).map(([name, pool]) => [name, pool.timeouts]))
  return {
    workers: input.workers,
    engine: input.engine,
    admin: input.admin === 'none' ? undefined : { bind: input.admin.bind, token: input.admin.token },
    accessLog: input.accessLog === undefined ? undefined : buildAccessLog(input.accessLog),
    trustedProxies: input.trustedProxies,
    drainTimeoutMs: input.timeouts.drain,
    listeners: Object.entries(input.listeners).map(([name, listener]) => buildListener(name, listener, input, timeoutsOf)),
    pools,
    errorPages: Object.entries(input.errorPages).map(([status, page]) => ({ status: Number(status), ...page })),
    warnings,
  }
}

function buildListener(
  name: string,
  listener: ListenerInput,
  input: Configuration,
  pools: ReadonlyMap<string, PoolInput['timeouts']>,
): HttpListenerPlan {
  const { http } = listener
  const timeouts = { ...DEFAULT_TIMEOUTS, ...given(input.timeouts), ...given(http.timeouts) }
  const limits = { ...DEFAULT_LIMITS, ...given(input.limits as Limits), ...given(http.limits) }
  return {
    name,
    bind: listener.bind,
    kind: 'http',
    timeouts: {
      requestHeadMs: timeouts.requestHead,
      requestBodyMs: timeouts.requestBody,
      idleMs: timeouts.idle,
      sendMs: timeouts.send,
      tunnelMs: timeouts.tunnel,
    },
    limits: {
      maxHeadBytes: limits.head,
      maxLineBytes: Math.min(limits.line, limits.head),
      maxFields: limits.fields,
      maxBodyBytes: limits.body,
      maxConnections: limits.connections,
    },
    via: http.via === 'none' ? undefined : http.via,
    forwarded: http.forwarded,
    routes: http.routes.map((route, index) => buildRoute(`listeners.${name}.http.routes[${index}]`, route, timeouts, pools)),
  }
}

function buildRoute(
  id: string,
  route: RouteInput,
  listener: typeof DEFAULT_TIMEOUTS,
  pools: ReadonlyMap<string, PoolInput['timeouts']>,
): HttpRoutePlan {
  const timeouts = { ...listener, ...given(pools.get(route.pool ?? '') ?? {}), ...given(route.timeouts) }
  return {
    id,
    match: buildMatch(route.match),
    action: buildAction(route),
    requestHeaders: buildEdit(route.requestHeaders),
    responseHeaders: buildEdit(route.responseHeaders),
    rewrite: buildRewrite(route.rewrite),
    timeouts: {
      connectMs: timeouts.connect,
      responseMs: timeouts.response,
      requestBodyMs: timeouts.requestBody,
      tunnelMs: timeouts.tunnel,
    },
    retry: {
      attempts: route.retry.attempts,
      onConnectFailure: true,
      onReset: route.retry.on.includes('reset'),
      onTimeout: route.retry.on.includes('timeout'),
      onStatus: route.retry.on
        .filter((on) => /^\d+$/.test(on))
        .map(Number)
        .sort((a, b) => a - b),
    },
  }
}

function buildMatch(match: RouteInput['match']): RouteMatchPlan {
  return {
    hosts: (match.host ?? []).map((host) => {
      const lower = host.toLowerCase().replace(/\.$/, '')
      return lower.startsWith('*.') ? { kind: 'wildcard', host: lower.slice(2) } : { kind: 'exact', host: lower }
    }),
    paths: (match.path ?? []).map(buildPath),
    methods: match.method ?? [],
    clients: match.client ?? [],
    headers: buildFields(match.header, true),
    cookies: buildFields(match.cookie, false),
    query: buildFields(match.query, false),
  }
}

function buildPath(path: string): PathMatchPlan {
  if (path.startsWith('~')) return { kind: 'regex', value: path.slice(1).trim() }
  return path.endsWith('*') ? { kind: 'prefix', value: path.slice(0, -1) } : { kind: 'exact', value: path }
}

function buildFields(fields: RouteInput['match']['header'], isLowerCase: boolean): FieldMatchPlan[] {
  return Object.entries(fields ?? {}).map(([written, wanted]) => {
    const name = isLowerCase ? written.toLowerCase() : written
    if (typeof wanted === 'string') return { name, kind: 'exact', value: wanted }
    if ('regex' in wanted) return { name, kind: 'regex', value: wanted.regex }
    return { name, kind: wanted.present ? 'present' : 'absent', value: '' }
  })
}

function buildAction(route: RouteInput): RouteActionPlan {
  if (route.redirect !== undefined) return { kind: 'redirect', status: route.redirect.status, to: readTemplate(route.redirect.to) }
  if (route.respond !== undefined) return { kind: 'respond', ...route.respond, headers: lines(route.respond.headers) }
  return { kind: 'pool', pool: route.pool as string }
}

function buildEdit(edit: RouteInput['requestHeaders']): HeaderEditPlan | undefined {
  return edit && { remove: edit.remove.map((name) => name.toLowerCase()), set: lines(edit.set), add: lines(edit.add) }
}

function buildRewrite(rewrite: RouteInput['rewrite']): HttpRoutePlan['rewrite'] {
  if (rewrite === undefined) return undefined
  const { prefix, regex, replacement } = rewrite
  return prefix === undefined ? { kind: 'regex', regex: regex as string, replacement } : { kind: 'prefix', prefix, replacement }
}

function buildPool(name: string, pool: PoolInput, top: Timeouts): PoolPlan {
  const algorithm = typeof pool.algorithm === 'string' ? { name: pool.algorithm } : pool.algorithm
  return {
    name,
    algorithm: { name: canonicalAlgorithm(algorithm.name), options: {} },
    servers: pool.servers.map((server) => ({ ...server, name: server.name ?? formatAddress(server.address) })),
    check: buildCheck(pool.check),
    keepAlive: { maxIdle: pool.keepAlive.idle, idleTimeoutMs: pool.keepAlive.timeout },
    timeouts: {
      connectMs: pool.timeouts.connect ?? top.connect ?? DEFAULT_TIMEOUTS.connect,
      responseMs: pool.timeouts.response ?? top.response ?? DEFAULT_TIMEOUTS.response,
    },
  }
}

function buildCheck(check: PoolInput['check']): CheckPlan | undefined {
  if (check === undefined) return undefined
  const { interval, timeout, rise, fall, address, port, http } = check
  const common = { intervalMs: interval, timeoutMs: timeout, rise, fall, address, port }
  if (http === undefined) return { kind: 'tcp', ...common }
  return { kind: 'http', ...common, ...http, host: http.host, body: http.body, headers: lines(http.headers) }
}

function buildAccessLog(log: NonNullable<Configuration['accessLog']>): AccessLogPlan {
  const target: AccessLogPlan['target'] =
    log.path === 'stdout' || log.path === 'stderr' ? { kind: log.path } : { kind: 'file', path: log.path }
  if (log.format === 'json' || log.format === 'combined') return { target, format: { kind: log.format } }
  return { target, format: { kind: 'template', parts: readLogTemplate(log.format) } }
}

function readLogTemplate(template: string): LogTemplatePart[] {
  return pieces(template).map((piece) =>
    piece.name === undefined ? { kind: 'text', text: piece.text } : { kind: 'variable', name: piece.name },
  )
}

function readTemplate(template: string): TemplatePart[] {
  return pieces(template).map((piece) =>
    piece.name === undefined ? { kind: 'text', text: piece.text } : { kind: piece.name as 'uri' | 'host' | 'path' | 'query' },
  )
}

/** "{a}b" → a as a name, b as text. */
export function pieces(template: string): { readonly text: string; readonly name: string | undefined }[] {
  return template
    .split(/(\{\w+\})/)
    .filter((text) => text !== '')
    .map((text) => ({ text, name: /^\{(\w+)\}$/.exec(text)?.[1] }))
}

export const REDIRECT_VARIABLES: readonly string[] = ['uri', 'host', 'path', 'query']
export const LOG_VARIABLES: readonly string[] = Object.keys(ACCESS_LOG_VARIABLES)

function lines(fields: Readonly<Record<string, string>>): HeaderLine[] {
  return Object.entries(fields).map(([name, value]) => ({ name, value }))
}

/** The members that are not undefined. */
function given<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>
  }
}
