import { z } from 'zod'
import type { SocketAddress } from '../../core/index.ts'
import { always, duration, options } from '../../schema/index.ts'
import type { AcceptProxyProtocolPlan } from '../proxy-protocol/option.ts'
import { normaliseProxyProtocol, proxyProtocol } from '../proxy-protocol/send-option.ts'
import type { UdpListenerPlan } from './plan.ts'

/** `udp` of a listener. */
export const udp = options({
  pool: z.string().describe('Where datagrams go.'),
  timeouts: options({
    idle: duration.prefault('60s').describe('Silence in both directions that ends a session.'),
  })
    .prefault({})
    .describe('Time-outs of sessions.'),
  limits: options({
    sessions: z
      .int()
      .min(1)
      .max(60_000)
      .default(10_000)
      .describe('Sessions in each worker. Datagrams of clients beyond are dropped; those of known clients are not.'),
  })
    .prefault({})
    .describe('Limits of the listener; those of the pool hold besides.'),
  datagrams: z
    .union([z.literal('all'), z.int().min(1).max(1_000_000)])
    .default('all')
    .describe('Datagrams of a client that one server gets before the next one is chosen; 1 schedules each one by itself.'),
  responses: z
    .union([z.literal('any'), z.int().min(0).max(1_000_000)])
    .default('any')
    .describe('Answers that each datagram gets. A session ends with the last one, and what comes beyond is dropped.'),
  onServerDown: z
    .enum(['keep', 'reselect'])
    .default('reselect')
    .describe('What happens to the sessions of a server that goes down or into maintenance: the next datagram chooses another, or not.'),
  proxyProtocol: proxyProtocol
    .optional()
    .describe("Each datagram to a server begins with a header that names the client, version 2; the pool's `proxyProtocol` without this."),
}).check(
  always(({ proxyProtocol: sends }, report) => {
    if (sends === 'v1' || (sends as { version?: unknown } | undefined)?.version === 'v1')
      report({ code: 'CONFIG_CONFLICT', message: 'version 1 of the PROXY protocol has no datagrams', hint: 'write "v2"' }, [
        'proxyProtocol',
      ])
  }),
)

export function normaliseUdp(
  name: string,
  bind: readonly SocketAddress[],
  config: z.output<typeof udp>,
  accept: AcceptProxyProtocolPlan | undefined,
): UdpListenerPlan {
  return {
    name,
    bind,
    kind: 'udp',
    acceptProxyProtocol: accept,
    pool: config.pool,
    proxyProtocol: normaliseProxyProtocol(config.proxyProtocol),
    idleMs: config.timeouts.idle,
    maxSessions: config.limits.sessions,
    datagrams: config.datagrams === 'all' ? 0 : config.datagrams,
    responses: config.responses === 'any' ? -1 : config.responses,
    onServerDown: config.onServerDown,
  }
}
