import { z } from 'zod'
import type { SocketAddress } from '../../core/index.ts'
import { duration, durationOrNone, options } from '../../schema/index.ts'
import type { AcceptProxyProtocolPlan } from '../proxy-protocol/option.ts'
import { normaliseProxyProtocol, proxyProtocol } from '../proxy-protocol/send-option.ts'
import type { StreamRoutePlan, TcpListenerPlan } from './plan.ts'

/** What `tcp` inherits. */
export interface StreamDefaults {
  readonly acceptProxyProtocol: AcceptProxyProtocolPlan | undefined
  readonly connectMs: number
  readonly poolTimeouts: ReadonlyMap<string, { readonly connect?: number | undefined }>
}

/** `tcp` of a listener. */
export const tcp = options({
  pool: z.string().describe('Where connections go.'),
  timeouts: options({
    connect: duration.optional().describe("For a connection to a server; the pool's, else the top level's, without this."),
    idle: durationOrNone.prefault('1h').describe('Silence in both directions, or "none".'),
    afterClientEnd: durationOrNone.prefault('10m').describe('Silence of the server once the client has ended its side, or "none".'),
    afterServerEnd: durationOrNone.prefault('1m').describe('Silence of the client once the server has ended its side, or "none".'),
    preface: duration.prefault('10s').describe('For what a client must send before a server is chosen.'),
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
})

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
    routes: [normaliseRoute(`listeners.${name}.tcp`, config, defaults)],
  }
}

function normaliseRoute(id: string, config: z.output<typeof tcp>, defaults: StreamDefaults): StreamRoutePlan {
  const { pool } = config
  const connectMs = config.timeouts.connect ?? defaults.poolTimeouts.get(pool)?.connect ?? defaults.connectMs
  const match = { names: [], alpn: [], clients: [] }
  return { id, match, pool, connectMs, proxyProtocol: normaliseProxyProtocol(config.proxyProtocol) }
}
