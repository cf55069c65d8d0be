import { z } from 'zod'
import { always, duration, exactlyOne, fieldName, oneOrMore, options, type Report } from '../../schema/index.ts'
import { key } from '../algorithm/option.ts'
import type { PersistenceDefinition } from '../definition.ts'

const MODES = ['insert', 'prefix', 'rewrite', 'passive'] as const
const FORMATS = ['plain', 'signed', 'encrypted'] as const
/** What may stand in an attribute of a cookie, RFC 6265 §4.1.1: no control characters and no semicolon. */
const attribute = z.string().regex(/^[!-:<-~]*$/, 'an attribute of a cookie has no spaces and no ";"')

const cookie = options({
  name: fieldName.default('EVSRV').describe('Name of the cookie.'),
  mode: z
    .enum(MODES)
    .default('insert')
    .describe(
      'insert: Evener sets the cookie, and the server does not see it. prefix: the server sets it, and Evener puts its value in front. rewrite: the server sets it, and Evener puts its value in its place. passive: the server writes its own name into it.',
    ),
  format: z
    .enum(FORMATS)
    .optional()
    .describe(
      'plain: a digest of the server. signed: one that cannot be guessed or forged. encrypted: another value for each client. signed where there is a secret, else plain.',
    ),
  secret: oneOrMore(z.string().min(16, 'a secret has at least 16 characters').max(4096))
    .default([])
    .describe('For signed and encrypted values. Of several the first writes and all read, so that it can be changed.'),
  domain: attribute.default('').describe('Domain of an inserted cookie.'),
  path: attribute.default('/').describe('Path of an inserted cookie.'),
  maxAge: duration.optional().describe("Max-Age of an inserted cookie; it ends with the browser's session without this."),
  secure: z.boolean().default(false).describe('Inserted cookies are sent over TLS only.'),
  httpOnly: z.boolean().default(true).describe('Inserted cookies are hidden from scripts.'),
  sameSite: z.enum(['strict', 'lax', 'none']).optional().describe('SameSite of an inserted cookie; "none" is always secure.'),
}).check(always(checkCookie))

const table = options({
  key: key.default('source').describe('What the table remembers: source, destination, uri, header:NAME, cookie:NAME or query:NAME.'),
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

function checkCookie({ mode, format, secret }: Record<string, unknown>, report: Report): void {
  const hasSecret = Array.isArray(secret) && secret.length > 0
  if (mode === 'passive') {
    const message = 'a passive cookie has the name of its server as value, in clear'
    if (format !== undefined) report({ code: 'CONFIG_CONFLICT', message }, ['format'])
    if (hasSecret) report({ code: 'CONFIG_CONFLICT', message }, ['secret'])
  } else if (typeof format === 'string' && format !== 'plain' && !hasSecret) {
    const hint = 'for example secret: "${COOKIE_SECRET}"'
    report({ code: 'CONFIG_MISSING', message: `values that are ${format} need a "secret"`, hint }, ['format'])
  }
}

export function normalisePersistence(config: z.output<typeof persistence> | undefined): PersistenceDefinition | undefined {
  if (config?.cookie !== undefined) {
    const { secret, format, maxAge, sameSite, ...rest } = config.cookie
    return {
      kind: 'cookie',
      ...rest,
      format: format ?? (secret.length > 0 ? 'signed' : 'plain'),
      secrets: secret,
      sameSite: sameSite ?? '',
      maxAge: maxAge === undefined ? 0 : Math.max(1, Math.round(maxAge / 1000)),
    }
  }
  if (config?.table === undefined) return undefined
  const { expires, size, ...keyed } = config.table
  return { kind: 'table', key: keyed, ttlSeconds: Math.max(1, Math.round(expires / 1000)), size }
}
