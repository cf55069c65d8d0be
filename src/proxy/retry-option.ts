import { z } from 'zod'
import { complain, duration, options, sizeBetween, suggest } from '../schema/index.ts'
import type { RetryPlan } from './plan.ts'

const CONDITIONS = ['connect-failure', 'reset', 'timeout'] as const

const condition = z
  .union([z.int(), z.string()])
  .transform((value, context) => {
    const text = String(value)
    if ((CONDITIONS as readonly string[]).includes(text) || /^[45]\d\d$/.test(text)) return text
    if (/^\d+$/.test(text))
      return complain(context, { code: 'CONFIG_OUT_OF_RANGE', message: `${text} is no status of an error`, hint: '400 to 599' })
    const hint = suggest(text, [...CONDITIONS])
    return complain(context, {
      code: 'CONFIG_UNKNOWN_VALUE',
      message: `unknown condition ${JSON.stringify(text)}`,
      hint: hint ?? '"connect-failure", "reset", "timeout" or a status like "503"',
    })
  })
  .meta({ title: 'condition', examples: ['connect-failure', 'reset', 'timeout', '503'] })

/** When a route's requests are tried again. */
export const retry = options({
  attempts: z.int().min(1).max(16).default(3).describe('Attempts in all, the first included; 1 never tries again.'),
  on: z
    .array(condition)
    .default(['connect-failure'])
    .describe(
      'What to try again besides what is always safe: "connect-failure", and for idempotent methods only "reset" (the connection ended before the response did begin), "timeout" (of the response) and statuses.',
    ),
  backOff: duration
    .optional()
    .describe(
      'Wait so long before the first retry, twice as long before the next, and so on, less up to half of it by chance; not at all without this.',
    ),
  maxBackOff: duration.prefault('1s').describe('The longest wait.'),
  buffer: sizeBetween(0, 1024 * 1024)
    .prefault('64KiB')
    .describe(
      "So much of a request's body is kept to be sent again, up to 1MiB; a request with a longer one is not tried again once it was sent.",
    ),
})

export function normaliseRetry({ attempts, on, backOff, maxBackOff, buffer }: z.output<typeof retry>): RetryPlan {
  const statuses = on.filter((each) => /^\d/.test(each)).map(Number)
  return {
    attempts,
    onConnectFailure: true,
    onReset: on.includes('reset'),
    onTimeout: on.includes('timeout'),
    onStatus: [...new Set(statuses)].sort((a, b) => a - b),
    backOffMs: backOff ?? 0,
    maxBackOffMs: Math.max(backOff ?? 0, maxBackOff),
    bufferBytes: buffer,
  }
}
