import ipaddr from 'ipaddr.js'
import { formatCidr } from '../../src/core/index.ts'
import type { FieldMatchPlan, PathMatchPlan, RouteMatchPlan } from '../../src/route/config.ts'
import type { MatchablePlan } from '../../src/route/index.ts'
import type { TestRequest } from './routes.ts'

/**
 * The router's promise in the plainest words: over strings, one route after the other, sharing no code with the router.
 * Returns an index, -1 for none, -2 for a path that is refused.
 */
export function naiveMatch(plans: readonly MatchablePlan[], request: TestRequest): number {
  const absolute = /^https?:\/\/([^/?]*)(.*)$/.exec(request.target)
  const pathAndQuery = absolute === null ? request.target : absolute[2]
  const isStar = request.target === '*'
  const [rawPath, ...rest] = pathAndQuery.split('?')
  const path = isStar ? undefined : naiveNormalPath(rawPath)
  if (path === null) return -2
  const facts: Facts = {
    host: (absolute === null ? (request.host ?? '') : absolute[1]).toLowerCase().replace(/:\d*$/, '').replace(/\.$/, ''),
    path,
    query: new URLSearchParams(rest.join('?')),
    request,
  }
  return plans.findIndex((plan) => holds(plan.match, facts))
}

interface Facts {
  readonly host: string
  /** undefined for the target "*". */
  readonly path: string | undefined
  readonly query: URLSearchParams
  readonly request: TestRequest
}

/** The normal form, or null where the path is refused. */
export function naiveNormalPath(raw: string): string | null {
  if (/%(?![0-9A-Fa-f]{2})|%00|[\x00-\x20\x7f\\#]/.test(raw)) return null
  const path = (raw === '' ? '/' : raw)
    .replace(/%[0-9A-Fa-f]{2}/g, (encoded) => {
      const character = String.fromCharCode(Number.parseInt(encoded.slice(1), 16))
      return /[A-Za-z0-9\-._~!$&'()*+,;=:@]/.test(character) ? character : encoded.toUpperCase()
    })
    .replace(/[^A-Za-z0-9\-._~!$&'()*+,;=:@/%]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`)
    .replace(/\/+/g, '/')
  const segments = path.split(/\/|%2F|%5C/).map((segment) => segment.split(';')[0])
  return segments.slice(1).some((segment) => segment === '.' || segment === '..') ? null : path
}

function holds(match: RouteMatchPlan, { host, path, query, request }: Facts): boolean {
  const fields = request.fields ?? []
  const cookies = fields
    .filter(([name]) => name.toLowerCase() === 'cookie')
    .flatMap(([, value]) => value.split(';').map((pair) => pair.trim().split(/=(.*)/s)))
  const any = <T>(list: readonly T[], test: (item: T) => boolean): boolean => list.length === 0 || list.some(test)
  return (
    any(match.hosts, (pattern) =>
      pattern.kind === 'exact' ? host === pattern.host : host.endsWith(`.${pattern.host}`) && host !== `.${pattern.host}`,
    ) &&
    any(match.paths, (pattern) => pathHolds(pattern, path)) &&
    any(match.methods, (method) => method === (request.method ?? 'GET')) &&
    any(match.clients, (block) => {
      const client = ipaddr.process(request.client ?? '192.0.2.1')
      const [network, prefix] = ipaddr.parseCIDR(formatCidr(block))
      return client.kind() === network.kind() && client.match(network as ipaddr.IPv6, prefix)
    }) &&
    match.headers.every((wanted) =>
      fieldHolds(
        wanted,
        fields.filter(([name]) => name.toLowerCase() === wanted.name).map(([, value]) => value),
      ),
    ) &&
    match.cookies.every((wanted) =>
      fieldHolds(
        wanted,
        cookies
          .filter(([name]) => name === wanted.name)
          .slice(0, 1)
          .map(([, value]) => value),
      ),
    ) &&
    match.query.every((wanted) => fieldHolds(wanted, query.getAll(wanted.name)))
  )
}

function pathHolds(pattern: PathMatchPlan, path: string | undefined): boolean {
  if (pattern.kind === 'prefix' && pattern.value === '') return true
  if (path === undefined) return false
  if (pattern.kind === 'regex') return new RegExp(pattern.value).test(path)
  return pattern.kind === 'exact' ? path === pattern.value : path.startsWith(pattern.value)
}

function fieldHolds(wanted: FieldMatchPlan, values: readonly string[]): boolean {
  if (wanted.kind === 'absent') return values.length === 0
  if (wanted.kind === 'present') return values.length > 0
  return values.some((value) => (wanted.kind === 'exact' ? value === wanted.value : new RegExp(wanted.value).test(value)))
}
