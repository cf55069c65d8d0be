import type { SocketAddress } from '../../core/index.ts'
import type { ProxyProtocolPlan } from '../../pool/index.ts'
import type { AcceptProxyProtocolPlan } from '../proxy-protocol/option.ts'

/** An entry of `listeners` with `udp`: datagrams go to servers, and theirs to the clients that asked. */
export interface UdpListenerPlan {
  readonly name: string
  readonly bind: readonly SocketAddress[]
  readonly kind: 'udp'
  /** Datagrams have none. */
  readonly tls?: undefined
  readonly acceptProxyProtocol: AcceptProxyProtocolPlan | undefined
  readonly pool: string
  /** What each datagram to a server begins with; undefined for what the pool says. */
  readonly proxyProtocol: ProxyProtocolPlan | undefined
  /** Milliseconds of silence that end a session. */
  readonly idleMs: number
  /** Sessions in each worker. */
  readonly maxSessions: number
  /** Datagrams of a client that one server gets before the next one is chosen; 0 for all of a session. */
  readonly datagrams: number
  /** Answers that each datagram gets; -1 where that is not known. */
  readonly responses: number
  readonly onServerDown: 'keep' | 'reselect'
}
