import { domainToASCII } from 'node:url'
import { z } from 'zod'
import type { SocketAddress } from '../../core/index.ts'
import { cidr, complain, duration, durationOrNone, exactlyOne, oneOrMore, options } from '../../schema/index.ts'
import type { AcceptProxyProtocolPlan } from '../proxy-protocol/option.ts'
import { normaliseProxyProtocol, proxyProtocol } from '../proxy-protocol/send-option.ts'
import type { StreamMatchPlan, StreamRoutePlan, TcpListenerPlan } from './plan.ts'

/** What `tcp` inherits. */
export interface StreamDefaults {
  readonly acceptProxyProtocol: AcceptProxyProtocolPlan | undefined
  readonly connectMs: number
  readonly poolTimeouts: ReadonlyMap<string, { readonly connect?: number | undefined }>
}

const LABELS = /^[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*$/

/** "shop.test" or "*.shop.test"; names beyond ASCII become punycode. */
const serverName = z
  .string()
  .transform((text, context): StreamMatchPlan['names'][number] => {
    const isWildcard = text.startsWith('*.')
    const written = (isWildcard ? text.slice(2) : text).toLowerCase().replace(/\.$/, '')
    const name = /[^\0-\x7f]/.test(written) ? domainToASCII(written) : written
    if (name.length <= 253 && LABELS.test(name)) return { kind: isWildcard ? 'wildcard' : 'exact', name }
    const hint =
      text === '*' ? 'leave "sni" out to match every connection' : 'a name like "shop.test", or "*.shop.test" for every name below it'
    return complain(context, { code: 'CONFIG_INVALID_PATTERN', message: `no client can ask for the name ${JSON.stringify(text)}`, hint })
  })
  .meta({ title: 'name', examples: ['shop.test', '*.shop.test'] })

/** One entry of `routes`. */
const route = options({
  match: options({
    sni: oneOrMore(serverName)
      .optional()
      .describe('Name that the TLS of the client asks for: exact, or "*.shop.test" for every name below it.'),
    alpn: oneOrMore(z.string().min(1).max(255)).optional().describe('Protocols of which the TLS of the client offers one: "h2".'),
    client: oneOrMore(cidr).optional().describe("The client's address, in a range."),
  })
    .prefault({})
    .describe('All parts must match; without it every connection does. What is not TLS has neither name nor protocols.'),
  pool: z.string().describe('Where it goes.'),
  proxyProtocol: proxyProtocol.optional().describe('Overrides that of the listener.'),
})

/** `tcp` of a listener. */
export const tcp = options({
  pool: z.string().optional().describe('Where all connections go.'),
  routes: z
    .array(route)
    .min(1)
    .optional()
    .describe('Where they go by what they begin with, or by who they are from. First match wins; without one the connection is reset.'),
  timeouts: options({
    connect: duration.optional().describe("For a connection to a server; the pool's, else the top level's, without this."),
    idle: durationOrNone.prefault('1h').describe('Silence in both directions, or "none".'),
    afterClientEnd: durationOrNone.prefault('10m').describe('Silence of the server once the client has ended its side, or "none".'),
    afterServerEnd: durationOrNone.prefault('1m').describe('Silence of the client once the server has ended its side, or "none".'),
    preface: duration.prefault('10s').describe('For the ClientHello, where one is needed to choose a server.'),
  })
    .prefault({})
    .describe('Time-outs of connections.'),
  limits: options({
    connections: z
      .int()
      .min(1)
      .max(1_000_000)
      .default(50_000)
      .describe('Open connections of this listener, exact over all workers; more wait to be accepted.'),
  })
    .prefault({})
    .describe('Limits of the listener; those of the pool hold besides.'),
  proxyProtocol: proxyProtocol
    .optional()
    .describe("Servers are sent a header that names the client first; the pool's `proxyProtocol` without this."),
  attempts: z.int().min(1).max(16).default(3).describe('Servers tried for a connection while none can be connected to; 1 tries no other.'),
  onServerDown: z
    .enum(['keep', 'reset'])
    .default('keep')
    .describe('What happens to the open connections of a server that goes down or into maintenance.'),
}).check(exactlyOne('a tcp listener', ['pool', 'routes']))

export function normaliseTcp(
  name: string,
  bind: readonly SocketAddress[],
  config: z.output<typeof tcp>,
  defaults: StreamDefaults,
): TcpListenerPlan {
  const { idle, afterClientEnd, afterServerEnd, preface } = config.timeouts
  return {
    name,
    bind,
    kind: 'tcp',
    acceptProxyProtocol: defaults.acceptProxyProtocol,
    tls: undefined,
    timeouts: { prefaceMs: preface, idleMs: idle, afterClientEndMs: afterClientEnd, afterServerEndMs: afterServerEnd },
    limits: { maxConnections: config.limits.connections },
    attempts: config.attempts,
    onServerDown: config.onServerDown,
    routes: normaliseRoutes(name, config, defaults),
  }
}

type TcpConfig = z.output<typeof tcp>

/** A pool alone is one route for all. */
function normaliseRoutes(name: string, config: TcpConfig, defaults: StreamDefaults): StreamRoutePlan[] {
  const { pool, routes } = config
  if (routes === undefined) return [normaliseRoute(`listeners.${name}.tcp`, { match: {}, pool: pool as string }, config, defaults)]
  return routes.map((each, index) => normaliseRoute(`listeners.${name}.tcp.routes[${index}]`, each, config, defaults))
}

function normaliseRoute(id: string, own: z.output<typeof route>, config: TcpConfig, defaults: StreamDefaults): StreamRoutePlan {
  const { match, pool } = own
  const connectMs = config.timeouts.connect ?? defaults.poolTimeouts.get(pool)?.connect ?? defaults.connectMs
  return {
    id,
    match: { names: match.sni ?? [], alpn: match.alpn ?? [], clients: match.client ?? [] },
    pool,
    connectMs,
    proxyProtocol: normaliseProxyProtocol(own.proxyProtocol ?? config.proxyProtocol),
  }
}
