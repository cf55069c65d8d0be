import { z } from 'zod'
import { checkRegex, complain, isSlowRegex } from '../../../schema/index.ts'
import type { PayloadPlan, TextPatternPlan } from '../plan.ts'

const MAX_LENGTH = 4096

/** "ready" anywhere in the answer, or "~ ^[0-9]+ ready". What takes polynomial time is refused: a check must never hold up the others. */
export const textPattern = z
  .string()
  .min(1)
  .max(MAX_LENGTH)
  .transform((text, context): TextPatternPlan => {
    if (!text.startsWith('~')) return { kind: 'text', value: text }
    const value = text.slice(1).trim()
    checkRegex(value, context)
    if (isSlowRegex(value)) {
      complain(context, {
        code: 'CONFIG_BACKTRACKING',
        message: 'the regular expression can take time that grows with the square of the answer, or worse',
        hint: 'two repetitions in a row should not match the same text',
      })
    }
    return { kind: 'regex', value }
  })
  .meta({ title: 'text or "~ regex"', examples: ['ready', '~ ^[0-9]+ ready'] }) as unknown as z.ZodType<TextPatternPlan, string>

/** Text, sent as UTF-8, or "hex:" and the bytes in hexadecimal. */
export const payload = z
  .string()
  .min(1)
  .max(MAX_LENGTH)
  .transform((text, context): PayloadPlan => {
    if (!text.startsWith('hex:')) return { encoding: 'utf8', value: text }
    const value = text.slice('hex:'.length).replace(/\s+/g, '')
    if (/^([0-9a-f]{2})+$/i.test(value)) return { encoding: 'hex', value: value.toLowerCase() }
    return complain(context, {
      code: 'CONFIG_INVALID_VALUE',
      message: `${JSON.stringify(text)} is not hexadecimal`,
      hint: 'two digits for each byte: "hex:00 ff"',
    })
  })
  .meta({ title: 'text or "hex:00ff"', examples: ['PING\r\n', 'hex:00ff'] }) as unknown as z.ZodType<PayloadPlan, string>
