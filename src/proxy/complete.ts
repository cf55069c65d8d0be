import type { DownstreamConnection } from './downstream.ts'
import type { Exchange } from './exchange.ts'
import type { ListenerSite } from './site.ts'

/** The last step of every exchange: log and count it, give its memory back. The caller tells the connection what comes next. */
export function complete(exchange: Exchange): void {
  const downstream = exchange.downstream as DownstreamConnection
  const worker = exchange.worker
  worker.counters.exchanged(exchange)
  worker.accessLog.write(exchange)
  exchange.replay.clear()
  if (exchange.hedge !== null) exchange.hedge.disarm()
  if (exchange.copy !== null) exchange.copy.leave()
  if (exchange.headBlock !== -1) worker.engine.blocks.release(exchange.headBlock)
  exchange.headBlock = -1
  downstream.exchange = null
  const use = (exchange.site as ListenerSite).use
  if (--use.exchanges === 0 && !use.isCurrent) worker.planUses.trim()
  worker.giveBackExchange(exchange)
}
