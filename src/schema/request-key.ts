import { z } from 'zod'
import { complain } from './complain.ts'

const REQUEST_KEY_KINDS = ['source', 'destination', 'uri', 'header', 'cookie', 'query', 'sni'] as const
export type RequestKeyKind = (typeof REQUEST_KEY_KINDS)[number]

const NAMED: ReadonlySet<string> = new Set(['header', 'cookie', 'query'])

/** A part of a request. */
export const requestKey = z
  .string()
  .check(
    z.superRefine((text, context) => {
      if (parseRequestKey(text) !== undefined) return
      const hint = 'source, destination, sni, uri, header:NAME, cookie:NAME or query:NAME'
      complain(context, { code: 'CONFIG_UNKNOWN_VALUE', message: `unknown key ${JSON.stringify(text)}`, hint })
    }),
  )
  .meta({ title: 'key', examples: ['header:X-User'] })

/**
 * Reads "source", "destination", "uri", "sni", "header:x-user", "cookie:sid" or "query:id". undefined where it is none
 * of these.
 */
export function parseRequestKey(text: string): { kind: RequestKeyKind; name: string } | undefined {
  const colon = text.indexOf(':')
  const kind = (colon === -1 ? text : text.slice(0, colon)) as RequestKeyKind
  const name = colon === -1 ? '' : text.slice(colon + 1)
  const isNamed = colon !== -1
  if (!REQUEST_KEY_KINDS.includes(kind) || NAMED.has(kind) !== isNamed || (isNamed && name === '')) return undefined
  return { kind, name: kind === 'header' ? name.toLowerCase() : name }
}
