import { isIP } from 'node:net'
import { z } from 'zod'
import { complain } from '../schema/index.ts'
import type { PortRange } from './plan.ts'

/** An IPv4 or IPv6 address without a port. */
export const ipAddress = z
  .string()
  .check(
    z.superRefine((text, context) => {
      if (isIP(text) !== 0) return
      complain(context, { code: 'CONFIG_INVALID_ADDRESS', message: `${JSON.stringify(text)} is not an IP address`, hint: 'without a port' })
    }),
  )
  .meta({ title: 'IP address', examples: ['10.0.0.2', 'fd00::2'] })

/** 80, or "8000-8009". */
export const portRange = z
  .union([z.int(), z.string()])
  .transform((written, context): PortRange => {
    const [, first, last] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(String(written)) ?? []
    const range = { firstPort: Number(first), lastPort: Number(last ?? first) }
    if (first === undefined || range.firstPort < 1 || range.lastPort > 65535 || range.firstPort > range.lastPort) {
      const message = `${JSON.stringify(written)} is no port and no range of ports`
      return complain(context, { code: 'CONFIG_INVALID_VALUE', message, hint: '1 to 65535: 80, "8000-8009"' })
    }
    return range
  })
  .meta({ title: 'port or range', examples: [80, '8000-8009'] })

/** The sizes that the hash tables of IPVS can have, and every other prime in between. */
export const prime = z
  .int()
  .min(251)
  .max(131_071)
  .check(
    z.superRefine((value, context) => {
      if (isPrime(value)) return
      complain(context, {
        code: 'CONFIG_INVALID_VALUE',
        message: `${value} is not a prime`,
        hint: '251, 1021, 4093, 16381, 65537 or 131071',
      })
    }),
  )
  .meta({ title: 'prime' })

function isPrime(value: number): boolean {
  for (let divisor = 2; divisor * divisor <= value; divisor++) if (value % divisor === 0) return false
  return value > 1
}
