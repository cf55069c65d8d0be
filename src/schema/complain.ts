import type { z } from 'zod'
import type { Complaint } from './codes.ts'
import { meant } from './nearest.ts'

/** A place below the value that is being checked. */
export type Path = readonly (string | number)[]

/** What zod hands to refinements and transformations. */
export interface Context {
  addIssue(issue: { code: 'custom'; message: string; input: unknown; path: (string | number)[]; params: { complaint: Complaint } }): void
}

/** Adds a complaint about the value under check, or about what is at `path` below it. Returns z.NEVER's stand-in, for transformations. */
export function complain(context: Context, complaint: Complaint, path: Path = []): never {
  context.addIssue({ code: 'custom', message: complaint.message, input: undefined, path: [...path], params: { complaint } })
  return undefined as never
}

/** The complaint that a custom issue carries. */
export function complaintOf(issue: z.core.$ZodIssue): Complaint | undefined {
  if (issue.code !== 'custom') return undefined
  return (issue.params as { complaint?: Complaint } | undefined)?.complaint
}

/** `did you mean "least-connections"?`, or else what there is. */
export function suggest(word: string, known: readonly string[], quote: (name: string) => string = JSON.stringify): string | undefined {
  const like = meant(word, known)
  if (like !== undefined) return `did you mean ${quote(like)}?`
  if (known.length === 0 || known.length > MAX_LISTED) return undefined
  return known.length === 1 ? `it can only be ${quote(known[0])}` : `one of ${known.map(quote).join(', ')}`
}

const MAX_LISTED = 16
