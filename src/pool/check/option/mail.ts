import { z } from 'zod'
import { options } from '../../../schema/index.ts'
import { credentialRules, credentialShape } from './credentials.ts'
import { tlsRules, upgradeShape } from './tls.ts'

export const smtpOptions = options({
  hello: z
    .string()
    .regex(/^[A-Za-z0-9.:[\]-]{1,255}$/, 'a host name or an address in brackets, as "lb.example"')
    .default('evener')
    .describe('How Evener calls itself in EHLO.'),
  ...upgradeShape,
}).check(tlsRules)

/** imap and pop3. */
export const mailboxOptions = options({ ...credentialShape, ...upgradeShape })
  .check(tlsRules)
  .check(credentialRules)
