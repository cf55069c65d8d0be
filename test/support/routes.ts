import assert from 'node:assert/strict'
import { ClientAddress, parseCidr, parseIp } from '../../src/core/index.ts'
import { parseRequestHead, RequestHead } from '../../src/http/index.ts'
import type { FieldMatchPlan, HostMatchPlan, PathMatchPlan, RouteMatchPlan } from '../../src/route/config.ts'
import type { MatchablePlan, Router } from '../../src/route/index.ts'

/** A route's match as the configuration writes it; lists for "any of". */
export interface Match {
  host?: string | string[]
  path?: string | string[]
  method?: string[]
  client?: string[]
  header?: Record<string, string>
  cookie?: Record<string, string>
  query?: Record<string, string>
}

/** Routes of a Plan, written shortly: paths "/a", "/a/*", "~ ^/a"; values "x", "~ x", "*" (there), "!" (not there). */
export function plans(...matches: Match[]): MatchablePlan[] {
  return matches.map((match, index) => ({ id: `routes[${index}]`, match: matchPlan(match) }))
}

function matchPlan(match: Match): RouteMatchPlan {
  return {
    hosts: list(match.host).map(hostPlan),
    paths: list(match.path).map(pathPlan),
    methods: match.method ?? [],
    clients: (match.client ?? []).map(parseCidr),
    headers: fieldPlans(match.header),
    cookies: fieldPlans(match.cookie),
    query: fieldPlans(match.query),
  }
}

function list(value: string | string[] | undefined): string[] {
  return value === undefined ? [] : typeof value === 'string' ? [value] : value
}

function hostPlan(host: string): HostMatchPlan {
  return host.startsWith('*.') ? { kind: 'wildcard', host: host.slice(2) } : { kind: 'exact', host }
}

function pathPlan(path: string): PathMatchPlan {
  if (path.startsWith('~ ')) return { kind: 'regex', value: path.slice(2) }
  return path.endsWith('*') ? { kind: 'prefix', value: path.slice(0, -1) } : { kind: 'exact', value: path }
}

function fieldPlans(fields: Record<string, string> = {}): FieldMatchPlan[] {
  return Object.entries(fields).map(([name, value]) => {
    if (value === '*') return { name, kind: 'present', value: '' }
    if (value === '!') return { name, kind: 'absent', value: '' }
    return value.startsWith('~ ') ? { name, kind: 'regex', value: value.slice(2) } : { name, kind: 'exact', value }
  })
}

export interface TestRequest {
  method?: string
  target: string
  host?: string
  fields?: readonly (readonly [string, string])[]
  client?: string
}

/** A request as the proxy hands it to a router: bytes somewhere in a memory, and the head that describes them. */
export class ParsedRequest {
  readonly memory: Uint8Array
  readonly head = new RequestHead(32)
  readonly client = new ClientAddress()

  constructor(request: TestRequest) {
    const { method = 'GET', target, host, fields = [], client = '192.0.2.1' } = request
    const lines = [`${method} ${target} HTTP/1.${host === undefined ? 0 : 1}`]
    if (host !== undefined) lines.push(`Host: ${host}`)
    for (const [name, value] of fields) lines.push(`${name}: ${value}`)
    const bytes = Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1')
    this.memory = new Uint8Array(bytes.length + 64)
    this.memory.set(bytes, 31)
    const end = parseRequestHead(this.memory, 31, 31 + bytes.length, this.head, { maxLineBytes: 8192, maxHeadBytes: 16384, maxFields: 32 })
    assert.equal(end, 31 + bytes.length, `the head parses: ${JSON.stringify(request)}`)
    assert.ok(parseIp(client, this.client) || client === '-')
  }
}

export function match(router: Router, request: TestRequest): number {
  const { memory, head, client } = new ParsedRequest(request)
  return router.match(memory, head, client)
}
