import { z } from 'zod'
import type { TlsPoolPlan } from '../pool/index.ts'
import { options } from '../schema/index.ts'
import { normaliseCiphers, tlsShape, versionsInOrder } from './tls-option.ts'

const file = z.string().min(1).max(4096)
const host = z.string().regex(/^[A-Za-z0-9.:-]{1,253}$/, 'a host name or an IP address')

/** `tls` of a pool. */
export const tlsPool = options({
  verify: z.boolean().default(true).describe('Whether certificates of servers must be good. Without this anybody can pose as a server.'),
  ca: file.optional().describe("PEM file with the authorities that may have signed them; without it those of Mozilla's list."),
  name: host.optional().describe("Name that certificates must be for; the server's address without this."),
  serverName: host.optional().describe('Name that servers are asked for (SNI); `name` without this.'),
  certificate: options({ cert: file.describe('PEM file with the certificate.'), key: file.describe('PEM file with its key.') })
    .optional()
    .describe('What servers are shown that ask for a client certificate.'),
  alpn: z
    .array(z.string().regex(/^[!-~]{1,64}$/, 'a protocol has no spaces'))
    .default([])
    .describe('Protocols to offer by ALPN.'),
  ...tlsShape,
}).check(versionsInOrder)

export function normaliseTlsPool(config: z.output<typeof tlsPool> | undefined): TlsPoolPlan | undefined {
  if (config === undefined) return undefined
  const { verify, ca, name, serverName, certificate, alpn, minVersion, maxVersion } = config
  const isAddress = name === undefined || /^[\d.]+$|:/.test(name)
  return {
    verify,
    ca,
    name,
    serverName: serverName ?? (isAddress ? '' : name),
    certificate,
    protocols: alpn,
    minVersion,
    maxVersion,
    ...normaliseCiphers(config),
  }
}
