import { z } from 'zod'
import { always, duration, options } from '../../../schema/index.ts'
import { credentialRules, credentialShape } from './credentials.ts'
import { textPattern } from './text-pattern.ts'
import { directShape, type InheritedTls, modePlan, tlsRules, tlsShape } from './tls.ts'

const role = z
  .enum(['any', 'primary', 'replica'])
  .default('any')
  .describe('What the server must be at the time, so that writes find the primary wherever it moves.')

export const redisOptions = options({
  user: credentialShape.user,
  password: credentialShape.password,
  role,
  ...directShape,
}).check(tlsRules)

export const memcachedOptions = options(directShape).check(tlsRules)

/** mysql and postgresql. */
export const sqlOptions = options({
  ...credentialShape,
  database: z.string().min(1).max(64).optional().describe('Database to connect to.'),
  role,
  maxLag: duration
    .optional()
    .describe('How far behind the primary a replica may be. Where replication does not run, that grows from when it last did.'),
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
    always(({ role, maxLag, query, expect, user }, report) => {
      if (expect !== undefined && query === undefined) report({ code: 'CONFIG_MISSING', message: '"expect" needs "query"' }, ['expect'])
      if (query !== undefined && user === undefined) report({ code: 'CONFIG_MISSING', message: '"query" needs "user"' }, ['query'])
      if (role !== undefined && role !== 'any' && user === undefined)
        report({ code: 'CONFIG_MISSING', message: '"role" needs "user"' }, ['role'])
      if (maxLag !== undefined && user === undefined) report({ code: 'CONFIG_MISSING', message: '"maxLag" needs "user"' }, ['maxLag'])
      if (maxLag !== undefined && role === 'primary')
        report({ code: 'CONFIG_CONFLICT', message: 'a primary is never behind: "maxLag" is for replicas' }, ['maxLag'])
    }),
  )

export function sqlPlan(given: z.output<typeof sqlOptions>, pool: InheritedTls) {
  const { user, password, database, role, maxLag, query, expect, ...tls } = given
  return { user, password, database, role, maxLagMs: maxLag, query, expect, ...modePlan(tls, pool) }
}
