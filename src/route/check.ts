import { EvenerError } from '../core/index.ts'
import type { RoutePlan } from './config.ts'
import { compileHeaderEdit } from './header-edit.ts'
import { compilePath } from './path-pattern.ts'
import { RedirectTemplate } from './redirect-template.ts'
import { compileRewrite } from './rewrite.ts'

/** What is wrong with a route, and where in its configuration. */
export interface RouteProblem {
  /** Keys and indexes below the route, ["match", "path", 0]. */
  readonly at: readonly (string | number)[]
  readonly message: string
}

/** Compiles the parts of a route and says what the router or the proxy would refuse. Control code. */
export function checkRoute(route: RoutePlan): RouteProblem[] {
  const nothingDropped = new Uint8Array(256)
  return [
    ...route.match.paths.flatMap((path, i) => problems(['match', 'path', i], () => compilePath(path, 0))),
    ...problems(['rewrite'], () => route.rewrite && compileRewrite(route.rewrite)),
    ...problems(['requestHeaders'], () => route.requestHeaders && compileHeaderEdit(route.requestHeaders, nothingDropped)),
    ...problems(['responseHeaders'], () => route.responseHeaders && compileHeaderEdit(route.responseHeaders, nothingDropped)),
    ...problems(['redirect', 'to'], () => route.action.kind === 'redirect' && new RedirectTemplate(route.action.to)),
  ]
}

function problems(at: readonly (string | number)[], compile: () => unknown): RouteProblem[] {
  try {
    compile()
    return []
  } catch (error) {
    if (error instanceof EvenerError || error instanceof SyntaxError) return [{ at, message: error.message }]
    throw error
  }
}
