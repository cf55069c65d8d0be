import type { Cidr } from '../core/index.ts'

/** A route without what the proxy does with it: what it matches, what it answers, what it changes. First match wins. */
export interface RoutePlan {
  /** Place in the configuration, "listeners.web.http.routes[2]"; also the route's name in logs and metrics. */
  readonly id: string
  readonly match: RouteMatchPlan
  readonly action: RouteActionPlan
  readonly requestHeaders: HeaderEditPlan | undefined
  readonly responseHeaders: HeaderEditPlan | undefined
  readonly rewrite: RewritePlan | undefined
}

/** All parts must match; a list matches if one of its items does; an empty list matches everything. */
export interface RouteMatchPlan {
  readonly hosts: readonly HostMatchPlan[]
  readonly paths: readonly PathMatchPlan[]
  /** Case-sensitive, RFC 9110 §9.1. */
  readonly methods: readonly string[]
  readonly clients: readonly Cidr[]
  /** Names in lower case for header; as written for cookie and query. All of each must match. */
  readonly headers: readonly FieldMatchPlan[]
  readonly cookies: readonly FieldMatchPlan[]
  readonly query: readonly FieldMatchPlan[]
  /** What TLS says of the connection, by TLS_FACTS; absent where nothing is asked. */
  readonly tls?: readonly FieldMatchPlan[]
}

/** In lower case, without port and final dot. A wildcard "*.shop.test" has host "shop.test" and matches any name below it, at any depth. */
export interface HostMatchPlan {
  readonly kind: 'exact' | 'wildcard'
  readonly host: string
}

/**
 * All are compared with the normal form of the path (NormalPath), without the query; exact and prefix are brought into it too. "/img/*" is
 * prefix "/img/"; "*" is prefix "", which asks for no path at all. A regex is JavaScript's, without flags.
 */
export interface PathMatchPlan {
  readonly kind: 'exact' | 'prefix' | 'regex'
  readonly value: string
}

/** `value` is "" for present and absent. */
export interface FieldMatchPlan {
  readonly name: string
  readonly kind: 'exact' | 'present' | 'absent' | 'regex'
  readonly value: string
}

export type RouteActionPlan =
  | { readonly kind: 'pool'; readonly pool: string }
  | { readonly kind: 'redirect'; readonly status: number; readonly to: readonly TemplatePart[] }
  | {
      readonly kind: 'respond'
      readonly status: number
      readonly contentType: string
      readonly headers: readonly HeaderLine[]
      readonly body: string
    }

/** {uri} is path and query as received, {query} is without "?", {host} is the request's host with its port. */
export type TemplatePart = { readonly kind: 'text'; readonly text: string } | { readonly kind: 'uri' | 'host' | 'path' | 'query' }

export interface HeaderLine {
  /** As written in the configuration; a valid token. */
  readonly name: string
  readonly value: string
}

/** Applied in the order remove, set, add. */
export interface HeaderEditPlan {
  /** Lower case. */
  readonly remove: readonly string[]
  /** Replaces all fields of that name. */
  readonly set: readonly HeaderLine[]
  readonly add: readonly HeaderLine[]
}

/** Changes the path, never the query. A regex's replacement may use $1 to $9 and $&, as String.replace does. */
export type RewritePlan =
  | { readonly kind: 'prefix'; readonly prefix: string; readonly replacement: string }
  | { readonly kind: 'regex'; readonly regex: string; readonly replacement: string }
