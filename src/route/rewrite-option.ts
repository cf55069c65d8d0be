import { z } from 'zod'
import { always, complain, countGroups, exactlyOne, options, regex } from '../schema/index.ts'
import { NormalPath } from './normal-path.ts'
import type { RewritePlan } from './plan.ts'

const prefix = z.string().check(
  z.superRefine((text, context) => {
    const bytes = Buffer.from(`${text}x`)
    if (text.startsWith('/') && !/[?#*]/.test(text) && new NormalPath().read(bytes, 0, bytes.length)) return
    const hint = text.endsWith('*') ? `a prefix has no "*": "${text.slice(0, -1)}"` : 'for example "/api/"'
    complain(context, { code: 'CONFIG_INVALID_PATTERN', message: `no path begins with ${JSON.stringify(text)}`, hint })
  }),
)

const replacement = z.string().check(
  z.superRefine((text, context) => {
    if (!/[?#\\\x00-\x20\x7f]/.test(text)) return
    complain(context, { code: 'CONFIG_INVALID_VALUE', message: `${JSON.stringify(text)} has a character that cannot stand in a path` })
  }),
)

/** A change to the path. */
export const rewrite = options({
  prefix: prefix
    .optional()
    .describe('Replace this prefix of the path.')
    .meta({ examples: ['/api/'] }),
  regex: regex.optional().describe('Replace what this regular expression finds in the path.'),
  replacement: replacement.describe('By this; $1 to $9 are groups of the regex, $& all of it.'),
}).check(
  exactlyOne('a rewrite', ['prefix', 'regex']),
  always(({ regex: source, replacement: by }, report) => {
    if (typeof source !== 'string' || typeof by !== 'string' || !compiles(source)) return
    const groups = countGroups(source)
    for (const [text, digit] of by.replaceAll('$$', '').matchAll(/\$([1-9])/g)) {
      if (Number(digit) > groups)
        report(
          {
            code: 'CONFIG_UNKNOWN_REFERENCE',
            message: `${text}: the regex has ${groups === 0 ? 'no groups' : `${groups} ${groups === 1 ? 'group' : 'groups'}`}`,
          },
          ['replacement'],
        )
    }
  }),
)

export function normaliseRewrite(config: z.output<typeof rewrite>): RewritePlan {
  if (config.prefix !== undefined) return { kind: 'prefix', prefix: config.prefix, replacement: config.replacement }
  return { kind: 'regex', regex: config.regex as string, replacement: config.replacement }
}

function compiles(source: string): boolean {
  return regex.safeParse(source).success
}
