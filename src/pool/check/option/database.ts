import { z } from 'zod'
import { always, options } from '../../../schema/index.ts'
import { credentialRules, credentialShape } from './credentials.ts'
import { textPattern } from './text-pattern.ts'
import { directShape, type InheritedTls, modePlan, tlsRules, tlsShape } from './tls.ts'

export const redisOptions = options({
  user: credentialShape.user,
  password: credentialShape.password,
  role: z
    .enum(['any', 'primary', 'replica'])
    .default('any')
    .describe('What the server must be at the time, so that writes find the primary wherever it moves.'),
  ...directShape,
}).check(tlsRules)

export const memcachedOptions = options(directShape).check(tlsRules)

/** mysql and postgresql. */
export const sqlOptions = options({
  ...credentialShape,
  database: z.string().min(1).max(64).optional().describe('Database to connect to.'),
  query: z
    .string()
    .min(1)
    .max(4096)
    .optional()
    .describe('A statement that must be answered without an error.')
    .meta({ examples: ['SELECT NOT pg_is_in_recovery()'] }),
  expect: textPattern.optional().describe('What must be in the first column of the first row.'),
  tls: z.enum(['none', 'upgrade']).default('none').describe('Whether TLS is asked for, and demanded.'),
  ...tlsShape,
})
  .check(tlsRules)
  .check(credentialRules)
  .check(
    always(({ query, expect, user }, report) => {
      if (expect !== undefined && query === undefined) report({ code: 'CONFIG_MISSING', message: '"expect" needs "query"' }, ['expect'])
      if (query !== undefined && user === undefined) report({ code: 'CONFIG_MISSING', message: '"query" needs "user"' }, ['query'])
    }),
  )

export function sqlPlan({ user, password, database, query, expect, ...tls }: z.output<typeof sqlOptions>, pool: InheritedTls) {
  return { user, password, database, query, expect, ...modePlan(tls, pool) }
}
