import type { RoutePlan } from '../route/config.ts'
import type { Finding } from './diagnostic.ts'

type Match = RoutePlan['match']

/** A route that is in front, as far as one of its hosts and paths goes. */
interface Claim {
  readonly index: number
  /** Empty for every method. */
  readonly methods: readonly string[]
}

/**
 * Routes that can never match, because routes in front of them take every request that they would. Found by looking up, for each
 * host and path of a route, all more general hosts and paths, so that ten thousand routes cost ten thousand look-ups and not their square.
 * Conditions other than host, path and method must be none or the same; what is not found is not warned of.
 */
export function findUnreachable(listener: string, routes: readonly Pick<RoutePlan, 'match'>[]): Finding[] {
  const claims = new Claims()
  const findings: Finding[] = []
  for (const [index, { match }] of routes.entries()) {
    const takers = claims.takersOf(match)
    if (takers === undefined) claims.add(index, match)
    else {
      const list = takers
        .map((taker) => `routes[${taker}]`)
        .join(', ')
        .replace(/, ([^,]*)$/, ' and $1')
      const message = `no request can reach this route: ${list} in front ${takers.length === 1 ? 'takes' : 'take'} them all`
      const complaint = { severity: 'warning', code: 'CONFIG_UNREACHABLE', message } as const
      findings.push({ path: ['listeners', listener, 'http', 'routes', index], part: 'value', complaint })
    }
  }
  return findings
}

class Claims {
  readonly #claims = new Map<string, Claim[]>()
  /** Lengths of prefixes that there are, so that only those are looked up. */
  readonly #prefixLengths = new Set<number>()

  add(index: number, match: Match): void {
    for (const host of hostsOf(match)) {
      for (const path of pathsOf(match)) {
        if (path.startsWith('prefix:')) this.#prefixLengths.add(path.length - 'prefix:'.length)
        const key = keyOf(host, path, conditionsOf(match))
        const claims = this.#claims.get(key)
        if (claims === undefined) this.#claims.set(key, [{ index, methods: match.methods }])
        else if (claims.length < 64) claims.push({ index, methods: match.methods })
      }
    }
  }

  /** The routes that together take all that matches; undefined where something is left. */
  takersOf(match: Match): number[] | undefined {
    const takers = new Set<number>()
    for (const host of hostsOf(match)) {
      for (const path of pathsOf(match)) {
        const claims = this.#claimsOn(host, path, conditionsOf(match))
        if (!take(claims, match.methods, takers)) return undefined
      }
    }
    return [...takers].sort((a, b) => a - b)
  }

  #claimsOn(host: string, path: string, conditions: string): Claim[] {
    const found: Claim[] = []
    for (const wideHost of widerHosts(host)) {
      for (const widePath of this.#widerPaths(path)) {
        for (const wide of new Set(['', conditions])) found.push(...(this.#claims.get(keyOf(wideHost, widePath, wide)) ?? []))
      }
    }
    return found.sort((a, b) => a.index - b.index)
  }

  #widerPaths(path: string): string[] {
    const wider = ['', path]
    if (!/^(exact|prefix):/.test(path)) return path === '' ? [''] : wider
    const text = path.slice(path.indexOf(':') + 1)
    for (const length of this.#prefixLengths) if (length <= text.length) wider.push(`prefix:${text.slice(0, length)}`)
    return [...new Set(wider)]
  }
}

/** Adds the routes that take the methods to `takers`; false where a method is left. */
function take(claims: readonly Claim[], methods: readonly string[], takers: Set<number>): boolean {
  const whole = claims.find((claim) => claim.methods.length === 0)
  if (whole !== undefined) {
    takers.add(whole.index)
    return true
  }
  const found = methods.map((method) => claims.find((claim) => claim.methods.includes(method)))
  for (const claim of found) if (claim !== undefined) takers.add(claim.index)
  return methods.length > 0 && found.every((claim) => claim !== undefined)
}

function widerHosts(host: string): string[] {
  const wider = new Set(['', host])
  const name = host.slice(host.indexOf(':') + 1)
  for (let dot = name.indexOf('.'); dot !== -1; dot = name.indexOf('.', dot + 1)) wider.add(`wildcard:${name.slice(dot + 1)}`)
  return [...wider]
}

function hostsOf({ hosts }: Match): string[] {
  return hosts.length === 0 ? [''] : hosts.map(({ kind, host }) => `${kind}:${host}`)
}

function pathsOf({ paths }: Match): string[] {
  return paths.length === 0 ? [''] : paths.map(({ kind, value }) => `${kind}:${value}`)
}

/** Everything but host, path and method, as text; empty where there is nothing. */
function conditionsOf({ clients, headers, cookies, query, tls = [] }: Match): string {
  const all = [clients, headers, cookies, query, tls]
  if (all.every((list) => list.length === 0)) return ''
  return JSON.stringify(all.map((list) => list.map((each) => JSON.stringify(each)).sort()))
}

function keyOf(host: string, path: string, conditions: string): string {
  return `${host}\n${path}\n${conditions}`
}
