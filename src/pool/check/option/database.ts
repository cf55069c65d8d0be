import { z } from 'zod'
import { options } from '../../../schema/index.ts'
import { credentialShape } from './credentials.ts'
import { directShape, tlsRules } from './tls.ts'

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
