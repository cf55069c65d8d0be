import type { ClientAddress } from '../core/index.ts'
import type { DatagramSession } from './datagram/session.ts'
import type { DatagramSite } from './datagram/site.ts'
import type { Exchange } from './exchange.ts'
import type { ConnectionSite } from './listener.ts'
import type { PoolSeries } from './pool-metrics.ts'
import type { Stream } from './stream/stream.ts'

/** What the proxy counts. Implemented over the metrics registry; each call is a few stores into this worker's own row. */
export interface ProxyCounters {
  connectionOpened(site: ConnectionSite): void
  connectionClosed(site: ConnectionSite): void
  sessionBegan(site: DatagramSite): void
  /** The session is over: termination, bytes, durations are final. */
  sessionEnded(session: DatagramSession): void
  /** By DATAGRAM_DROP. */
  datagramDropped(site: DatagramSite, reason: number): void
  /** A connection was refused for its header of the PROXY protocol; by HEADER_REFUSAL. */
  headerRefused(site: ConnectionSite, refusal: number): void
  /** A handshake is done; `isResumed` if a session of before was taken up. */
  handshakeDone(site: ConnectionSite, isResumed: boolean): void
  handshakeFailed(site: ConnectionSite): void
  /** The exchange is over: status, termination, bytes, durations, attempts are final. */
  exchanged(exchange: Exchange): void
  /** A request was copied to the pool and answered, or its copy came to nothing. */
  mirrored(series: PoolSeries, isAnswered: boolean): void
  /** A second server was asked; it answered first. */
  hedged(series: PoolSeries): void
  hedgeWon(series: PoolSeries): void
  /** The stream is over: termination, bytes, durations, attempts are final. */
  streamed(stream: Stream): void
}

/** Takes a line for each exchange and each stream. The ranges of its head are valid during the call only. */
export interface ExchangeLog {
  write(exchange: Exchange): void
  writeStream(stream: Stream): void
  writeSession(session: DatagramSession): void
  /** A connection that did not get to its listener. */
  writeRefused(listener: string, client: ClientAddress, reason: string, bytesIn: number): void
}
