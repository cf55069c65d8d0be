import { z } from 'zod'
import type { SocketAddress } from '../core/index.ts'
import { address, always, options } from '../schema/index.ts'

export { type HookPlan, hooks, normaliseHooks } from './hooks/option.ts'

/** `admin`: the endpoint with API, metrics and health. */
export interface AdminPlan {
  readonly bind: SocketAddress
  /** Bearer token that the API asks for; always there where `bind` is neither loopback nor a Unix socket. */
  readonly token: string | undefined
}

/** `stateFile`: where changes of servers are kept over a restart. */
export const stateFile = z
  .string()
  .min(1)
  .max(4096)
  .describe('Keeps what the admin API changed of servers over a restart; forgotten without this.')
  .meta({ examples: ['/var/lib/evener/state.json'] })

/** The endpoint, or "none". */
export const admin = z.union([
  z.literal('none'),
  options({
    bind: address.prefault('127.0.0.1:9900').describe('Where to listen.'),
    token: z
      .string()
      .min(16, 'a token has at least 16 characters')
      .max(4096)
      .optional()
      .describe('Bearer token that the API asks for; required off loopback.'),
  }).check(
    always(({ bind, token }, report) => {
      if (token !== undefined || !isAddress(bind) || isLocal(bind)) return
      const hint = 'for example token: "${ADMIN_TOKEN}"'
      report(
        { code: 'CONFIG_TOKEN_REQUIRED', message: 'the admin endpoint can be reached from other machines here and needs a "token"', hint },
        ['bind'],
      )
    }),
  ),
])

export function normaliseAdmin(config: z.output<typeof admin>): AdminPlan | undefined {
  return config === 'none' ? undefined : { bind: config.bind, token: config.token }
}

function isAddress(value: unknown): value is SocketAddress {
  return typeof value === 'object' && value !== null && 'family' in value
}

function isLocal(where: SocketAddress): boolean {
  return where.family === 'unix' || where.host === '::1' || where.host.startsWith('127.')
}
