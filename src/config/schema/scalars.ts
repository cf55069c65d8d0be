import { z } from 'zod'
import { parseAddress, parseCidr } from '../../core/index.ts'

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }
const SIZES: Readonly<Record<string, number>> = { '': 1, B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 }
/** RFC 9110 §5.6.2. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
/** A nested repetition like (a+)+ backtracks exponentially over text that an attacker writes. */
const NESTED_REPETITION = /\((?:[^()\\]|\\.)*[+*](?:[^()\\]|\\.)*\)(?:[+*]|\{\d+,)/
const MAX_TIMER_MS = 2 ** 31 - 1

/** "500ms", "2s", "5m", "1h" → milliseconds. */
export const duration = z
  .string()
  .regex(/^\d+(\.\d+)?(ms|s|m|h|d)$/, 'expected a duration like "500ms", "2s" or "5m"')
  .transform((text, context) => {
    const [, amount, unit] = /^([\d.]+)(\D+)$/.exec(text) as unknown as [string, string, string]
    const ms = Math.round(Number(amount) * UNITS[unit])
    if (ms < 1 || ms > MAX_TIMER_MS)
      context.addIssue({ code: 'custom', message: `a duration is at least 1ms and at most 24d, not ${text}` })
    return ms
  })
  .meta({ title: 'duration' })

/** A duration, or "none" → 0. */
export const durationOrNone = z.union([z.literal('none').transform(() => 0), duration]).meta({ title: 'duration or none' })

/** "64KiB", "1MiB", 512 → bytes. */
export const size = z
  .union([z.int().min(0), z.string().regex(/^\d+(B|KiB|MiB|GiB)?$/, 'expected a size like "64KiB" or "1MiB"')])
  .transform((value) => {
    if (typeof value === 'number') return value
    const [, amount, unit] = /^(\d+)(\D*)$/.exec(value) as unknown as [string, string, string]
    return Number(amount) * SIZES[unit]
  })
  .meta({ title: 'size' })

export const sizeOrNone = z.union([z.literal('none').transform(() => Number.MAX_SAFE_INTEGER), size]).meta({ title: 'size or none' })

function parsed<T>(parse: (text: string) => T) {
  return (text: string, context: z.RefinementCtx): T => {
    try {
      return parse(text)
    } catch (error) {
      context.addIssue({ code: 'custom', message: (error as Error).message })
      return z.NEVER
    }
  }
}

/** "127.0.0.1:80", "[::1]:80", ":80", "unix:/run/app.sock". */
export const address = z.string().transform(parsed(parseAddress)).meta({ title: 'address' })
export const cidr = z.string().transform(parsed(parseCidr)).meta({ title: 'CIDR' })

export const fieldName = z.string().regex(TOKEN, 'expected a field name: letters, digits and -, no spaces or colon')
export const fieldValue = z.string().regex(/^[^\x00-\x08\x0a-\x1f\x7f]*$/, 'a field value has no line break or control character')

/** A JavaScript regular expression that compiles and has no nested repetition. */
export const regex = z.string().superRefine((text, context) => {
  const problem = regexProblem(text)
  if (problem !== undefined) context.addIssue({ code: 'custom', message: problem })
})

export function regexProblem(text: string): string | undefined {
  try {
    new RegExp(text)
  } catch (error) {
    return (error as Error).message
  }
  if (NESTED_REPETITION.test(text))
    return `the regular expression ${text} repeats a repetition and can take exponential time; write it without nesting`
  return undefined
}

/** A list, for which a single item may stand alone. */
export function oneOrMore<T extends z.ZodType>(item: T) {
  return z.union([item.transform((one) => [one]), z.array(item).min(1)])
}

/** Names of listeners, pools and servers: they stand in metrics, URLs and log lines. */
export const name = z.string().regex(/^[A-Za-z0-9_.:[\]-]{1,64}$/, 'expected a name of 1 to 64 letters, digits and _ . : -')
