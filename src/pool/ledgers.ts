/** What each worker writes down about each server: only it writes, in a row of its own, so that nothing needs Atomics. */
import { LEDGER, POOL, QUEUE, SERVER } from './layout.ts'
import type { PoolTable } from './table.ts'

/** What all workers together did with one server. Counts since its slot was allocated. */
export interface ServerTotals {
  requests: number
  failures: number
  bytesSent: number
  bytesReceived: number
  connects: number
  connectFailures: number
  timeouts: number
  latencySumMs: number
  /** Responses that latencySumMs is the sum of. */
  responses: number
}

export function serverTotals(table: PoolTable, slot: number): ServerTotals {
  const sum = (field: number): number => {
    let total = 0
    for (let worker = 0; worker < table.limits.workers; worker++) total += table.ledgers[table.ledgerRow(worker, slot) + field]
    return total
  }
  return {
    requests: sum(LEDGER.REQUESTS),
    failures: sum(LEDGER.FAILURES),
    bytesSent: sum(LEDGER.BYTES_SENT),
    bytesReceived: sum(LEDGER.BYTES_RECEIVED),
    connects: sum(LEDGER.CONNECTS),
    connectFailures: sum(LEDGER.CONNECT_FAILURES),
    timeouts: sum(LEDGER.TIMEOUTS),
    latencySumMs: sum(LEDGER.LATENCY_SUM_MS),
    responses: sum(LEDGER.RESPONSES),
  }
}

/** Takes back what a dead worker had active and waiting, and its hold on plans. To be called once the thread is known to be gone. */
export function forgetWorker(table: PoolTable, worker: number): void {
  for (let slot = 0; slot < table.limits.servers; slot++) {
    const ledger = table.ledgerRow(worker, slot)
    const row = table.serverRow(slot)
    const active = table.ledgers[ledger + LEDGER.ACTIVE]
    const connections = table.ledgers[ledger + LEDGER.CONNECTIONS]
    if (active !== 0) {
      Atomics.sub(table.words, row + SERVER.ACTIVE, active)
      Atomics.sub(table.words, table.poolRow(table.words[row + SERVER.POOL]) + POOL.ACTIVE, active)
    }
    if (connections !== 0) {
      Atomics.sub(table.words, row + SERVER.CONNECTIONS, connections)
      Atomics.sub(table.words, table.poolRow(table.words[row + SERVER.POOL]) + POOL.CONNECTIONS, connections)
    }
    table.ledgers[ledger + LEDGER.ACTIVE] = 0
    table.ledgers[ledger + LEDGER.CONNECTIONS] = 0
  }
  for (let pool = 0; pool < table.limits.pools; pool++) {
    const waiting = Atomics.exchange(table.words, table.queueRow(pool, worker) + QUEUE.COUNT, 0)
    if (waiting !== 0) Atomics.sub(table.words, table.poolRow(pool) + POOL.QUEUED, waiting)
  }
  table.holdPlan(worker, 0)
}
