import { describePattern, matches } from '../answer-match.ts'
import type { TextPatternPlan } from '../plan.ts'
import { fail, pass, quote, type Verdict } from '../protocol.ts'
import type { SqlQuestion } from './question.ts'

/** The configured query: what must be in the first column of the first row, undefined for whatever it is. */
export function queryQuestion(statement: string, expect: TextPatternPlan | undefined): SqlQuestion {
  return { statement, maxRows: 1, judge: ({ rows }) => judgeValue(expect, rows.length === 0 ? undefined : (rows[0][0] ?? null)) }
}

/** undefined where there was no row, null for NULL. */
function judgeValue(expect: TextPatternPlan | undefined, value: string | null | undefined): Verdict {
  if (expect === undefined) return pass('the query is answered')
  if (value === undefined) return fail(`the query gave no row, expected ${describePattern(expect)}`)
  const text = value ?? 'NULL'
  if (matches(expect, text)) return pass(`the query gave ${quote(text)}`)
  return fail(`the query gave ${quote(text)}, expected ${describePattern(expect)}`)
}
