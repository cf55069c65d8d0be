import { z } from 'zod'
import { complain, fieldValue, options } from '../schema/index.ts'
import type { ErrorPagePlan } from './plan.ts'
import { reasonPhrase } from './status.ts'

/** The statuses of errors that Evener itself can answer with. */
const STATUSES = [400, 403, 404, 405, 408, 413, 414, 417, 421, 426, 429, 431, 500, 501, 502, 503, 504, 505]

const HTML = 'text/html; charset=utf-8'
const body = z.string().max(1024 * 1024)

const page = z
  .union([
    body.transform((text) => ({ body: text, contentType: HTML })),
    options({
      body: body.describe('The page; "${file:error.html}" takes it from a file. {status} and {reason} are filled in.'),
      contentType: fieldValue.default(HTML).describe('Content-Type.'),
    }),
  ])
  .describe('The page, or a map of the page and its type. Clients that ask for JSON get JSON in any case.')

const status = z.string().check(
  z.superRefine((text, context) => {
    if (/^(default|[45]xx|[45]\d\d)$/.test(text)) return
    complain(context, {
      code: 'CONFIG_INVALID_NAME',
      message: `${JSON.stringify(text)} is no status of an error`,
      hint: 'a status like "502", or "4xx", "5xx", "default"',
    })
  }),
)

/** Pages by status. */
export const errorPages = z.record(status, page)

/** A page for each status that one is given for: the status itself goes before its class, and that before "default". */
export function normaliseErrorPages(pages: z.output<typeof errorPages>): ErrorPagePlan[] {
  const numbers = Object.keys(pages)
    .filter((key) => /^\d+$/.test(key))
    .map(Number)
  return [...new Set([...STATUSES, ...numbers])]
    .sort((a, b) => a - b)
    .flatMap((each) => {
      const found = pages[String(each)] ?? pages[`${Math.floor(each / 100)}xx`] ?? pages.default
      if (found === undefined) return []
      return [{ status: each, contentType: found.contentType, body: fill(found.body, each) }]
    })
}

function fill(text: string, code: number): string {
  return text.replaceAll('{status}', String(code)).replaceAll('{reason}', reasonPhrase(code))
}
