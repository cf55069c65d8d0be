import { z } from 'zod'
import { checkTemplate, complain, oneOrMore, options } from '../../../schema/index.ts'

const argument = z
  .string()
  .max(4096)
  .check(
    z.superRefine((text, context) => {
      if (text.includes('\0')) complain(context, { code: 'CONFIG_INVALID_VALUE', message: 'an argument has no zero bytes' })
      for (const complaint of checkTemplate(text, ['address', 'port'])) complain(context, complaint)
    }),
  )

const command = z
  .array(argument)
  .min(1, 'a command has at least the program')
  .max(256)
  .check(
    z.superRefine((words, context) => {
      if (words[0]?.startsWith('/')) return
      const hint = words[0]?.includes(' ')
        ? 'the program, and each argument for itself: ["/bin/program", "argument"]'
        : 'there is no search path'
      complain(context, { code: 'CONFIG_INVALID_VALUE', message: 'a command begins with the absolute path of a program', hint }, [0])
    }),
  )

export const execOptions = options({
  command: command
    .describe("Program and arguments, without a shell; {address} and {port} stand for the server's.")
    .meta({ examples: [['/usr/local/bin/check-app', '--host', '{address}']] }),
  environment: z
    .record(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'a name of letters, digits and "_"'), z.string().max(4096))
    .default({})
    .describe('Variables besides PATH and EVENER_SERVER_ADDRESS, EVENER_SERVER_PORT, EVENER_CHECK_TIMEOUT. Nothing else is passed on.'),
  exitStatus: oneOrMore(z.int().min(0).max(255)).prefault(0).describe('Exit statuses that count as success.'),
})
