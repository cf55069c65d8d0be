import type { Plan } from '../config/index.ts'
import { parseRequestHead, REJECTIONS, RequestHead } from '../http/index.ts'
import { PATH_REFUSED, type RouteExplanation, Router, type TlsFacts } from '../route/index.ts'
import { explainArrival } from './explain-arrival.ts'
import { explainConnection } from './explain-connection.ts'
import { explainPacket } from './packet-explain.ts'

/** A request as `evener explain` is told of it. */
export interface ExplainedRequest {
  readonly listener: string | undefined
  readonly method: string
  /** Path with query, or a whole URL. */
  readonly target: string
  readonly host: string | undefined
  /** "Name: value" lines. */
  readonly fields: readonly string[]
  /** What TLS offers (ALPN), for tcp listeners; there `target` is the name that it asks for. */
  readonly protocols?: readonly string[]
  /** What is known of TLS that ends here; the name is that of the host without one. */
  readonly tls?: Partial<TlsFacts>
  readonly client: string
  /** The balancer in front, whose header of the PROXY protocol names the client. */
  readonly from?: string | undefined
}

/** What would become of it. */
export interface Explanation {
  readonly listener: string
  /** Why it is refused before any route is looked at, with an answer of that status or a reset. */
  readonly refusal: { readonly status: number | undefined; readonly sentence: string } | undefined
  /** What is odd about it. */
  readonly notes: readonly string[]
  /** Every route up to the one that matches, with what spoke against it. */
  readonly routes: readonly ExplainedRoute[]
  /** Index of the route that matches; -1 for none (404). */
  readonly match: number
}

/** Of requests, or of connections: these have a name (SNI) and protocols (ALPN). */
export type ExplainedRoute = Omit<RouteExplanation, 'predicates'> & {
  readonly predicates: readonly (Omit<RouteExplanation['predicates'][number], 'predicate'> & { readonly predicate: string })[]
}

const MAX_FIELDS = 256

/** Walks a request through a Plan as a worker would, without sending anything. Throws with a sentence when there is no such listener. */
export function explainRequest(plan: Plan, request: ExplainedRequest): Explanation {
  const packets = plan.packet?.listeners ?? []
  const wanted = request.listener ?? plan.listeners[0]?.name ?? packets[0]?.name
  const listener = plan.listeners.find(({ name }) => name === wanted)
  const packetListener = packets.find(({ name }) => name === wanted)
  if (packetListener !== undefined) return explainPacket(packetListener, request.client)
  if (listener === undefined) {
    const names = [...plan.listeners, ...packets].map(({ name }) => `"${name}"`)
    throw new Error(`there is no listener "${request.listener}"; there are ${names.join(', ')}`)
  }
  if (listener.kind === 'udp') {
    const { name } = listener
    return {
      listener: name,
      refusal: undefined,
      notes: [],
      routes: [{ id: `listeners.${name}.udp`, index: 0, matches: true, predicates: [] }],
      match: 0,
    }
  }
  const arrival = explainArrival(listener, request)
  const { notes, address, tls } = arrival
  const empty = { listener: listener.name, notes, routes: [], match: -1 }
  if (arrival.refusal !== undefined) return { ...empty, refusal: arrival.refusal }
  if (listener.kind === 'tcp') return { ...explainConnection(listener.name, listener.routes, { ...request, address }), notes }
  const memory = Buffer.from(headText(request), 'latin1')
  const head = new RequestHead(MAX_FIELDS)
  const parsed = parseRequestHead(memory, 0, memory.length, head, listener.limits)
  if (parsed <= 0) {
    const { status, sentence } = REJECTIONS[-parsed] ?? { status: 400, sentence: 'the head is not complete' }
    return { ...empty, refusal: { status, sentence } }
  }
  const router = new Router(listener.routes)
  const match = router.match(memory, head, address, tls)
  if (match === PATH_REFUSED) return { ...empty, refusal: { status: 400, sentence: 'the path can be read in more than one way' } }
  const routes = router.explain(memory, head, address, tls)
  return { listener: listener.name, refusal: undefined, notes, routes: match < 0 ? routes : routes.slice(0, match + 1), match }
}

function headText(request: ExplainedRequest): string {
  const url = URL.canParse(request.target) ? new URL(request.target) : undefined
  const target = url === undefined ? request.target : `${url.pathname}${url.search}`
  const host = request.host ?? url?.host ?? 'localhost'
  return [`${request.method} ${target} HTTP/1.1`, `Host: ${host}`, ...request.fields, '', ''].join('\r\n')
}
