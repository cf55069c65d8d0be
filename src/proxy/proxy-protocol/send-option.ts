import { z } from 'zod'
import type { ProxyProtocolPlan } from '../../pool/index.ts'
import { options } from '../../schema/index.ts'

const version = z.enum(['v1', 'v2'])
const TLVS = ['authority', 'alpn', 'unique-id', 'ssl', 'checksum'] as const

/** The header that a server is sent at the beginning of each connection: a version, or a map of the version and TLVs. */
export const proxyProtocol = z.union([
  version,
  options({
    version: version.default('v2').describe('v1 is a line of text, v2 is binary.'),
    tlvs: z
      .array(z.enum(TLVS))
      .default([])
      .describe(
        'What v2 says besides the addresses, where it is known: name (SNI) and ALPN of TLS, a unique id, version, cipher and client certificate of TLS, a CRC-32C.',
      ),
  }),
])

export function normaliseProxyProtocol(config: z.output<typeof proxyProtocol> | undefined): ProxyProtocolPlan | undefined {
  if (config === undefined) return undefined
  if (typeof config === 'string') return { version: config === 'v1' ? 1 : 2, tlvs: [] }
  return { version: config.version === 'v1' ? 1 : 2, tlvs: config.version === 'v1' ? [] : config.tlvs }
}
