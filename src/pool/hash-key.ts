/**
 * What part of a request a hashing algorithm goes by. `source`: the client's address, its first `prefixLength` bits;
 * `destination`: the address that the client connected to; `uri`: path, cut after `depth` segments if that is not 0, with
 * the query if `withQuery`; the others take `name`.
 */
export interface HashKey {
  readonly kind: 'source' | 'destination' | 'uri' | 'header' | 'cookie' | 'query' | 'sni'
  /** Lower case for a header, as written for the others, empty where the kind takes none. */
  readonly name: string
  /** Bits of an IPv4 and of an IPv6 source address that count. */
  readonly prefixLength4: number
  readonly prefixLength6: number
  readonly depth: number
  readonly withQuery: boolean
  /** Secret, so that a client cannot choose its server; the same in every worker. */
  readonly seed: number
}
