import { BODY, FIELD, METHOD } from '../http/index.ts'
import { answerError, answerOptions } from './answer.ts'
import { DONE, type Exchange, GO_ON } from './exchange.ts'
import type { ListenerSite } from './site.ts'
import { TERMINATION } from './termination.ts'

const ZERO = 0x30
const NINE = 0x39

/** Refuses what this proxy never forwards: CONNECT, bodies over the limit, a Max-Forwards that has run out. */
export function admit(exchange: Exchange): number {
  const request = exchange.request
  // RFC 9110 §7.4: a request for https that came in the clear is not for us.
  if (request.isHttpsTarget && exchange.downstream?.isSecure !== true) return refuse(exchange, TERMINATION.REQUEST_REFUSED, 421)
  if (request.method === METHOD.CONNECT) return refuse(exchange, TERMINATION.METHOD_REFUSED, 405)
  if (request.body === BODY.LENGTH && request.contentLength > (exchange.site as ListenerSite).limits.maxBodyBytes) {
    return refuse(exchange, TERMINATION.REQUEST_BODY_TOO_LARGE, 413)
  }
  if (request.method === METHOD.TRACE || request.method === METHOD.OPTIONS) return admitMaxForwards(exchange)
  return GO_ON
}

/** RFC 9110 §7.6.2: at 0 the request is answered here; OPTIONS with what the proxy allows, TRACE refused. */
function admitMaxForwards(exchange: Exchange): number {
  if (readMaxForwards(exchange) !== 0) return GO_ON
  if (exchange.request.method === METHOD.TRACE) return refuse(exchange, TERMINATION.METHOD_REFUSED, 405)
  answerOptions(exchange)
  return DONE
}

/** The value of Max-Forwards, or -1 where there is none that can be read. */
export function readMaxForwards(exchange: Exchange): number {
  const fields = exchange.request.fields
  const index = fields.find(FIELD.MAX_FORWARDS)
  if (index === -1) return -1
  const memory = exchange.worker.engine.memory
  const end = fields.valueEnd(index)
  let value = 0
  let at = fields.valueStart(index)
  if (at === end || end - at > 9) return -1
  for (; at < end; at++) {
    const digit = memory[at]
    if (digit < ZERO || digit > NINE) return -1
    value = value * 10 + digit - ZERO
  }
  return value
}

function refuse(exchange: Exchange, termination: number, status: number): number {
  exchange.keepAlive = false
  answerError(exchange, termination, status)
  return DONE
}
