import { z } from 'zod'
import {
  always,
  checkCookie,
  cookieShape,
  duration,
  exactlyOne,
  fieldName,
  normaliseCookie,
  options,
  requestKey,
} from '../../schema/index.ts'
import type { PersistenceDefinition } from '../definition.ts'

const MODES = ['insert', 'prefix', 'rewrite', 'passive'] as const

const cookie = options({
  name: fieldName.default('EVSRV').describe('Name of the cookie.'),
  mode: z
    .enum(MODES)
    .default('insert')
    .describe(
      'insert: Evener sets the cookie, and the server does not see it. prefix: the server sets it, and Evener puts its value in front. rewrite: the server sets it, and Evener puts its value in its place. passive: the server writes its own name into it. The attributes below are those of an inserted cookie.',
    ),
  ...cookieShape,
}).check(always(checkCookie))

const table = options({
  key: requestKey
    .default('source')
    .describe('What the table remembers: source, destination, sni, uri, header:NAME, cookie:NAME or query:NAME.'),
  prefixLength4: z.int().min(1).max(32).default(32).describe('Bits of an IPv4 address that count.'),
  prefixLength6: z.int().min(1).max(128).default(64).describe('Bits of an IPv6 address that count.'),
  depth: z.int().min(0).max(64).default(0).describe('Path segments that count; 0 for all.'),
  withQuery: z.boolean().default(false).describe('Whether the query counts too.'),
  expires: duration.prefault('30m').describe('A session ends so long after its last request; at least a second.'),
  size: z
    .int()
    .min(1)
    .max(16_777_216)
    .default(100_000)
    .describe('Sessions that there is room for; above it those go that would expire first.'),
})

/** `persistence` of a pool. */
export const persistence = options({
  cookie: cookie.optional().describe('A cookie tells which server a client belongs to.'),
  table: table.optional().describe('A table that all workers share remembers which server a key belongs to.'),
}).check(exactlyOne('persistence', ['cookie', 'table']))

export function normalisePersistence(config: z.output<typeof persistence> | undefined): PersistenceDefinition | undefined {
  if (config?.cookie !== undefined) return { kind: 'cookie', ...normaliseCookie(config.cookie), mode: config.cookie.mode }
  if (config?.table === undefined) return undefined
  const { expires, size, ...keyed } = config.table
  return { kind: 'table', key: keyed, ttlSeconds: Math.max(1, Math.round(expires / 1000)), size }
}
