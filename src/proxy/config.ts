import { z } from 'zod'
import { packet } from '../packet/config.ts'
import { normaliseRoute, ROUTE_ACTIONS, type RouteConfig, routeShape } from '../route/config.ts'
import {
  address,
  always,
  complain,
  duration,
  durationOrNone,
  exactlyOne,
  given,
  inherited,
  isToken,
  oneOrMore,
  options,
  sizeBetween,
  sizeOrNone,
} from '../schema/index.ts'
import { normaliseUdp, udp } from './datagram/option.ts'
import type { ExchangeTimeoutsPlan, HttpListenerPlan, HttpRoutePlan, ListenerPlan } from './plan.ts'
import { acceptProxyProtocol, normaliseAcceptProxyProtocol } from './proxy-protocol/option.ts'
import { normaliseRetry, retry } from './retry-option.ts'
import { normaliseSplit, split } from './split-option.ts'
import { normaliseTcp, tcp } from './stream/option.ts'
import { type CertificateDefaults, normaliseTls, tlsListener } from './tls-option.ts'

export { errorPages, normaliseErrorPages } from './error-page-option.ts'
export type * from './plan.ts'
export { normaliseProxyProtocol, proxyProtocol } from './proxy-protocol/send-option.ts'
export { type CertificatePlan, certificatesOf, selfSignedPaths, type TlsFiles, type TlsListenerPlan } from './tls-plan.ts'
export { normaliseTlsPool, tlsPool } from './tls-pool-option.ts'

/** A head and what the proxy adds to it must fit into one block of the engine, which has 32 KiB. */
const headSize = sizeBetween(1024, 24 * 1024)

const timeoutShape = {
  requestHead: duration.prefault('10s').describe('For a whole request head, from its first byte or the beginning of the connection.'),
  requestBody: duration.prefault('30s').describe('For each next piece of a request body.'),
  idle: duration.prefault('60s').describe('For a kept-alive connection without a request.'),
  send: duration.prefault('60s').describe('Without progress while bytes wait for the client to take them.'),
  tunnel: durationOrNone.prefault('1h').describe('Silence of an upgraded connection (WebSocket), or "none".'),
  connect: duration.prefault('3s').describe('For a connection to a server.'),
  response: duration
    .prefault('30s')
    .describe('For the response head, for each next piece of its body, and for a server to go on taking the body of a request.'),
}

const limitShape = {
  head: headSize.prefault('16KiB').describe('A request head, 1KiB to 24KiB; 431 above it.'),
  line: headSize.prefault('8KiB').describe('A request line; 414 above it.'),
  fields: z.int().min(1).max(256).default(100).describe('Fields of a request; 431 above it.'),
  body: sizeOrNone.prefault('none').describe('A request body; 413 above it. "none" for no limit.'),
  connections: z
    .int()
    .min(1)
    .max(1_000_000)
    .default(50_000)
    .describe('Open connections of a listener, exact over all workers; more wait to be accepted.'),
}

const inheritableTimeouts = inherited(timeoutShape)

/** `timeouts` of the top level. */
export const timeouts = options({
  ...timeoutShape,
  drain: duration.prefault('30s').describe('Grace period of a shutdown, after which open exchanges are cut off.'),
})
/** `limits` of the top level. */
export const limits = options(limitShape)

export type TimeoutsConfig = z.output<typeof timeouts>
export type LimitsConfig = z.output<typeof limits>

const { connect, response, requestBody, tunnel } = inheritableTimeouts

/** One entry of `routes`. */
const route = options({
  ...routeShape,
  split: split.optional().describe('Action: servers of several pools answer, by weight.'),
  retry: retry.prefault({}).describe('When to try again.'),
  queue: options({
    priority: z.int().min(0).max(3).default(1).describe('0 is served first, 3 last.'),
  })
    .prefault({})
    .describe("How its requests wait in the pool's queue."),
  hedge: options({
    after: duration.describe('So long after the request was sent.'),
  })
    .optional()
    .describe('A GET, HEAD or OPTIONS that was not answered for a while goes to a second server too; the first answer counts.'),
  mirror: options({
    pool: z.string().describe('The pool that gets the copies.'),
    percent: z.number().min(0.01).max(100).default(100).describe('How many of a hundred requests are copied.'),
  })
    .optional()
    .describe('Copies of requests go to another pool too. Nobody waits for its answers, and they are thrown away.'),
  timeouts: options({ connect, response, requestBody, tunnel }).prefault({}).describe('Override those of the pool and the listener.'),
}).check(exactlyOne('a route', [...ROUTE_ACTIONS, 'split']))

const via = z.string().check(
  z.superRefine((text, context) => {
    if (!isToken(text))
      complain(context, {
        code: 'CONFIG_INVALID_HEADER',
        message: `${JSON.stringify(text)} is no pseudonym for Via`,
        hint: 'letters, digits, "-", "." and "_"',
      })
  }),
)

const http = options({
  routes: z.array(route).min(1, 'a listener has at least one route').describe('First match wins; none is a 404.'),
  timeouts: options(inheritableTimeouts).prefault({}).describe('Override those of the top level.'),
  limits: options(inherited(limitShape)).prefault({}).describe('Override those of the top level.'),
  via: via.default('evener').describe('Pseudonym in Via, or "none".'),
  forwarded: z
    .enum(['x-forwarded', 'forwarded', 'both', 'none'])
    .default('x-forwarded')
    .describe('Which fields tell the server about the client. Those of untrusted peers are removed in any case.'),
  onServerDown: z
    .enum(['keep', 'reset'])
    .default('keep')
    .describe('What happens to the requests that a server works on, and to its idle connections, when it goes down or into maintenance.'),
})

