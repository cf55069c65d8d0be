import { formatAddress, type SocketAddress } from '../core/index.ts'
import { LOG_VARIABLES, pieces, REDIRECT_VARIABLES } from './build-plan.ts'
import { closest } from './diagnostic.ts'
import type { Finding } from './issues.ts'
import type { Configuration } from './schema/root.ts'
import type { Path } from './source.ts'

/** What no schema sees: references, duplicates, binds that clash, routes that can never match. */
export function crossCheck(input: Configuration): Finding[] {
  return [...checkListeners(input), ...checkRoutes(input), ...checkPools(input), ...checkTop(input)]
}

/** Pools that routes name and nobody has. Works on what was read, so that these errors are told along with the schema's. */
export function checkReferences(value: unknown): Finding[] {
  const names = Object.keys(member(value, 'pools') ?? {})
  const findings: Finding[] = []
  for (const [listener, entry] of Object.entries(member(value, 'listeners') ?? {})) {
    const routes = member(member(entry, 'http'), 'routes')
    if (!Array.isArray(routes)) continue
    for (const [index, route] of routes.entries()) {
      const pool = member(route, 'pool')
      if (typeof pool !== 'string' || names.includes(pool)) continue
      const like = closest(pool, names)
      const suggestion =
        like === undefined ? `there ${names.length === 0 ? 'is none' : `are ${names.join(', ')}`}` : `did you mean "${like}"?`
      findings.push(
        error(
          ['listeners', listener, 'http', 'routes', index, 'pool'],
          'CONFIG_UNKNOWN_REFERENCE',
          `there is no pool "${pool}"`,
          suggestion,
        ),
      )
    }
  }
  return findings
}

function member(value: unknown, key: string): object | undefined {
  return typeof value === 'object' && value !== null ? (value as Record<string, object | undefined>)[key] : undefined
}

function checkListeners(input: Configuration): Finding[] {
  const findings: Finding[] = []
  const bound: { readonly address: SocketAddress; readonly listener: string }[] = []
  for (const [listener, { bind }] of Object.entries(input.listeners)) {
    for (const [index, address] of bind.entries()) {
      const clash = bound.find((other) => overlap(other.address, address))
      if (clash !== undefined) {
        findings.push(
          error(
            ['listeners', listener, 'bind', index],
            'CONFIG_DUPLICATE',
            `${formatAddress(address)} is bound already by listener "${clash.listener}" (${formatAddress(clash.address)})`,
          ),
        )
      }
      bound.push({ address, listener })
    }
  }
  return findings
}

function overlap(a: SocketAddress, b: SocketAddress): boolean {
  if (a.family === 'unix' || b.family === 'unix') return a.family === b.family && formatAddress(a) === formatAddress(b)
  if (a.family !== b.family || a.port !== b.port || a.port === 0) return false
  const isAny = (host: string): boolean => host === '0.0.0.0' || host === '::'
  return a.host === b.host || isAny(a.host) || isAny(b.host)
}

function checkRoutes(input: Configuration): Finding[] {
  const findings: Finding[] = []
  for (const [listener, { http }] of Object.entries(input.listeners)) {
    let shadow = -1
    for (const [index, route] of http.routes.entries()) {
      const path = ['listeners', listener, 'http', 'routes', index]
      if (shadow !== -1)
        findings.push(warning(path, 'CONFIG_UNREACHABLE', `can never match: routes[${shadow}] before it matches every request`))
      if (shadow === -1 && Object.values(route.match).every((part) => part === undefined)) shadow = index
      if (route.redirect !== undefined) findings.push(...checkTemplate(route.redirect.to, REDIRECT_VARIABLES, [...path, 'redirect', 'to']))
    }
  }
  return findings
}

function checkPools(input: Configuration): Finding[] {
  const findings: Finding[] = []
  const used = new Set(Object.values(input.listeners).flatMap(({ http }) => http.routes.map((route) => route.pool)))
  for (const [pool, { servers }] of Object.entries(input.pools)) {
    if (!used.has(pool)) findings.push({ ...warning(['pools', pool], 'CONFIG_UNUSED', `no route uses pool "${pool}"`), part: 'key' })
    const seen = new Map<string, number>()
    for (const [index, server] of servers.entries()) {
      const name = server.name ?? formatAddress(server.address)
      const first = seen.get(name)
      if (first === undefined) seen.set(name, index)
      else
        findings.push(
          error(
            ['pools', pool, 'servers', index],
            'CONFIG_DUPLICATE',
            `"${name}" is the name of servers[${first}] already; names are unique in a pool`,
          ),
        )
    }
  }
  return findings
}

function checkTop(input: Configuration): Finding[] {
  const findings: Finding[] = []
  const { admin, accessLog } = input
  if (admin !== 'none' && admin.token === undefined && !isLocal(admin.bind)) {
    findings.push(
      error(
        ['admin'],
        'CONFIG_MISSING',
        `the admin endpoint on ${formatAddress(admin.bind)} can be reached from elsewhere and needs a "token"`,
        'for example token: "${ADMIN_TOKEN}"',
      ),
    )
  }
  if (accessLog !== undefined && accessLog.format !== 'json' && accessLog.format !== 'combined') {
    if (!accessLog.format.includes('{')) {
      findings.push(
        error(
          ['accessLog', 'format'],
          'CONFIG_UNKNOWN_VALUE',
          `unknown format "${accessLog.format}"`,
          '"json", "combined", or a template like "{client} {uri} {status}"',
        ),
      )
    }
    findings.push(...checkTemplate(accessLog.format, LOG_VARIABLES, ['accessLog', 'format']))
  }
  return findings
}

function checkTemplate(template: string, known: readonly string[], path: Path): Finding[] {
  return pieces(template)
    .filter((piece) => piece.name !== undefined && !known.includes(piece.name))
    .map((piece) => {
      const like = closest(piece.name as string, known)
      return error(
        path,
        'CONFIG_UNKNOWN_VALUE',
        `unknown variable ${piece.text}`,
        like === undefined ? `known are ${known.map((one) => `{${one}}`).join(', ')}` : `did you mean {${like}}?`,
      )
    })
}

function isLocal(address: SocketAddress): boolean {
  return address.family === 'unix' || address.host === '::1' || address.host.startsWith('127.')
}

function error(path: Path, code: Finding['details']['code'], message: string, suggestion?: string): Finding {
  return { path, part: 'value', details: { severity: 'error', code, message, suggestion } }
}

function warning(path: Path, code: Finding['details']['code'], message: string): Finding {
  return { path, part: 'value', details: { severity: 'warning', code, message, suggestion: undefined } }
}
