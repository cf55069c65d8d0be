import { z } from 'zod'
import { checkTemplate, complain, options, readTemplate, suggest } from '../schema/index.ts'
import { ACCESS_LOG_VARIABLES } from './access-log/record.ts'

export { ACCESS_LOG_VARIABLES } from './access-log/record.ts'

/** `accessLog`: one line for each exchange. */
export interface AccessLogPlan {
  readonly target: { readonly kind: 'file'; readonly path: string } | { readonly kind: 'stdout' } | { readonly kind: 'stderr' }
  readonly format: AccessLogFormat
}

export type AccessLogFormat =
  | { readonly kind: 'json' }
  | { readonly kind: 'combined' }
  | { readonly kind: 'template'; readonly parts: readonly LogTemplatePart[] }

/** Literal text, or a variable of ACCESS_LOG_VARIABLES. */
export type LogTemplatePart = { readonly kind: 'text'; readonly text: string } | { readonly kind: 'variable'; readonly name: string }

const FORMATS = ['json', 'combined'] as const
const VARIABLES = Object.keys(ACCESS_LOG_VARIABLES)

const format = z
  .string()
  .max(4096)
  .check(
    z.superRefine((text, context) => {
      if ((FORMATS as readonly string[]).includes(text)) return
      if (/[\r\n]/.test(text))
        complain(context, { code: 'CONFIG_INVALID_VALUE', message: 'a template has no line break: each exchange is one line' })
      for (const complaint of checkTemplate(text, VARIABLES)) complain(context, complaint)
      if (text.includes('{')) return
      const hint = suggest(text, FORMATS) ?? '"json", "combined", or a template like "{client} {method} {uri} {status}"'
      complain(context, { code: 'CONFIG_UNKNOWN_VALUE', message: `unknown format ${JSON.stringify(text)}`, hint })
    }),
  )
  .meta({ examples: ['json', 'combined', '{client} {method} {uri} {status}'] })

/** A file and what a line in it looks like. */
export const accessLog = options({
  path: z
    .string()
    .min(1)
    .refine((path) => !path.includes('\0'), 'a path has no NUL')
    .describe('A file, relative to the working directory, or "stdout" or "stderr".'),
  format: format.default('json').describe('"json", "combined", or a template with {variables}; they are listed below.'),
})

export function normaliseAccessLog(config: z.output<typeof accessLog>): AccessLogPlan {
  const { path } = config
  const target: AccessLogPlan['target'] = path === 'stdout' || path === 'stderr' ? { kind: path } : { kind: 'file', path }
  if (config.format === 'json' || config.format === 'combined') return { target, format: { kind: config.format } }
  return { target, format: { kind: 'template', parts: readTemplate(config.format) } }
}