/** One entry of `listeners`. */
export const listener = options({
  bind: oneOrMore(address).describe(
    'Where to listen: "0.0.0.0:80", "[::]:80", ":80" (all IPv4 addresses), "unix:/run/web.sock" (the first worker serves it).',
  ),
  acceptProxyProtocol: acceptProxyProtocol
    .optional()
    .describe('Peers whose connections, or datagrams, begin with a header of the PROXY protocol; none without this.'),
  tls: tlsListener.optional().describe('Serves over TLS; requests in the clear are answered with 400.'),
  http: http.optional().describe('Requests of HTTP/1.1 and HTTP/1.0.'),
  tcp: tcp.optional().describe('Connections of any protocol over TCP, byte for byte.'),
  udp: udp.optional().describe('Datagrams of any protocol over UDP.'),
  packet: packet.optional().describe('Packets that the kernel forwards: NAT, direct routing, tunnels.'),
}).check(
  exactlyOne('a listener', ['http', 'tcp', 'udp', 'packet']),
  always((value, report) => {
    if (value.tls === undefined) return
    const other = value.packet !== undefined ? 'packet' : value.udp !== undefined ? 'udp' : undefined
    if (other !== undefined) report({ code: 'CONFIG_CONFLICT', message: `"tls" and "${other}" do not go together` }, ['tls'])
  }),
)

export type ListenerConfig = z.output<typeof listener>

/** Traffic goes through us; else the kernel forwards packets. */
export function isProxied(config: ListenerConfig): boolean {
  return config.packet === undefined
}

/** What a listener inherits. */
export interface ListenerDefaults {
  /** Of certificates by ACME; undefined where the configuration has no `acme`. */
  readonly certificates: CertificateDefaults | undefined
  readonly timeouts: TimeoutsConfig
  readonly limits: LimitsConfig
  /** The timeouts that each pool sets itself. */
  readonly poolTimeouts: ReadonlyMap<string, { readonly connect?: number | undefined; readonly response?: number | undefined }>
}

export function normaliseListener(name: string, config: ListenerConfig, defaults: ListenerDefaults): ListenerPlan {
  const { bind, tcp: stream } = config
  const accept = normaliseAcceptProxyProtocol(config.acceptProxyProtocol)
  if (config.udp !== undefined) return normaliseUdp(name, bind, config.udp, accept)
  const tls = normaliseTls(config.tls, defaults.certificates)
  if (stream === undefined) {
    return { ...normaliseHttp(name, bind, config.http as z.output<typeof http>, defaults), acceptProxyProtocol: accept, tls }
  }
  const { timeouts: inherited, poolTimeouts } = defaults
  return { ...normaliseTcp(name, bind, stream, { acceptProxyProtocol: accept, connectMs: inherited.connect, poolTimeouts }), tls }
}

function normaliseHttp(
  name: string,
  bind: HttpListenerPlan['bind'],
  config: z.output<typeof http>,
  defaults: ListenerDefaults,
): Omit<HttpListenerPlan, 'acceptProxyProtocol' | 'tls'> {
  const time = { ...defaults.timeouts, ...given(config.timeouts) }
  const limit = { ...defaults.limits, ...given(config.limits) }
  return {
    name,
    bind,
    kind: 'http',
    timeouts: {
      requestHeadMs: time.requestHead,
      requestBodyMs: time.requestBody,
      idleMs: time.idle,
      sendMs: time.send,
      tunnelMs: time.tunnel,
    },
    limits: {
      maxHeadBytes: limit.head,
      maxLineBytes: Math.min(limit.line, limit.head),
      maxFields: limit.fields,
      maxBodyBytes: limit.body,
      maxConnections: limit.connections,
    },
    via: config.via === 'none' ? undefined : config.via,
    forwarded: config.forwarded,
    onServerDown: config.onServerDown,
    routes: config.routes.map((each, index) => normaliseHttpRoute(`listeners.${name}.http.routes[${index}]`, each, time, defaults)),
  }
}

function normaliseHttpRoute(
  id: string,
  config: z.output<typeof route>,
  inheritedTimeouts: TimeoutsConfig,
  { poolTimeouts }: ListenerDefaults,
): HttpRoutePlan {
  const timeoutsOf = (pool: string): ExchangeTimeoutsPlan => {
    const time = { ...inheritedTimeouts, ...given(poolTimeouts.get(pool)), ...given(config.timeouts) }
    return { connectMs: time.connect, responseMs: time.response, requestBodyMs: time.requestBody, tunnelMs: time.tunnel }
  }
  const route = normaliseRoute(id, config as RouteConfig)
  return {
    ...route,
    action: config.split === undefined ? route.action : normaliseSplit(config.split, timeoutsOf),
    timeouts: timeoutsOf(config.pool ?? ''),
    retry: normaliseRetry(config.retry),
    queuePriority: config.queue.priority,
    mirror: config.mirror,
    hedgeMs: config.hedge?.after ?? 0,
  }
}
