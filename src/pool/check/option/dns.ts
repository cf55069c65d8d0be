import { z } from 'zod'
import { parseAddress } from '../../../core/index.ts'
import { complain, oneOrMore, options } from '../../../schema/index.ts'
import { RECORD_TYPES, RESPONSE_CODES } from '../dns/message.ts'
import type { DnsProbePlan } from '../plan.ts'

const LABELS = /^([A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*)?\.?$/

const ipAddress = z
  .string()
  .transform((text, context): string => {
    try {
      const parsed = parseAddress(text.includes(':') ? `[${text}]:1` : `${text}:1`)
      if (parsed.family !== 'unix') return parsed.host
    } catch {
      // Told below.
    }
    return complain(context, { code: 'CONFIG_INVALID_ADDRESS', message: `${JSON.stringify(text)} is not an IP address` })
  })
  .meta({ title: 'IP address', examples: ['192.0.2.1'] }) as unknown as z.ZodType<string, string>

export const dnsOptions = options({
  name: z
    .string()
    .max(254)
    .regex(LABELS, 'a host name, as "www.example.", or "." for the root')
    .describe('Name to ask for.')
    .meta({ examples: ['www.example.'] }),
  type: z
    .enum(Object.keys(RECORD_TYPES) as [string, ...string[]])
    .default('A')
    .describe('Type of record to ask for.'),
  transport: z.enum(['udp', 'tcp']).default('udp').describe('How it is asked.'),
  status: oneOrMore(z.enum(Object.keys(RESPONSE_CODES) as [string, ...string[]]))
    .prefault('NOERROR')
    .describe('Response codes that count as success. NOERROR needs an answer besides.'),
  answer: ipAddress.optional().describe('Address that must be among the answers.'),
})

export function dnsProbe(config: z.output<typeof dnsOptions>): DnsProbePlan {
  return {
    kind: 'dns',
    transport: config.transport,
    name: config.name.replace(/\.$/, ''),
    type: RECORD_TYPES[config.type],
    status: config.status.map((name) => RESPONSE_CODES[name]),
    answer: config.answer,
  }
}
