import { isIP } from 'node:net'
import { z } from 'zod'
import { always, options } from '../../../schema/index.ts'
import type { TlsPoolPlan } from '../../plan.ts'
import type { CheckTlsPlan, TlsMode } from '../plan.ts'

const file = z.string().min(1).max(4096)

/** Options of every check that speaks TLS. */
export const tlsShape = {
  serverName: z
    .string()
    .regex(/^[A-Za-z0-9_.-]{1,253}$/, 'a server name is a host name, as "app.example"')
    .optional()
    .describe("Name to ask for (SNI) and to verify; the pool's, else none, and the address is verified.")
    .meta({ examples: ['app.example'] }),
  verify: z.boolean().optional().describe("Whether a certificate that is not good is a failure; as in the pool's `tls`, else false."),
  ca: file.optional().describe("PEM file with the authorities to trust; the pool's, else those of Mozilla's list."),
  certificate: options({ cert: file.describe('PEM file with the certificate.'), key: file.describe('PEM file with its key.') })
    .optional()
    .describe("What a server is shown that asks for a client certificate; the pool's without this."),
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

/** Without TLS its options do nothing. */
export const tlsRules = always((value, report) => {
  const idle = value.tls === 'none' ? Object.keys(tlsShape).find((option) => value[option] !== undefined) : undefined
  if (idle !== undefined) report({ code: 'CONFIG_MISSING', message: `"${idle}" needs "tls": there is none` }, [idle])
})

export interface TlsConfig {
  readonly serverName?: string | undefined
  readonly verify?: boolean | undefined
  readonly ca?: string | undefined
  readonly certificate?: CheckTlsPlan['certificate']
  readonly host?: string | undefined
}

/** How the pool's connections speak TLS: what a check does not say itself, it takes from there. */
export type InheritedTls = Pick<TlsPoolPlan, 'verify' | 'ca' | 'name' | 'serverName' | 'certificate'> | undefined

export function tlsPlan(config: TlsConfig, pool: InheritedTls): CheckTlsPlan {
  const own = config.serverName ?? hostName(config.host)
  return {
    serverName: own ?? pool?.serverName ?? '',
    name: own ?? pool?.name,
    verify: config.verify ?? pool?.verify ?? false,
    ca: config.ca ?? pool?.ca,
    certificate: config.certificate ?? pool?.certificate,
  }
}

/** The name in a value of Host, undefined where it is none. */
function hostName(host: unknown): string | undefined {
  if (typeof host !== 'string') return undefined
  const name = host.replace(/:\d+$/, '')
  return isIP(name.replace(/^\[|\]$/g, '')) === 0 && name !== '' ? name : undefined
}

/** What the mode and the options of TLS are in a plan. */
export function modePlan(config: TlsConfig & { readonly tls: TlsMode }, pool: InheritedTls) {
  return { mode: config.tls, tls: config.tls === 'none' ? undefined : tlsPlan(config, pool) }
}
