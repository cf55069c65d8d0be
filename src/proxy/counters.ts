import type { Exchange } from './exchange.ts'
import type { ListenerSite } from './site.ts'

/** What the proxy counts. Implemented over the metrics registry; each call is a few stores into this worker's own row. */
export interface ProxyCounters {
  connectionOpened(site: ListenerSite): void
  connectionClosed(site: ListenerSite): void
  /** The exchange is over: status, termination, bytes, durations, attempts are final. */
  exchanged(exchange: Exchange): void
}

/** Takes a line for each exchange. The ranges of its head are valid during the call only. */
export interface ExchangeLog {
  write(exchange: Exchange): void
}
