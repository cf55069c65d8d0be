import { z } from 'zod'
import { complain } from './complain.ts'

const NAME = /^[A-Za-z0-9_][A-Za-z0-9_.:[\]-]{0,63}$/

/** A name of a listener, pool or server, as it stands in metrics, URLs and logs. */
export const name = z
  .string()
  .check(
    z.superRefine((text, context) => {
      if (NAME.test(text)) return
      const message = text.length > 64 ? 'a name has at most 64 characters' : `${JSON.stringify(text)} is not a name`
      complain(context, { code: 'CONFIG_INVALID_NAME', message, hint: 'letters, digits and _ - . : with a letter, digit or _ first' })
    }),
  )
  .meta({ title: 'name' })
