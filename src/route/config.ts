import { z } from 'zod'
import { checkTemplate, cidr, complain, fieldName, fieldValue, method, oneOrMore, options, readTemplate } from '../schema/index.ts'
import { headerEdit, headerMap } from './header-option.ts'
import { fieldMatches, hostPattern, pathPattern, tlsMatches } from './match-option.ts'
import type { HeaderEditPlan, HeaderLine, RouteActionPlan, RouteMatchPlan, RoutePlan, TemplatePart } from './plan.ts'
import { normaliseRewrite, rewrite } from './rewrite-option.ts'

export type * from './plan.ts'

const REDIRECT_VARIABLES = ['uri', 'host', 'path', 'query'] as const

const match = options({
  host: oneOrMore(hostPattern).optional().describe('Host without port: exact, or "*.shop.test" for every name below it, at any depth.'),
  path: oneOrMore(pathPattern).optional().describe('"/about" exactly, "/img/*" for what begins with "/img/", or "~ regex".'),
  method: oneOrMore(method).optional().describe('Request method.'),
  client: oneOrMore(cidr).optional().describe("The client's address, in a range."),
  header: fieldMatches(fieldName).optional().describe('Request fields by name; all must match.'),
  cookie: fieldMatches(fieldName).optional().describe('Cookies by name; all must match.'),
  query: fieldMatches(z.string().min(1)).optional().describe('Query parameters by name; all must match.'),
  tls: tlsMatches.optional().describe('What TLS says of the connection; without TLS all of it is absent.'),
})

const target = z
  .string()
  .min(1)
  .check(
    z.superRefine((text, context) => {
      if (/[^!-~]/.test(text))
        complain(context, {
          code: 'CONFIG_INVALID_HEADER',
          message: 'a redirect target has no spaces, line breaks or characters beyond ASCII',
          hint: 'percent-encode them',
        })
      if (!/^(https?:\/\/[^/]|\/|\{uri\}|\{path\})/.test(text)) {
        complain(context, {
          code: 'CONFIG_INVALID_VALUE',
          message: `${JSON.stringify(text)} is no target of a redirect`,
          hint: 'it begins with "https://", "http://" or "/"',
        })
      }
      for (const complaint of checkTemplate(text, REDIRECT_VARIABLES)) complain(context, complaint)
    }),
  )
  .meta({ examples: ['https://new.test{uri}'] })

const redirect = options({
  to: target.describe('Location, with {uri} (path and query), {host}, {path}, {query} of the request.'),
  status: z.literal([301, 302, 303, 307, 308]).default(302).describe('301 and 308 are permanent; 307 and 308 keep the method.'),
})

/** A fixed answer. */
export const respond = options({
  status: z.int().min(200).max(599).default(200).describe('Status.'),
  body: z
    .string()
    .max(1024 * 1024)
    .default('')
    .describe('Body.'),
  contentType: fieldValue.default('text/plain; charset=utf-8').describe('Content-Type.'),
  headers: headerMap('answer').default({}).describe('More fields, by name.'),
})

/** What a route says that is not the proxy's: match, actions and changes. The proxy's config adds its own to this shape. */
export const routeShape = {
  match: match.prefault({}).describe('All parts must match; without it every request does.'),
  pool: z.string().optional().describe('Action: a server of this pool answers.'),
  redirect: redirect.optional().describe('Action: the client is sent elsewhere.'),
  respond: respond.optional().describe('Action: a fixed answer.'),
  requestHeaders: headerEdit('request').optional().describe('Changes to the fields of the request: remove, then set, then add.'),
  responseHeaders: headerEdit('response').optional().describe('Changes to the fields of the response: remove, then set, then add.'),
  rewrite: rewrite.optional().describe('Changes to the path; the query stays.'),
}

/** Exactly one of them stands in a route. */
export const ROUTE_ACTIONS = ['pool', 'redirect', 'respond'] as const

const shape = z.object(routeShape)
export type RouteConfig = z.output<typeof shape>

export function normaliseRoute(id: string, config: RouteConfig): RoutePlan {
  return {
    id,
    match: normaliseMatch(config.match),
    action: normaliseAction(config),
    requestHeaders: normaliseEdit(config.requestHeaders),
    responseHeaders: normaliseEdit(config.responseHeaders),
    rewrite: config.rewrite && normaliseRewrite(config.rewrite),
  }
}

function normaliseMatch(config: RouteConfig['match']): RouteMatchPlan {
  return {
    hosts: config.host ?? [],
    paths: config.path ?? [],
    methods: config.method ?? [],
    clients: config.client ?? [],
    headers: (config.header ?? []).map((field) => ({ ...field, name: field.name.toLowerCase() })),
    cookies: config.cookie ?? [],
    query: config.query ?? [],
    ...(config?.tls === undefined ? {} : { tls: config.tls }),
  }
}

function normaliseAction({ pool, redirect: to, respond: answer }: RouteConfig): RouteActionPlan {
  if (to !== undefined) return { kind: 'redirect', status: to.status, to: readTemplate(to.to).map(normalisePiece) }
  if (answer !== undefined) return { kind: 'respond', ...normaliseRespond(answer) }
  return { kind: 'pool', pool: pool as string }
}

export function normaliseRespond(config: z.output<typeof respond>) {
  return { ...config, headers: linesOf(config.headers) }
}

function normalisePiece(piece: ReturnType<typeof readTemplate>[number]): TemplatePart {
  return piece.kind === 'text' ? piece : { kind: piece.name as (typeof REDIRECT_VARIABLES)[number] }
}

function normaliseEdit(edit: RouteConfig['requestHeaders']): HeaderEditPlan | undefined {
  return edit && { remove: edit.remove.map((name) => name.toLowerCase()), set: linesOf(edit.set), add: linesOf(edit.add) }
}

function linesOf(fields: Readonly<Record<string, string>>): HeaderLine[] {
  return Object.entries(fields).map(([name, value]) => ({ name, value }))
}
