import { hashKeyFrom, PersistenceCookie, type Pool } from '../pool/index.ts'
import { compileHeaderEdit, compileRewrite, type HeaderEdit, RedirectTemplate } from '../route/index.ts'
import { contentTypeLine, type LocalAnswer } from './answer.ts'
import { attempt } from './attempt.ts'
import type { FixedAnswerPlan, HttpRoutePlan, SplitActionPlan } from './config.ts'
import type { Step } from './exchange.ts'
import { literal } from './literal.ts'
import { MirrorRule, mirror } from './mirror.ts'
import { readCookie } from './persistence.ts'
import { begin, deposit, pick, pickInTurn } from './pick.ts'
import { redirect } from './redirect.ts'
import { REQUEST_DROPPED } from './request-head.ts'
import { RESPONSE_DROPPED } from './response-head.ts'
import { respond } from './route.ts'
import type { RouteState } from './site.ts'
import { Split, split } from './split.ts'
import type { PoolState } from './upstream/pool-state.ts'

/** What a route needs of the rest of its Plan. */
interface Surroundings {
  readonly byName: ReadonlyMap<string, PoolState>
  /** Fields that no client may send. */
  readonly subjects: readonly string[]
}

/** A route with the steps that its action is composed of. */
export function compileRoute(route: HttpRoutePlan, index: number, { byName: pools, subjects }: Surroundings): RouteState {
  const { action } = route
  const common = {
    id: route.id,
    index,
    pool: null,
    answer: null,
    redirect: null,
    redirectStatus: 0,
    split: null,
    branch: -1,
    mirror: route.mirror === undefined ? null : new MirrorRule(pools.get(route.mirror.pool) as PoolState, route.mirror.percent),
    rewrite: route.rewrite === undefined ? null : compileRewrite(route.rewrite),
    requestEdit: compileRequestEdit(route, subjects),
    responseEdit: route.responseHeaders === undefined ? null : compileHeaderEdit(route.responseHeaders, RESPONSE_DROPPED),
    queuePriority: route.queuePriority,
    hedgeMs: route.hedgeMs,
    retry: { ...route.retry, onStatus: new Set(route.retry.onStatus) },
    timeouts: route.timeouts,
  }
  switch (action.kind) {
    case 'pool': {
      const pool = pools.get(action.pool) as PoolState
      return { ...common, pool, steps: common.mirror === null ? pool.steps : [mirror, ...pool.steps] }
    }
    case 'split':
      return compileSplit(common, action, pools)
    case 'redirect':
      return { ...common, steps: [redirect], redirect: new RedirectTemplate(action.to), redirectStatus: action.status }
    case 'respond':
      return { ...common, steps: [respond], answer: fixedAnswer(action) }
  }
}

/** Each branch is a route of its own, because pools have time-outs of their own. */
function compileSplit(common: Omit<RouteState, 'steps'>, action: SplitActionPlan, pools: ReadonlyMap<string, PoolState>): RouteState {
  const { branches, sticky } = action
  const names = branches.map(({ pool }) => pool)
  const weights = branches.map(({ weight }) => weight)
  const cookie = sticky?.kind === 'cookie' ? new PersistenceCookie(common.id, names, sticky) : null
  const key = sticky?.kind === 'key' ? hashKeyFrom(sticky.key, common.id) : null
  const made = new Split(weights, cookie, key)
  made.branches = branches.map(({ pool: name, timeouts }, branch): RouteState => {
    const pool = pools.get(name) as PoolState
    return { ...common, pool, steps: pool.steps, split: made, branch, timeouts }
  })
  return { ...common, steps: common.mirror === null ? [split] : [mirror, split], split: made }
}

/** What a request of the pool goes through, without what the pool does not use. */
export function stepsOf(pool: Pool): readonly Step[] {
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

export function fixedAnswer(plan: FixedAnswerPlan): LocalAnswer {
  const lines = plan.headers.map((header) => literal(`${header.name}: ${header.value}\r\n`))
  return {
    status: plan.status,
    fieldLines: new Uint8Array(Buffer.concat([contentTypeLine(plan.contentType), ...lines])),
    body: Buffer.from(plan.body),
  }
}
