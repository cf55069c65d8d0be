import { z } from 'zod'
import { duration } from './duration.ts'
import { fieldName } from './field.ts'
import { always, oneOrMore, options, type Report } from './option.ts'

const FORMATS = ['plain', 'signed', 'encrypted'] as const
/** What may stand in an attribute of a cookie, RFC 6265 §4.1.1: no control characters and no semicolon. */
const attribute = z.string().regex(/^[!-:<-~]*$/, 'an attribute of a cookie has no spaces and no ";"')

/** What any cookie has that Evener sets. */
export const cookieShape = {
  format: z
    .enum(FORMATS)
    .optional()
    .describe(
      'plain: a digest of the name. signed: one that cannot be guessed or forged. encrypted: another value for each client. signed where there is a secret, else plain.',
    ),
  secret: oneOrMore(z.string().min(16, 'a secret has at least 16 characters').max(4096))
    .default([])
    .describe('For signed and encrypted values. Of several the first writes and all read, so that it can be changed.'),
  domain: attribute.default('').describe('Domain of the cookie.'),
  path: attribute.default('/').describe('Path of the cookie.'),
  maxAge: duration.optional().describe("Max-Age of the cookie; it ends with the browser's session without this."),
  secure: z.boolean().default(false).describe('The cookie is sent over TLS only.'),
  httpOnly: z.boolean().default(true).describe('The cookie is hidden from scripts.'),
  sameSite: z.enum(['strict', 'lax', 'none']).optional().describe('SameSite of the cookie; "none" is always secure.'),
}

/** A cookie that keeps a client with something else than a server. */
export function stickyCookie(defaultName: string) {
  return options({ name: fieldName.default(defaultName).describe('Name of the cookie.'), ...cookieShape }).check(always(checkCookie))
}

/** To be given to always(). */
export function checkCookie({ mode, format, secret }: Record<string, unknown>, report: Report): void {
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

type CookieConfig = z.output<ReturnType<typeof stickyCookie>>

/** Seconds, and every default. */
export function normaliseCookie(config: CookieConfig) {
  const { secret, format, maxAge, sameSite, ...rest } = config
  return {
    ...rest,
    format: format ?? (secret.length > 0 ? ('signed' as const) : ('plain' as const)),
    secrets: secret,
    sameSite: sameSite ?? ('' as const),
    maxAge: maxAge === undefined ? 0 : Math.max(1, Math.round(maxAge / 1000)),
  }
}
