import { CidrSet } from '../core/index.ts'
import type { AccessLogFormat } from '../observe/index.ts'
import { definitionOf, Pool, type PoolPlan, type SlotAssignment } from '../pool/index.ts'
import { Router } from '../route/index.ts'
import { compileRoute, fixedAnswer, stepsOf } from './build-route.ts'
import { ClientSubject, subjectFields } from './client-subject.ts'
import type {
  AcceptProxyProtocolPlan,
  ErrorPagePlan,
  HttpListenerPlan,
  ListenerPlan,
  StreamRoutePlan,
  TcpListenerPlan,
  UdpListenerPlan,
} from './config.ts'
import type { DatagramSite } from './datagram/site.ts'
import { ErrorPages } from './error-pages.ts'
import type { HeaderPolicy } from './header-gate.ts'
import type { ConnectionSite } from './listener.ts'
import { literal } from './literal.ts'
import type { ProxySeries } from './metrics.ts'
import { PlanUse } from './plan-use.ts'
import type { ListenerSite } from './site.ts'
import { StreamMatch } from './stream/match.ts'
import type { StreamRoute, StreamSite } from './stream/site.ts'
import type { PoolState } from './upstream/pool-state.ts'
import type { UpstreamServer } from './upstream/server.ts'
import type { ProxyWorker } from './worker.ts'

/** The parts of a Plan that this room carries out. */
export interface ProxyPlan {
  readonly listeners: readonly ListenerPlan[]
  readonly pools: readonly PoolPlan[]
  readonly trustedProxies: ConstructorParameters<typeof CidrSet>[0]
  readonly errorPages: readonly ErrorPagePlan[]
  readonly accessLog: { readonly format: AccessLogFormat } | undefined
}

/** A Plan compiled for one worker. Nothing of it is in force yet. */
export interface CompiledPlan {
  readonly use: PlanUse
  /** In the order of the Plan's listeners, first those that accept connections, then those for datagrams. */
  readonly sites: readonly ConnectionSite[]
  readonly datagrams: readonly DatagramSite[]
  readonly pools: readonly PoolState[]
}

/** Compiles a Plan: pools first, then each listener's routes into steps. `serverOf` gives the connections to a server, old or new. */
export function compilePlan(
  worker: ProxyWorker,
  plan: ProxyPlan,
  slots: SlotAssignment,
  series: ProxySeries,
  serverOf: (pool: PoolPlan, index: number) => UpstreamServer,
): CompiledPlan {
  const use = new PlanUse(slots.generation)
  const pools = plan.pools.map((each, index): PoolState => {
    const pool = new Pool(definitionOf(each), slots.pools[index], worker.table, worker.index, worker.queues)
    const servers = each.servers.map((_, position) => serverOf(each, position))
    const cookie = pool.cookie?.mode === 'passive' ? null : pool.cookie
    return {
      name: each.name,
      index,
      pool,
      servers,
      proxyProtocol: each.proxyProtocol ?? null,
      usesServerName: usesServerName(each),
      remembers: pool.remembers,
      cookie,
      steps: stepsOf(pool),
      sorry: null,
      series: series.pools[index],
    }
  })
  const byName = new Map(pools.map((pool) => [pool.name, pool]))
  for (const [index, { sorry }] of plan.pools.entries()) {
    if (sorry?.kind === 'pool') pools[index].sorry = { pool: byName.get(sorry.pool) as PoolState, answer: null }
    else if (sorry !== undefined) pools[index].sorry = { pool: null, answer: fixedAnswer(sorry) }
  }
  const trusted = new CidrSet(plan.trustedProxies)
  const errorPages = new ErrorPages(plan.errorPages)
  const shared = { use, series, trusted, errorPages, byName, subjects: subjectFields(plan.listeners) }
  const sites = plan.listeners
    .filter((listener) => listener.kind !== 'udp')
    .map((listener) => (listener.kind === 'http' ? compileHttp(listener, shared) : compileTcp(listener, shared)))
  const datagrams = plan.listeners.filter((listener) => listener.kind === 'udp').map((listener) => compileUdp(listener, shared))
  return { use, sites, datagrams, pools }
}

