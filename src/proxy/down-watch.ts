import { Timer, type TimerTarget } from '../engine/index.ts'
import { breakResponse, failAttempt } from './attempt.ts'
import type { Exchange } from './exchange.ts'
import { TERMINATION } from './termination.ts'
import type { PoolState } from './upstream/pool-state.ts'
import type { UpstreamServer } from './upstream/server.ts'
import type { ProxyWorker } from './worker.ts'

/** How often it is looked whether a server went down. */
const WATCH_MS = 200

/**
 * Ends what goes on with a server that goes down or into maintenance, for listeners with `onServerDown: reset`. A request without a
 * response is tried elsewhere where its route allows that after a reset. No work is done for it where no listener says so.
 */
export class DownWatch implements TimerTarget {
  readonly #worker: ProxyWorker
  readonly #timer = new Timer(this)
  #pools: readonly PoolState[] = []
  #down = new Set<UpstreamServer>()

  constructor(worker: ProxyWorker) {
    this.#worker = worker
  }

  /** The pools of the Plan that comes into force; none where nobody asks. */
  watch(pools: readonly PoolState[]): void {
    this.#pools = pools
    if (pools.length === 0) this.#worker.engine.timers.disarm(this.#timer)
    else if (!this.#timer.isArmed) this.#worker.engine.timers.arm(this.#timer, WATCH_MS)
  }

  expired(): void {
    const before = this.#down
    this.#down = new Set()
    let isNew = false
    for (const { pool, servers } of this.#pools) {
      for (const [index, { health, admin }] of pool.servers.entries()) {
        if (health !== 'down' && admin !== 'maintenance') continue
        this.#down.add(servers[index])
        if (!before.has(servers[index])) isNew = true
      }
    }
    if (isNew) this.#endExchanges(before)
    this.#worker.engine.timers.arm(this.#timer, WATCH_MS)
  }

  #endExchanges(before: ReadonlySet<UpstreamServer>): void {
    for (const server of this.#down) if (!before.has(server)) server.closeIdle()
    for (const { exchange } of [...this.#worker.downstreams]) {
      const server = exchange?.server
      if (!exchange || !server || !exchange.site?.resetsWhenDown || !this.#down.has(server) || before.has(server)) continue
      end(exchange)
    }
  }
}

function end(exchange: Exchange): void {
  if (exchange.isTunnel) exchange.abort(TERMINATION.SERVER_DOWN)
  else if (exchange.isResponseStarted) breakResponse(exchange, TERMINATION.SERVER_DOWN)
  else failAttempt(exchange, TERMINATION.SERVER_DOWN)
}
