import { isIP } from 'node:net'
import { z } from 'zod'
import { always } from '../../../schema/index.ts'
import type { CheckTlsPlan, TlsMode } from '../plan.ts'

/** Options of every check that speaks TLS. */
export const tlsShape = {
  serverName: z
    .string()
    .regex(/^[A-Za-z0-9_.-]{1,253}$/, 'a server name is a host name, as "app.example"')
    .optional()
    .describe('Name to ask for (SNI) and to verify.')
    .meta({ examples: ['app.example'] }),
  verify: z.boolean().default(false).describe('Whether a certificate that is not valid for `serverName` is a failure.'),
  ca: z.string().min(1).optional().describe("File with the certificates to trust (PEM); the system's without this."),
}

/** For protocols that have a port for TLS. */
export const directShape = {
  tls: z.enum(['none', 'direct']).default('none').describe('Whether TLS is spoken.'),
  ...tlsShape,
}

/** For protocols that can go over to TLS besides. */
export const upgradeShape = {
  tls: z
    .enum(['none', 'direct', 'upgrade'])
    .default('none')
    .describe('TLS from the first byte, or asked for in the clear (STARTTLS) and demanded.'),
  ...tlsShape,
}

/** Nothing can be verified without TLS, nor without a name. */
export const tlsRules = always((value, report) => {
  for (const option of value.tls === 'none' ? ['serverName', 'verify', 'ca'] : []) {
    if (value[option] === undefined || value[option] === false) continue
    report({ code: 'CONFIG_MISSING', message: `"${option}" needs "tls": there is none` }, [option])
    return
  }
  if (value.verify !== true || value.serverName !== undefined || hostName(value.host) !== undefined) return
  report({ code: 'CONFIG_MISSING', message: '"verify" needs "serverName": the name that the certificate must have' }, ['verify'])
})

export function tlsPlan(config: { serverName?: string; verify: boolean; ca?: string; host?: string }): CheckTlsPlan {
  return { serverName: config.serverName ?? hostName(config.host), verify: config.verify, ca: config.ca }
}

/** The name in a value of Host, undefined where it is none. */
function hostName(host: unknown): string | undefined {
  if (typeof host !== 'string') return undefined
  const name = host.replace(/:\d+$/, '')
  return isIP(name.replace(/^\[|\]$/g, '')) === 0 && name !== '' ? name : undefined
}

/** What the mode and the options of TLS are in a plan. */
export function modePlan(config: { tls: TlsMode; serverName?: string; verify: boolean; ca?: string; host?: string }) {
  return { mode: config.tls, tls: config.tls === 'none' ? undefined : tlsPlan(config) }
}
