import { z } from 'zod'
import type { Cidr } from '../../core/index.ts'
import { cidr, duration, oneOrMore, options } from '../../schema/index.ts'

/** `acceptProxyProtocol` of a listener. */
export interface AcceptProxyProtocolPlan {
  readonly from: readonly Cidr[]
  readonly others: 'close' | 'direct'
  readonly timeoutMs: number
}

/** Which peers introduce their clients with a header. */
export const acceptProxyProtocol = options({
  from: oneOrMore(cidr).describe(
    'Peers that begin every connection with a header of the PROXY protocol, v1 or v2. Without one they are refused.',
  ),
  others: z
    .enum(['close', 'direct'])
    .default('close')
    .describe('What becomes of all other peers: their connections are closed, or taken as they are, without a header.'),
  timeout: duration.prefault('5s').describe('For the whole header.'),
})

export function normaliseAcceptProxyProtocol(
  config: z.output<typeof acceptProxyProtocol> | undefined,
): AcceptProxyProtocolPlan | undefined {
  return config && { from: config.from, others: config.others, timeoutMs: config.timeout }
}
