import { addressBytes, formatAddress, type SocketAddress } from '../core/index.ts'
import { type ConfigCode, isSlowRegex, type Path } from '../schema/index.ts'
import { checkAcme } from './acme-check.ts'
import type { Finding } from './diagnostic.ts'
import { checkPackets, findIdlePacketOptions } from './packet-check.ts'
import type { Plan } from './plan.ts'
import { checkPoolReferences, checkSorryPools, type PoolReference, unknownPool } from './pool-check.ts'
import { findUnreachable } from './reachability.ts'

/** What concerns several options of a configuration: binds that clash, names that repeat, routes that nothing can reach. */
export function crossCheck(plan: Plan): Finding[] {
  const routes = httpListeners(plan).flatMap(({ name, routes: list }) => findUnreachable(name, list))
  return [
    ...checkHooks(plan),
    ...checkBinds(plan),
    ...checkServerNames(plan),
    ...routes,
    ...checkRegexes(plan),
    ...checkPackets(plan),
    ...checkSorryPools(plan),
    ...checkDatagramHeaders(plan),
    ...checkAcme(plan),
  ]
}

/**
 * Pools that routes name and nobody has, pools that no route names, and options that say nothing beside an action. It works on
 * what was written, so that it is told along with whatever else is wrong.
 */
export function checkReferences(values: unknown): Finding[] {
  const references: PoolReference[] = []
  const name = (path: Path, pool: unknown): void => {
    if (typeof pool === 'string') references.push([[...path, 'pool'], pool])
  }
  const idle: Finding[] = []
  for (const [path, route] of routesIn(values)) {
    const { pool, split, mirror } = route as { pool?: unknown; split?: unknown; mirror?: unknown }
    name(path, pool)
    name([...path, 'mirror'], textMember(mirror, 'pool'))
    const branches = member(split, 'pools')
    for (const [index, branch] of Object.entries(branches ?? []))
      name([...path, 'split', 'pools', Number(index)], textMember(branch, 'pool'))
    if (pool === undefined && split === undefined) idle.push(...checkIdleOptions(path, route))
  }
  for (const [listener, entry] of Object.entries(member(values, 'listeners') ?? {})) {
    name(['listeners', listener, 'packet'], textMember(member(entry, 'packet'), 'pool'))
    idle.push(...findIdlePacketOptions(listener, entry))
  }
  const pools = member(values, 'pools') ?? {}
  for (const [pool, entry] of Object.entries(pools)) name(['pools', pool, 'sorry'], textMember(member(entry, 'sorry'), 'pool'))
  return [...idle, ...checkPoolReferences(references, Object.keys(pools))]
}

/** A redirect or a fixed answer has no request to send on. */
function checkIdleOptions(path: Path, route: object): Finding[] {
  const action = ['redirect', 'respond'].find((name) => name in route)
  if (action === undefined) return []
  return ['requestHeaders', 'rewrite', 'retry', 'queue', 'hedge', 'mirror', 'timeouts']
    .filter((option) => option in route)
    .map((option) => warn([...path, option], 'CONFIG_UNUSED', `"${option}" does nothing beside "${action}": no request is sent on`, 'key'))
}

function* routesIn(values: unknown): Generator<[Path, object]> {
  for (const [listener, entry] of Object.entries(member(values, 'listeners') ?? {})) {
    for (const kind of ['http', 'tcp', 'udp']) {
      const options = member(entry, kind)
      if (options !== undefined && 'pool' in options) yield [['listeners', listener, kind], options]
      const routes = member(options, 'routes')
      if (!Array.isArray(routes)) continue
      for (const [index, route] of routes.entries()) {
        if (typeof route === 'object' && route !== null) yield [['listeners', listener, kind, 'routes', index], route]
      }
    }
  }
}

/** Version 1 of the PROXY protocol is a line before the first byte of a connection; datagrams have none. */
function checkDatagramHeaders(plan: Plan): Finding[] {
  const lines = new Set(plan.pools.filter(({ proxyProtocol }) => proxyProtocol?.version === 1).map(({ name }) => name))
  return plan.listeners.flatMap((listener) => {
    if (listener.kind !== 'udp' || listener.proxyProtocol !== undefined || !lines.has(listener.pool)) return []
    const message = `pool "${listener.pool}" has proxyProtocol: v1, which has no datagrams; say v2 there, or in this listener`
    return [fail(['listeners', listener.name, 'udp', 'pool'], 'CONFIG_CONFLICT', message)]
  })
}

function httpListeners(plan: Plan): Extract<Plan['listeners'][number], { kind: 'http' }>[] {
  return plan.listeners.filter((listener) => listener.kind === 'http')
}

