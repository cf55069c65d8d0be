import { z } from 'zod'
import { type Context, complain } from './complain.ts'
import { judgeBacktracking } from './regex/backtracking.ts'

const MAX_LENGTH = 2048

/** A regular expression of JavaScript, without flags, that compiles and cannot take exponential time. */
export const regex = z
  .string()
  .check(z.superRefine((source, context) => checkRegex(source, context)))
  .meta({ title: 'regular expression', examples: ['^/item/[0-9]+$'] })

/** Complains about what `regex` does; polynomial time is reported as a warning. */
export function checkRegex(source: string, context: Context): void {
  if (source.length > MAX_LENGTH) {
    complain(context, { code: 'CONFIG_OUT_OF_RANGE', message: `a regular expression has at most ${MAX_LENGTH} characters` })
    return
  }
  const reason = reasonNotToCompile(source)
  if (reason !== undefined) {
    complain(context, { code: 'CONFIG_INVALID_PATTERN', message: `the regular expression does not compile: ${reason}` })
    return
  }
  if (judgeBacktracking(source) === 'exponential') {
    const message = 'the regular expression can take exponential time over text that a client writes'
    complain(context, { code: 'CONFIG_BACKTRACKING', message, hint: 'no repetition inside a repetition that can match the same text' })
  }
}

/** Whether matching takes polynomial time: worth a warning, not an error. */
export function isSlowRegex(source: string): boolean {
  return reasonNotToCompile(source) === undefined && judgeBacktracking(source) === 'polynomial'
}

/** How many groups a regular expression captures. It must compile. */
export function countGroups(source: string): number {
  return (new RegExp(`${source}|`).exec('')?.length ?? 1) - 1
}

function reasonNotToCompile(source: string): string | undefined {
  try {
    new RegExp(source)
    return undefined
  } catch (error) {
    return (error as Error).message.replace(/^Invalid regular expression: \/.*\/[a-z]*: /s, '')
  }
}
