/**
 * route: which route a request takes, and what the route changes or answers.
 *
 * In: the Plan's routes (config.ts) and a parsed head with the bytes it points to. Out: the index of a route; bytes of a new
 * target, of field lines, of a Location. The caller owns all memory; what stays between calls is a scratch of each object,
 * which is why a router belongs to one thread.
 */

export { explainRoute, type PredicateExplanation, type RouteExplanation } from './explain.ts'
export { compileHeaderEdit, FIELD_DROPPED, HeaderEdit } from './header-edit.ts'
export { NormalPath } from './normal-path.ts'

export type { RouteActionPlan, RoutePlan } from './plan.ts'

export { RedirectTemplate } from './redirect-template.ts'
export { compileRewrite, MAX_REWRITTEN_BYTES, Rewrite } from './rewrite.ts'
export { type MatchablePlan, NO_ROUTE, PATH_REFUSED, Router } from './router.ts'
export { NO_TLS, type TlsFacts } from './tls-facts.ts'
