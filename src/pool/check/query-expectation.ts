import { describePattern, matches } from './answer-match.ts'
import type { TextPatternPlan } from './plan.ts'
import { fail, pass, quote, type Verdict } from './protocol.ts'

/** What a query must answer. */
export interface QueryExpectation {
  /** undefined: whatever it is. */
  readonly expect: TextPatternPlan | undefined
}

/** Judges the first column of the first row: undefined where there was no row, null for NULL. */
export function judgeValue({ expect }: QueryExpectation, value: string | null | undefined): Verdict {
  if (expect === undefined) return pass('the query is answered')
  if (value === undefined) return fail(`the query gave no row, expected ${describePattern(expect)}`)
  const text = value ?? 'NULL'
  if (matches(expect, text)) return pass(`the query gave ${quote(text)}`)
  return fail(`the query gave ${quote(text)}, expected ${describePattern(expect)}`)
}
