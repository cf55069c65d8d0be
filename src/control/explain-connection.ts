import { type ClientAddress, formatCidr, formatIp } from '../core/index.ts'
import { StreamMatch, type StreamRoutePlan } from '../proxy/index.ts'
import type { ExplainedRequest, Explanation } from './explain.ts'

/** A connection as it is told of: the target is the name that its TLS asks for, and the protocols those that it offers. */
type Facts = Pick<ExplainedRequest, 'target' | 'protocols' | 'tls'> & { readonly address: ClientAddress }

/** Walks a connection through the routes of a tcp listener as a worker would. */
export function explainConnection(listener: string, routes: readonly StreamRoutePlan[], connection: Facts): Explanation {
  const { target, protocols = [], tls, address } = connection
  const client = formatIp(address)
  const facts = { serverName: tls?.serverName ?? (target === '-' ? '' : target.toLowerCase()), protocols, address }
  const match = routes.findIndex((route) => new StreamMatch(route.match).holds(facts))
  const explained = routes.map(({ id, match: conditions }, index) => {
    const only = (part: Partial<typeof conditions>): boolean => new StreamMatch({ names: [], alpn: [], clients: [], ...part }).holds(facts)
    const names = conditions.names.map(({ kind, name }) => (kind === 'exact' ? name : `*.${name}`))
    const predicates = [
      { predicate: 'sni', wanted: names, actual: facts.serverName, holds: only({ names: conditions.names }) },
      { predicate: 'alpn', wanted: conditions.alpn, actual: protocols.join(', '), holds: only({ alpn: conditions.alpn }) },
      { predicate: 'client', wanted: conditions.clients.map(formatCidr), actual: client, holds: only({ clients: conditions.clients }) },
    ] as const
    return {
      id,
      index,
      matches: predicates.every(({ holds }) => holds),
      predicates: predicates
        .filter(({ wanted }) => wanted.length > 0)
        .map(({ predicate, wanted, actual, holds }) => ({ predicate, expected: wanted.join(' or '), actual: actual || '(none)', holds })),
    }
  })
  return { listener, refusal: undefined, notes: [], routes: match < 0 ? explained : explained.slice(0, match + 1), match }
}
