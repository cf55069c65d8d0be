import { z } from 'zod'
import { complain } from './complain.ts'

/** RFC 9110 §5.6.2. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
/** RFC 9110 §5.5: control characters other than a tab are invalid or dangerous. */
const CONTROL = /[\x00-\x08\x0a-\x1f\x7f]/

export function isToken(text: string): boolean {
  return TOKEN.test(text)
}

/** A name of a header field. */
export const fieldName = z
  .string()
  .check(
    z.superRefine((text, context) => {
      if (TOKEN.test(text)) return
      const hint = /^[^:]+:/.test(text) ? 'the name alone, without the colon and what follows' : 'letters, digits and "-", without spaces'
      complain(context, { code: 'CONFIG_INVALID_HEADER', message: `${JSON.stringify(text)} is not a field name`, hint })
    }),
  )
  .meta({ title: 'field name', pattern: TOKEN.source, examples: ['X-Request-Id'] })

/** A value of a header field. */
export const fieldValue = z
  .string()
  .max(8192)
  .check(
    z.superRefine((text, context) => {
      if (!CONTROL.test(text)) return
      const message = /[\r\n]/.test(text) ? 'a field value cannot have a line break' : 'a field value cannot have a control character'
      complain(context, { code: 'CONFIG_INVALID_HEADER', message })
    }),
  )
  .meta({ title: 'field value' })

/** A request method: a token, and by custom in upper case. */
export const method = z
  .string()
  .check(
    z.superRefine((text, context) => {
      const upper = text.toUpperCase()
      if (!TOKEN.test(text))
        complain(context, {
          code: 'CONFIG_INVALID_VALUE',
          message: `${JSON.stringify(text)} is not a request method`,
          hint: 'for example "GET"',
        })
      else if (text !== upper) {
        const message = `methods are compared with their case, so "${text}" matches nothing`
        complain(context, { code: 'CONFIG_INVALID_VALUE', message, hint: `did you mean "${upper}"?` })
      }
    }),
  )
  .meta({ title: 'method', examples: ['GET', 'POST'] })
