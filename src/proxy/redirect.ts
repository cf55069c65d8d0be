import type { RedirectTemplate } from '../route/index.ts'
import { answer } from './answer.ts'
import { DONE, type Exchange } from './exchange.ts'
import { CRLF, literal } from './literal.ts'
import type { RouteState } from './site.ts'

const LOCATION = literal('Location: ')
const NOTHING = new Uint8Array(0)

/** The action `redirect`: a Location made from the request. */
export function redirect(exchange: Exchange): number {
  const route = exchange.route as RouteState
  const template = route.redirect as RedirectTemplate
  const lines = new Uint8Array(LOCATION.length + template.room(exchange.request) + CRLF.length)
  lines.set(LOCATION)
  const end = template.write(lines, LOCATION.length, exchange.worker.engine.memory, exchange.request)
  lines.set(CRLF, end)
  answer(exchange, { status: route.redirectStatus, fieldLines: lines.subarray(0, end + CRLF.length), body: NOTHING })
  return DONE
}
