import { z } from 'zod'
import { cidr, duration, durationOrNone, fieldName, fieldValue, oneOrMore, regex } from './scalars.ts'

const host = z
  .string()
  .regex(
    /^(\*\.)?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.?$|^\[[0-9A-Fa-f:.]+\]$/,
    'expected a host like "shop.test" or "*.shop.test", without a port',
  )
const path = z.string().superRefine((text, context) => {
  if (text.startsWith('~')) {
    const inner = regex.safeParse(text.slice(1).trim())
    if (!inner.success) context.addIssue({ code: 'custom', message: inner.error.issues[0].message })
  } else if (text !== '*' && !/^\/[!-~]*$/.test(text)) {
    context.addIssue({
      code: 'custom',
      message: `expected a path like "/img/*", "/about" or "~ ^/item/[0-9]+$", not ${JSON.stringify(text)}`,
    })
  } else if (/\*./.test(text))
    context.addIssue({ code: 'custom', message: 'a "*" stands at the end of a path only; use "~ regex" for more' })
})
const method = z.string().regex(/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/, 'expected a method like "GET"')
const fieldMatch = z
  .union([fieldValue, z.strictObject({ present: z.boolean() }), z.strictObject({ regex })])
  .describe('The exact value, {present: true}, {present: false} or {regex: …}.')

const match = z.strictObject({
  host: oneOrMore(host).optional().describe('Host without port: exact, or "*.shop.test" for every name below it.'),
  path: oneOrMore(path).optional().describe('"/about" exactly, "/img/*" and everything below it, or "~ regex".'),
  method: oneOrMore(method).optional().describe('Request method.'),
  client: oneOrMore(cidr).optional().describe("The peer's address, as CIDR."),
  header: z.record(fieldName, fieldMatch).optional().describe('Request fields by name; all must match.'),
  cookie: z.record(fieldName, fieldMatch).optional().describe('Cookies by name; all must match.'),
  query: z.record(z.string().min(1), fieldMatch).optional().describe('Query parameters by name; all must match.'),
})

const redirect = z.strictObject({
  to: z
    .string()
    .min(1)
    .regex(/^[!-~]+$/, 'a redirect target has no spaces or line breaks')
    .describe('Location, with {uri}, {host}, {path}, {query}.'),
  status: z.literal([301, 302, 303, 307, 308]).default(302).describe('Status.'),
})

const respond = z.strictObject({
  status: z.int().min(200).max(599).default(200).describe('Status.'),
  body: z
    .string()
    .max(1024 * 1024)
    .default('')
    .describe('Body.'),
  contentType: fieldValue.default('text/plain; charset=utf-8').describe('Content-Type.'),
  headers: z.record(fieldName, fieldValue).default({}).describe('More fields.'),
})

const headerEdit = z.strictObject({
  set: z.record(fieldName, fieldValue).default({}).describe('Replace all fields of the name.'),
  add: z.record(fieldName, fieldValue).default({}).describe('Add a field.'),
  remove: oneOrMore(fieldName).default([]).describe('Remove all fields of the name.'),
})

const rewrite = z
  .strictObject({
    prefix: z
      .string()
      .regex(/^\/[!-~]*$/)
      .optional()
      .describe('Replace this prefix of the path.'),
    regex: regex.optional().describe('Replace what this regular expression finds in the path.'),
    replacement: z
      .string()
      .regex(/^[!-~]*$/, 'a path has no spaces or control characters')
      .describe('By this; $1 to $9 for groups of the regex.'),
  })
  .superRefine((value, context) => {
    if ((value.prefix === undefined) === (value.regex === undefined))
      context.addIssue({ code: 'custom', message: 'a rewrite has one of "prefix" and "regex"' })
  })

const retry = z.strictObject({
  attempts: z.int().min(1).max(16).default(3).describe('Attempts in all, the first included; 1 never tries again.'),
  on: z
    .array(
      z.union([
        z.enum(['connect-failure', 'reset', 'timeout']),
        z.string().regex(/^[45]\d\d$/, 'expected "connect-failure", "reset", "timeout" or a status like "503"'),
      ]),
    )
    .default(['connect-failure'])
    .describe('What to try again besides what is always safe; for idempotent methods only, except "connect-failure".'),
})

export const route = z
  .strictObject({
    match: match.prefault({}).describe('All parts must match; without it every request does.'),
    pool: z.string().optional().describe('Action: a server of this pool answers.'),
    redirect: redirect.optional().describe('Action: a redirect.'),
    respond: respond.optional().describe('Action: a fixed answer.'),
    requestHeaders: headerEdit.optional().describe('Changes to the request.'),
    responseHeaders: headerEdit.optional().describe('Changes to the response.'),
    rewrite: rewrite.optional().describe('Changes to the path; the query stays.'),
    retry: retry.prefault({}).describe('When to try again.'),
    timeouts: z
      .strictObject({
        connect: duration.optional().describe('For a connection to a server.'),
        response: duration.optional().describe('For the response head, and for each next piece of its body.'),
        requestBody: duration.optional().describe('For each next piece of a request body.'),
        tunnel: durationOrNone.optional().describe('Silence of an upgraded connection.'),
      })
      .prefault({})
      .describe('Override those of the listener.'),
  })
  .superRefine((value, context) => {
    const actions = (['pool', 'redirect', 'respond'] as const).filter((action) => value[action] !== undefined)
    if (actions.length === 0) context.addIssue({ code: 'custom', message: 'a route needs an action: "pool", "redirect" or "respond"' })
    if (actions.length > 1)
      context.addIssue({ code: 'custom', message: `a route has one action, not ${actions.map((action) => `"${action}"`).join(' and ')}` })
  })