function member(value: unknown, key: string): object | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const found = (value as Record<string, unknown>)[key]
  return typeof found === 'object' && found !== null ? found : undefined
}

function textMember(value: unknown, key: string): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const found = (value as Record<string, unknown>)[key]
  return typeof found === 'string' ? found : undefined
}

function checkBinds(plan: Plan): Finding[] {
  const findings: Finding[] = []
  const taken: { readonly owner: string; readonly address: SocketAddress; readonly isUdp: boolean }[] = []
  if (plan.admin !== undefined) taken.push({ owner: 'the admin endpoint', address: plan.admin.bind, isUdp: false })
  for (const { name, bind, kind } of plan.listeners) {
    const isUdp = kind === 'udp'
    for (const [index, address] of bind.entries()) {
      if (isUdp && address.family === 'unix')
        findings.push(
          fail(['listeners', name, 'bind', index], 'CONFIG_INVALID_ADDRESS', 'datagrams come to IP addresses, not to Unix sockets'),
        )
      const clash = taken.find((other) => other.isUdp === isUdp && overlap(other.address, address))
      if (clash !== undefined) {
        const [here, there] = [formatAddress(address), formatAddress(clash.address)]
        const message =
          here === there ? `${here} is bound by ${clash.owner} already` : `${here} overlaps ${there}, which ${clash.owner} binds`
        findings.push(fail(['listeners', name, 'bind', index], 'CONFIG_DUPLICATE', message))
      }
      taken.push({ owner: `listener "${name}"`, address, isUdp })
    }
  }
  return findings
}

function overlap(a: SocketAddress, b: SocketAddress): boolean {
  if (a.family === 'unix' || b.family === 'unix') return a.family === b.family && formatAddress(a) === formatAddress(b)
  if (a.family !== b.family || a.port !== b.port || a.port === 0) return false
  const [one, other] = [addressBytes(a.host), addressBytes(b.host)]
  const isAny = (bytes: Uint8Array): boolean => bytes.every((byte) => byte === 0)
  return isAny(one) || isAny(other) || Buffer.compare(one, other) === 0
}

function checkHooks(plan: Plan): Finding[] {
  const names = plan.pools.map(({ name }) => name)
  return (plan.hooks ?? []).flatMap((hook) =>
    (hook.pools ?? []).flatMap((pool, index) =>
      names.includes(pool) ? [] : [unknownPool(['hooks', hook.name, 'pools', ...(hook.pools?.length === 1 ? [] : [index])], pool, names)],
    ),
  )
}

function checkServerNames(plan: Plan): Finding[] {
  const findings: Finding[] = []
  for (const pool of plan.pools) {
    const first = new Map<string, number>()
    for (const [index, { name }] of pool.servers.entries()) {
      const other = first.get(name)
      if (other === undefined) first.set(name, index)
      else
        findings.push(
          fail(
            ['pools', pool.name, 'servers', index],
            'CONFIG_DUPLICATE',
            `"${name}" is servers[${other}] already`,
            'names are unique in a pool',
          ),
        )
    }
  }
  return findings
}

function checkRegexes(plan: Plan): Finding[] {
  const message = 'the regular expression can take time that grows with the square of the text, or worse'
  const hint = 'two repetitions in a row should not match the same text'
  return [...regexesIn(plan)]
    .filter(([, source]) => isSlowRegex(source))
    .map(([path]) => ({ ...warn(path, 'CONFIG_BACKTRACKING', message), hint }))
}

function* regexesIn(plan: Plan): Generator<[Path, string]> {
  for (const listener of httpListeners(plan)) {
    for (const [index, { match, rewrite }] of listener.routes.entries()) {
      const path = ['listeners', listener.name, 'http', 'routes', index]
      for (const [at, { kind, value }] of match.paths.entries()) if (kind === 'regex') yield [[...path, 'match', 'path', at], value]
      for (const [part, fields] of [
        ['header', match.headers],
        ['cookie', match.cookies],
        ['query', match.query],
        ['tls', match.tls ?? []],
      ] as const) {
        for (const { name, kind, value } of fields) if (kind === 'regex') yield [[...path, 'match', part, name, 'regex'], value]
      }
      if (rewrite?.kind === 'regex') yield [[...path, 'rewrite', 'regex'], rewrite.regex]
    }
  }
}

function fail(path: Path, code: ConfigCode, message: string, hint?: string): Finding {
  return { path, part: 'value', complaint: { code, message, hint } }
}

function warn(path: Path, code: ConfigCode, message: string, part: 'key' | 'value' = 'value'): Finding {
  return { path, part, complaint: { severity: 'warning', code, message } }
}
