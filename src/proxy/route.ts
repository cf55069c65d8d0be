import { NO_TLS, PATH_REFUSED } from '../route/index.ts'
import { answer, answerError } from './answer.ts'
import { DONE, type Exchange, walk } from './exchange.ts'
import type { ListenerSite, RouteState } from './site.ts'
import { TERMINATION } from './termination.ts'

/** Finds the first route that matches and walks the steps of its action. */
export function route(exchange: Exchange): number {
  const site = exchange.site as ListenerSite
  const { client, connection } = exchange.downstream as NonNullable<typeof exchange.downstream>
  const index = site.router.match(exchange.worker.engine.memory, exchange.request, client, connection.secure ?? NO_TLS)
  if (index < 0) {
    if (index === PATH_REFUSED) answerError(exchange, TERMINATION.REQUEST_REFUSED, 400, 'The path can be read in more than one way.')
    else answerError(exchange, TERMINATION.NO_ROUTE, 404)
    return DONE
  }
  const found = site.routes[index]
  exchange.route = found
  exchange.pool = found.pool
  return walk(found.steps, exchange)
}

/** The action `respond`. */
export function respond(exchange: Exchange): number {
  answer(exchange, (exchange.route as RouteState).answer as NonNullable<RouteState['answer']>)
  return DONE
}
