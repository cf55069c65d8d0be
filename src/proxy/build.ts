import { CidrSet } from '../core/index.ts'
import { definitionOf, Pool, type PoolPlan, type SlotAssignment } from '../pool/index.ts'
import { compileHeaderEdit, compileRewrite, type HeaderEdit, RedirectTemplate, Router } from '../route/index.ts'
import { contentTypeLine, type LocalAnswer } from './answer.ts'
import { attempt } from './attempt.ts'
import { ClientSubject, subjectFields } from './client-subject.ts'
import type { AcceptProxyProtocolPlan, ErrorPagePlan, HttpListenerPlan, HttpRoutePlan, ListenerPlan, TcpListenerPlan } from './config.ts'
import { ErrorPages } from './error-pages.ts'
import type { Step } from './exchange.ts'
import type { HeaderPolicy } from './header-gate.ts'
import type { ConnectionSite } from './listener.ts'
import { literal } from './literal.ts'
import type { ProxySeries } from './metrics.ts'
import { readCookie } from './persistence.ts'
import { begin, deposit, pick, pickInTurn } from './pick.ts'
import { PlanUse } from './plan-use.ts'
import { redirect } from './redirect.ts'
import { REQUEST_DROPPED } from './request-head.ts'
import { RESPONSE_DROPPED } from './response-head.ts'
import { respond } from './route.ts'
import type { ListenerSite, RouteState } from './site.ts'
import type { StreamSite } from './stream/site.ts'
import type { PoolState } from './upstream/pool-state.ts'
import type { UpstreamServer } from './upstream/server.ts'
import type { ProxyWorker } from './worker.ts'

/** The parts of a Plan that this room carries out. */
export interface ProxyPlan {
  readonly listeners: readonly ListenerPlan[]
  readonly pools: readonly PoolPlan[]
  readonly trustedProxies: ConstructorParameters<typeof CidrSet>[0]
  readonly errorPages: readonly ErrorPagePlan[]
}

/** A Plan compiled for one worker. Nothing of it is in force yet. */
export interface CompiledPlan {
  readonly use: PlanUse
  /** In the order of the Plan's listeners. */
  readonly sites: readonly ConnectionSite[]
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
      remembers: pool.remembers,
      cookie,
      steps: stepsOf(pool),
      series: series.pools[index],
    }
  })
  const byName = new Map(pools.map((pool) => [pool.name, pool]))
  const trusted = new CidrSet(plan.trustedProxies)
  const errorPages = new ErrorPages(plan.errorPages)
  const shared = { use, series, trusted, errorPages, byName, subjects: subjectFields(plan.listeners) }
  const sites = plan.listeners.map((listener) => (listener.kind === 'http' ? compileHttp(listener, shared) : compileTcp(listener, shared)))
  return { use, sites, pools }
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
  }
}

function compileTcp(listener: TcpListenerPlan, shared: Shared): StreamSite {
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
    routes: listener.routes.map(({ id, pool, connectMs, proxyProtocol }) => {
      const state = shared.byName.get(pool) as PoolState
      return { id, connectMs, pool: state, proxyProtocol: proxyProtocol ?? state.proxyProtocol }
    }),
  }
}

function headerPolicyOf(plan: AcceptProxyProtocolPlan | undefined): HeaderPolicy | null {
  if (plan === undefined) return null
  return { from: new CidrSet(plan.from), takesOthers: plan.others === 'direct', timeoutMs: plan.timeoutMs }
}

function compileRoute(route: HttpRoutePlan, index: number, { byName: pools, subjects }: Shared): RouteState {
  const action = route.action
  return {
    id: route.id,
    index,
    steps: action.kind === 'pool' ? (pools.get(action.pool) as PoolState).steps : action.kind === 'redirect' ? [redirect] : [respond],
    pool: action.kind === 'pool' ? (pools.get(action.pool) ?? null) : null,
    answer: action.kind === 'respond' ? fixedAnswer(action) : null,
    redirect: action.kind === 'redirect' ? new RedirectTemplate(action.to) : null,
    redirectStatus: action.kind === 'redirect' ? action.status : 0,
    rewrite: route.rewrite === undefined ? null : compileRewrite(route.rewrite),
    requestEdit: compileRequestEdit(route, subjects),
    responseEdit: route.responseHeaders === undefined ? null : compileHeaderEdit(route.responseHeaders, RESPONSE_DROPPED),
    queuePriority: route.queuePriority,
    retry: { ...route.retry, onStatus: new Set(route.retry.onStatus) },
    timeouts: route.timeouts,
  }
}

/** What a request of the pool goes through, without what the pool does not use. */
function stepsOf(pool: Pool): readonly Step[] {
  const steps: (Step | null)[] = [
    begin,
    pool.retryBudget === null ? null : deposit,
    pool.cookie === null ? null : readCookie,
    pool.queue === null ? pick : pickInTurn,
    attempt,
  ]
  return steps.filter((step) => step !== null)
}

function compileRequestEdit({ requestHeaders }: HttpRoutePlan, subjects: readonly string[]): HeaderEdit | null {
  if (requestHeaders === undefined && subjects.length === 0) return null
  const { remove, set, add } = requestHeaders ?? { remove: [], set: [], add: [] }
  return compileHeaderEdit({ remove: [...remove, ...subjects], set, add }, REQUEST_DROPPED)
}

function fixedAnswer(action: Extract<HttpRoutePlan['action'], { kind: 'respond' }>): LocalAnswer {
  const lines = action.headers.map((header) => literal(`${header.name}: ${header.value}\r\n`))
  return {
    status: action.status,
    fieldLines: new Uint8Array(Buffer.concat([contentTypeLine(action.contentType), ...lines])),
    body: Buffer.from(action.body),
  }
}
