import { OUTCOME } from '../pool/index.ts'
import { failAttempt, releaseServer } from './attempt.ts'
import { complete } from './complete.ts'
import { type DownstreamConnection, PHASE } from './downstream.ts'
import type { Exchange } from './exchange.ts'
import { writeSwitchingHead } from './response-head.ts'
import type { RouteState } from './site.ts'
import { TERMINATION } from './termination.ts'
import type { UpstreamConnection } from './upstream/connection.ts'

/** The server switched protocols (101): from now on bytes are relayed both ways until both sides have ended. */
export function beginTunnel(exchange: Exchange): boolean {
  if (!writeSwitchingHead(exchange)) {
    failAttempt(exchange, TERMINATION.OVERLOAD)
    return false
  }
  const downstream = exchange.downstream as DownstreamConnection
  const upstream = exchange.upstream as UpstreamConnection
  exchange.isResponseStarted = true
  exchange.isTunnel = true
  exchange.status = 101
  exchange.firstByteMs = exchange.worker.engine.now()
  exchange.keepAlive = false
  downstream.phase = PHASE.TUNNEL
  downstream.disarm()
  upstream.armIdle((exchange.route as RouteState).timeouts.tunnelMs)
  downstream.resumeFeeding()
  return true
}

/** Client to server. */
export function tunnelUp(exchange: Exchange, start: number, end: number): number {
  const upstream = exchange.upstream as UpstreamConnection
  if (upstream.connection.isCongested) return start
  exchange.requestBytes += end - start
  upstream.connection.send(start, end)
  upstream.armIdle((exchange.route as RouteState).timeouts.tunnelMs)
  if (upstream.connection.isCongested) exchange.downstream?.pauseForUpstream()
  return end
}

/** Server to client. */
export function tunnelDown(exchange: Exchange, start: number, end: number): void {
  const downstream = exchange.downstream as DownstreamConnection
  const upstream = exchange.upstream as UpstreamConnection
  exchange.responseBytes += end - start
  downstream.connection.send(start, end)
  if (downstream.connection.isCongested) upstream.pause()
  else upstream.armIdle((exchange.route as RouteState).timeouts.tunnelMs)
}

/** One side sent FIN or is gone. A FIN is passed on, and the tunnel ends with the second one; a dead server ends it at once. */
export function endTunnel(exchange: Exchange, byClient: boolean): void {
  const downstream = exchange.downstream as DownstreamConnection
  const upstream = exchange.upstream
  if (byClient && upstream !== null) {
    if (!upstream.hasEnded) {
      upstream.connection.end()
      return
    }
  } else if (!byClient && upstream !== null && !downstream.hasEnded) {
    downstream.connection.end()
    return
  }
  releaseServer(exchange, OUTCOME.SUCCESS)
  exchange.upstream = null
  if (upstream !== null) {
    upstream.exchange = null
    upstream.close()
  }
  complete(exchange)
  if (downstream.phase !== PHASE.CLOSED) downstream.finished(false)
}