interface Shared {
  readonly use: PlanUse
  readonly series: ProxySeries
  readonly trusted: CidrSet
  readonly errorPages: ErrorPages
  readonly byName: ReadonlyMap<string, PoolState>
  /** Fields that no client may send, because listeners tell servers subjects in them. */
  readonly subjects: readonly string[]
}

function compileHttp(listener: HttpListenerPlan, shared: Shared): ListenerSite {
  const via = (version: string): Uint8Array => literal(listener.via === undefined ? '' : `Via: ${version} ${listener.via}\r\n`)
  const { maxLineBytes, maxHeadBytes, maxFields } = listener.limits
  return {
    kind: 'http',
    name: listener.name,
    headerPolicy: headerPolicyOf(listener.acceptProxyProtocol),
    use: shared.use,
    series: shared.series.http[listener.name],
    router: new Router(listener.routes),
    routes: listener.routes.map((route, position) => compileRoute(route, position, shared)),
    headLimits: { maxLineBytes, maxHeadBytes, maxFields },
    limits: listener.limits,
    timeouts: listener.timeouts,
    forwarded: {
      usesForwarded: listener.forwarded === 'both' || listener.forwarded === 'forwarded',
      usesXForwarded: listener.forwarded === 'both' || listener.forwarded === 'x-forwarded',
    },
    trusted: shared.trusted,
    via: [via('1.0'), via('1.1')],
    errorPages: shared.errorPages,
    clientSubject: listener.tls?.clientCertificates === undefined ? null : new ClientSubject(listener.tls.clientCertificates.header),
    resetsWhenDown: listener.onServerDown === 'reset',
  }
}

function compileTcp(listener: TcpListenerPlan, shared: Shared): StreamSite {
  const routes = listener.routes.map((route) => compileStreamRoute(route, shared))
  return {
    kind: 'tcp',
    name: listener.name,
    headerPolicy: headerPolicyOf(listener.acceptProxyProtocol),
    series: shared.series.tcp[listener.name],
    use: shared.use,
    limits: listener.limits,
    timeouts: listener.timeouts,
    attempts: listener.attempts,
    resetsWhenDown: listener.onServerDown === 'reset',
    needsHello: routes.some(({ match, pool, proxyProtocol }) => {
      return match?.needsHello === true || pool.usesServerName || proxyProtocol?.tlvs.includes('authority') === true
    }),
    routes,
  }
}

function compileStreamRoute(plan: StreamRoutePlan, { byName }: Shared): StreamRoute {
  const { names, alpn, clients } = plan.match
  const match = names.length + alpn.length + clients.length === 0 ? null : new StreamMatch(plan.match)
  return streamRouteTo(byName.get(plan.pool) as PoolState, plan, match)
}

/** With the routes to the pools behind it; the configuration makes no circles of them. */
function streamRouteTo(pool: PoolState, plan: StreamRoutePlan, match: StreamMatch | null): StreamRoute {
  const { id, connectMs, proxyProtocol } = plan
  const next = pool.sorry?.pool ?? null
  const sorry = next === null ? null : streamRouteTo(next, plan, match)
  return { id, connectMs, pool, match, sorry, proxyProtocol: proxyProtocol ?? pool.proxyProtocol }
}

function compileUdp(listener: UdpListenerPlan, shared: Shared): DatagramSite {
  const { name, idleMs, maxSessions, datagrams, responses } = listener
  return {
    kind: 'udp',
    name,
    id: `listeners.${name}.udp`,
    series: shared.series.udp[name],
    use: shared.use,
    headerPolicy: headerPolicyOf(listener.acceptProxyProtocol),
    pool: shared.byName.get(listener.pool) as PoolState,
    proxyProtocol: listener.proxyProtocol ?? null,
    idleMs,
    maxSessions,
    datagrams,
    responses,
    reselects: listener.onServerDown === 'reselect',
  }
}

function headerPolicyOf(plan: AcceptProxyProtocolPlan | undefined): HeaderPolicy | null {
  if (plan === undefined) return null
  return { from: new CidrSet(plan.from), takesOthers: plan.others === 'direct', timeoutMs: plan.timeoutMs }
}

function usesServerName({ algorithm, persistence }: PoolPlan): boolean {
  return algorithm.options.key === 'sni' || (persistence?.kind === 'table' && persistence.key.key === 'sni')
}
