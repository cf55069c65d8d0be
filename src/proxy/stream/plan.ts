import type { Cidr, SocketAddress } from '../../core/index.ts'
import type { ProxyProtocolPlan } from '../../pool/index.ts'
import type { AcceptProxyProtocolPlan } from '../proxy-protocol/option.ts'
import type { TlsListenerPlan } from '../tls-plan.ts'

/** An entry of `listeners` with `tcp`: bytes go both ways as they are. */
export interface TcpListenerPlan {
  readonly name: string
  readonly bind: readonly SocketAddress[]
  readonly kind: 'tcp'
  readonly acceptProxyProtocol: AcceptProxyProtocolPlan | undefined
  /** TLS ends here, and bytes go on in the clear; undefined passes everything on as it is. */
  readonly tls: TlsListenerPlan | undefined
  readonly timeouts: StreamTimeoutsPlan
  readonly limits: StreamLimitsPlan
  /** Servers tried, the first included, while none can be connected to. */
  readonly attempts: number
  /** What happens to the open connections of a server that goes down or into maintenance. */
  readonly onServerDown: 'keep' | 'reset'
  /** First match wins; where none does the connection is closed. */
  readonly routes: readonly StreamRoutePlan[]
}

export interface StreamRoutePlan {
  /** "listeners.db.tcp" or "listeners.tls.tcp.routes[0]". */
  readonly id: string
  readonly match: StreamMatchPlan
  readonly pool: string
  readonly connectMs: number
  /** What the server is sent first; undefined for what its pool says. */
  readonly proxyProtocol: ProxyProtocolPlan | undefined
}

/** All parts that are not empty must match. */
export interface StreamMatchPlan {
  /** Names in the client's TLS hello, in lower case; a wildcard stands for every name below it. */
  readonly names: readonly { readonly kind: 'exact' | 'wildcard'; readonly name: string }[]
  /** Protocols of which the hello offers one. */
  readonly alpn: readonly string[]
  readonly clients: readonly Cidr[]
}

/** All in milliseconds; 0 is no limit. */
export interface StreamTimeoutsPlan {
  /** For everything that is read of a client before a server is chosen. */
  readonly prefaceMs: number
  /** Silence in both directions. */
  readonly idleMs: number
  /** Silence of the server after the client has ended its side, and the other way round. */
  readonly afterClientEndMs: number
  readonly afterServerEndMs: number
}

export interface StreamLimitsPlan {
  /** Open connections of this listener over all workers; more wait to be accepted. */
  readonly maxConnections: number
}
