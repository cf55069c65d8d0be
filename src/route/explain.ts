import { CidrSet, type ClientAddress, formatCidr, formatIp } from '../core/index.ts'
import { type RequestHead, TARGET } from '../http/index.ts'
import type { FieldMatchPlan, HostMatchPlan, PathMatchPlan, RoutePlan } from './config.ts'
import { NormalPath } from './normal-path.ts'
import { compilePath } from './path-pattern.ts'
import { CookiePredicate, HeaderPredicate, MethodPredicate, QueryPredicate, TlsPredicate } from './predicates.ts'
import { TextReader } from './text-reader.ts'
import { NO_TLS, type TlsFact, type TlsFacts } from './tls-facts.ts'

/** One predicate of a route, tried on one request. */
export interface PredicateExplanation {
  readonly predicate: 'host' | 'path' | 'method' | 'client' | 'header' | 'cookie' | 'query' | 'tls'
  /** As the configuration would write it: "*.shop.test or shop.test", "x-user = alice". */
  readonly expected: string
  /** What the request has; "(none)" where it has nothing of the kind. Field values are left out, they may be secret. */
  readonly actual: string
  readonly holds: boolean
}

/** A route tried on one request: it matches if all its predicates hold, and the first that matches is taken. */
export interface RouteExplanation {
  readonly id: string
  readonly index: number
  readonly matches: boolean
  readonly predicates: readonly PredicateExplanation[]
}

const text = new TextReader()

/** Tries all predicates of a route, one by one and without the index. Control code: slow, allocates. */
export function explainRoute(
  plan: Pick<RoutePlan, 'id' | 'match'>,
  index: number,
  memory: Uint8Array,
  head: RequestHead,
  client: ClientAddress,
  tls: TlsFacts = NO_TLS,
): RouteExplanation {
  const { match } = plan
  const predicates: PredicateExplanation[] = []
  if (match.hosts.length > 0) predicates.push(explainHost(match.hosts, text.read(memory, head.hostStart, head.hostEnd)))
  if (match.paths.length > 0) predicates.push(explainPath(match.paths, normalPath(memory, head)))
  if (match.methods.length > 0)
    predicates.push({
      predicate: 'method',
      expected: match.methods.join(' or '),
      actual: text.read(memory, head.methodStart, head.methodEnd),
      holds: new MethodPredicate(match.methods).holds(memory, head),
    })
  if (match.clients.length > 0)
    predicates.push({
      predicate: 'client',
      expected: match.clients.map(formatCidr).join(' or '),
      actual: client.family === 0 ? '(none)' : formatIp(client),
      holds: new CidrSet(match.clients).contains(client),
    })
  for (const field of match.headers) predicates.push(explainField('header', field, new HeaderPredicate(field, text).holds(memory, head)))
  for (const field of match.cookies) predicates.push(explainField('cookie', field, new CookiePredicate(field, text).holds(memory, head)))
  for (const field of match.query) predicates.push(explainField('query', field, new QueryPredicate(field, text).holds(memory, head)))
  for (const fact of match.tls ?? []) {
    const explained = explainField('tls', fact, new TlsPredicate(fact).holds(tls))
    predicates.push({ ...explained, actual: tls[fact.name as TlsFact] || '(none)' })
  }
  return { id: plan.id, index, matches: predicates.every((predicate) => predicate.holds), predicates }
}

function explainHost(hosts: readonly HostMatchPlan[], received: string): PredicateExplanation {
  const host = received.toLowerCase().replace(/\.$/, '')
  const holds = hosts.some((pattern) => {
    const wanted = pattern.host.toLowerCase().replace(/\.$/, '')
    return pattern.kind === 'exact' ? host === wanted : host.endsWith(`.${wanted}`) && host.length > wanted.length + 1
  })
  const expected = hosts.map((pattern) => (pattern.kind === 'exact' ? pattern.host : `*.${pattern.host}`)).join(' or ')
  return { predicate: 'host', expected, actual: host === '' ? '(none)' : host, holds }
}

function explainPath(paths: readonly PathMatchPlan[], path: string | undefined): PredicateExplanation {
  const holds = paths.some((plan) => {
    const pattern = compilePath(plan, 0)
    if (path === undefined) return plan.kind === 'prefix' && plan.value === ''
    if (pattern.regex !== null) return pattern.regex.test(path)
    return pattern.isPrefix ? path.startsWith(pattern.text) : path === pattern.text
  })
  const written = { exact: (value: string) => value, prefix: (value: string) => `${value}*`, regex: (value: string) => `~ ${value}` }
  return { predicate: 'path', expected: paths.map((plan) => written[plan.kind](plan.value)).join(' or '), actual: path ?? '(none)', holds }
}

/** The path in the form that routes are compared with; undefined where the request has none or it is refused. */
function normalPath(memory: Uint8Array, head: RequestHead): string | undefined {
  const path = new NormalPath()
  if (head.targetForm !== TARGET.ORIGIN && head.targetForm !== TARGET.ABSOLUTE) return undefined
  if (!path.read(memory, head.pathStart, head.pathEnd)) return undefined
  return text.read(path.bytes, path.start, path.end)
}

function explainField(predicate: 'header' | 'cookie' | 'query' | 'tls', field: FieldMatchPlan, holds: boolean): PredicateExplanation {
  const expected = {
    exact: `${field.name} = ${field.value}`,
    regex: `${field.name} ~ ${field.value}`,
    present: `${field.name} is there`,
    absent: `${field.name} is not there`,
  }
  const actual = field.kind === 'absent' ? 'there' : field.kind === 'present' ? '(none)' : 'missing or another value'
  return { predicate, expected: expected[field.kind], actual: holds ? 'as expected' : actual, holds }
}
