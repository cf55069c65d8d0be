import { z } from 'zod'
import { always } from '../../../schema/index.ts'

/** Nothing that could end a line or a C string. */
const credential = z
  .string()
  .max(256)
  .regex(/^[^\x00-\x1f\x7f]*$/, 'no control characters')

export const credentialShape = {
  user: credential.min(1).optional().describe('User to log in as. Give it no rights beyond that.'),
  password: credential.optional().describe('Its password; better "${NAME}" or "${file:path}" than in the clear.'),
}

export const credentialRules = always(({ user, password }, report) => {
  if (password !== undefined && user === undefined) report({ code: 'CONFIG_MISSING', message: '"password" needs "user"' }, ['password'])
})
