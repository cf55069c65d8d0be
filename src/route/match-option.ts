import { isIP } from 'node:net'
import { domainToASCII } from 'node:url'
import { z } from 'zod'
import { type Context, checkRegex, complain, fieldValue, options, regex } from '../schema/index.ts'
import { NormalPath } from './normal-path.ts'
import type { FieldMatchPlan, HostMatchPlan, PathMatchPlan } from './plan.ts'
import { TLS_FACTS, type TlsFact } from './tls-facts.ts'

const LABELS = /^[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*$/

/** "shop.test", "*.shop.test", "192.0.2.1" or "[::1]"; names beyond ASCII become punycode. */
export const hostPattern = z
  .string()
  .transform(readHost)
  .meta({ title: 'host', examples: ['shop.test', '*.shop.test'] })

/** "/about", "/img/*" or "~ ^/item/[0-9]+$". */
export const pathPattern = z
  .string()
  .transform(readPath)
  .meta({ title: 'path', examples: ['/about', '/img/*', '~ ^/item/[0-9]+$'] })

const fieldMatch = z
  .union([
    fieldValue,
    options({ present: z.boolean().describe('true: it is there; false: it is not.') }),
    options({ regex: regex.describe('The value matches, anywhere unless anchored.') }),
  ])
  .describe('The exact value, { present: true }, { present: false } or { regex: "…" }.')

/** Conditions by name, parsed to a list. */
export function fieldMatches(fieldName: z.ZodType<string, string>) {
  return z
    .record(fieldName as z.ZodString, fieldMatch)
    .transform((fields): FieldMatchPlan[] => Object.entries(fields).map(([name, wanted]) => fieldMatchPlan(name, wanted)))
}

function fieldMatchPlan(name: string, wanted: z.output<typeof fieldMatch>): FieldMatchPlan {
  if (typeof wanted === 'string') return { name, kind: 'exact', value: wanted }
  if ('regex' in wanted) return { name, kind: 'regex', value: wanted.regex }
  return { name, kind: wanted.present ? 'present' : 'absent', value: '' }
}

const MEANINGS: Readonly<Record<TlsFact, string>> = {
  version: 'Version: "TLSv1.2" or "TLSv1.3".',
  cipher: "Cipher, by OpenSSL's name.",
  serverName: 'Name that the client asked for (SNI).',
  ja3: "JA3 fingerprint of the client's hello.",
  ja4: "JA4 fingerprint of the client's hello.",
  peerSubject: "Subject of the client's certificate (RFC 2253).",
}

/** Conditions on what TLS says, parsed to a list. */
export const tlsMatches = options(
  Object.fromEntries(TLS_FACTS.map((fact) => [fact, fieldMatch.optional().describe(MEANINGS[fact])])) as Record<
    TlsFact,
    z.ZodOptional<typeof fieldMatch>
  >,
).transform((facts): FieldMatchPlan[] =>
  Object.entries(facts).flatMap(([name, wanted]) => (wanted === undefined ? [] : fieldMatchPlan(name, wanted))),
)

function readHost(text: string, context: Context): HostMatchPlan {
  const isWildcard = text.startsWith('*.')
  const written = isWildcard ? text.slice(2) : text
  const host = normalHost(written)
  if (host !== undefined && (!isWildcard || isIP(host) === 0)) return { kind: isWildcard ? 'wildcard' : 'exact', host }
  return complain(context, {
    code: 'CONFIG_INVALID_PATTERN',
    message: `no request can have the host ${JSON.stringify(text)}`,
    hint: hostHint(text),
  })
}

/** In lower case and without the final dot, as requests are compared; undefined where it is none. */
function normalHost(text: string): string | undefined {
  if (text.startsWith('[')) return text.endsWith(']') && isIP(text.slice(1, -1)) === 6 ? text.toLowerCase() : undefined
  const plain = text.toLowerCase().replace(/\.$/, '')
  const ascii = /[^\0-\x7f]/.test(plain) ? domainToASCII(plain) : plain
  return ascii.length <= 253 && LABELS.test(ascii) ? ascii : undefined
}

function hostHint(text: string): string {
  const host = /^(?:https?:\/\/)?([^/:]+)(?::\d+)?(?:\/.*)?$/.exec(text)?.[1]
  if (host !== undefined && host !== text && normalHost(host.replace(/^\*\./, '')) !== undefined) return `the name alone: "${host}"`
  if (isIP(text) === 6) return `with brackets: "[${text}]"`
  if (text === '*') return 'leave "host" out to match every host'
  return 'a name like "shop.test", or "*.shop.test" for every name below it'
}

function readPath(text: string, context: Context): PathMatchPlan {
  if (text.startsWith('~')) {
    const value = text.slice(1).trim()
    checkRegex(value, context)
    return { kind: 'regex', value }
  }
  const isPrefix = text.endsWith('*')
  const value = isPrefix ? text.slice(0, -1) : text
  const hint = pathHint(text, value)
  if (hint !== undefined)
    return complain(context, { code: 'CONFIG_INVALID_PATTERN', message: `no request can have the path ${JSON.stringify(text)}`, hint })
  return { kind: isPrefix ? 'prefix' : 'exact', value }
}

/** What to write instead of a path that no request can have; undefined where there is nothing to object to. */
function pathHint(text: string, value: string): string | undefined {
  if (text === '*') return undefined
  if (!text.startsWith('/')) return text.startsWith('^') ? `a regular expression is written "~ ${text}"` : `did you mean "/${text}"?`
  if (value.includes('?')) return 'the query is no part of the path; match it with "query"'
  if (value.includes('#')) return 'clients do not send what follows "#"'
  if (value.includes('*')) return 'a "*" stands at the end only; "~ regex" can do more'
  // What a prefix ends with may go on: "/." is the beginning of "/.well-known".
  const bytes = Buffer.from(value === text ? value : `${value}x`)
  return new NormalPath().read(bytes, 0, bytes.length)
    ? undefined
    : 'without dot segments, "\\", control characters and incomplete percent-encoding'
}
