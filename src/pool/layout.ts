/**
 * Where everything lies in the pool table's SharedArrayBuffer. All numbers are counts of 32-bit words unless they say otherwise.
 *
 *   | header | worker rows | pool rows | queue rows: of each pool for each worker | server rows |
 *   | ledgers: one for each worker, a row of doubles for each server |
 *
 * A server row fills four cache lines, by who writes them, so that a release on one core does not throw the state that every
 * pick reads out of the other cores' caches: state (control thread, seldom), load (every worker, all the time),
 * outliers (workers, on failures), and what the state is made of (control thread only). A ledger is written by its own worker only, without Atomics; the totals are sums over ledgers.
 */
export const LINE_WORDS = 16

export const TABLE_MAGIC = 0x45764e52
export const TABLE_VERSION = 1

export const HEADER = { MAGIC: 0, VERSION: 1, SERVERS: 2, POOLS: 3, WORKERS: 4 } as const
export const HEADER_WORDS = LINE_WORDS

export const WORKER = {
  /** The oldest plan generation that the worker still has exchanges under; 0 when it holds no plan. */
  OLDEST_PLAN: 0,
  /** Grows when there is something for the worker to do; it waits on this word. */
  WAKE: 1,
} as const
export const WORKER_WORDS = LINE_WORDS

/** Tiers of priorities beyond this share the last cursor. */
export const CURSORS = 16

export const POOL = {
  GENERATION: 0,
  /** Grows at every change that matters for picking. */
  EPOCH: 1,
  /** Limit on active requests of the pool over all workers; 0 for none. */
  MAX_ACTIVE: 2,
  /** 1 while too few servers are up and all are used. */
  PANIC: 3,
  /** CURSORS words, in a line of their own. */
  CURSOR: 16,
  ACTIVE: 32,
  QUEUED: 33,
  /** Low 32 bits of the milliseconds of the last sample of `observed` and `predictive`. */
  SAMPLED_AT: 34,
  /** Grows with each sample. */
  SAMPLE: 35,
  /** Numbers the waiting requests in the order in which they came. */
  TICKETS: 37,
  /** Open connections to all servers of the pool, and the workers that wait for one, as bits. */
  CONNECTIONS: 38,
  CONNECTIONS_WANTED: 39,
  /** BREAKER.*, and the low 32 bits of the milliseconds since which it is so. */
  BREAKER: 48,
  BREAKER_SINCE: 49,
  /** Of the window: its begin, and what was counted in it. */
  WINDOW_SINCE: 50,
  WINDOW_REQUESTS: 51,
  WINDOW_FAILURES: 52,
  /** Half-open: requests let through, and how many of them went well. */
  PROBES: 53,
  PROBES_PASSED: 54,
  /** Thousandths of retries that may be made, and the second in which it last got its minimum. */
  RETRY_BALANCE: 56,
  RETRY_SECOND: 57,
} as const
export const POOL_WORDS = 64

/** What one worker has waiting for one pool. */
export const QUEUE = {
  COUNT: 0,
  /** Of the one that is first; of no meaning while COUNT is 0. */
  PRIORITY: 1,
  TICKET: 2,
} as const
export const QUEUE_WORDS = 4

export const SERVER = {
  // state
  GENERATION: 0,
  POOL: 1,
  HEALTH: 2,
  ADMIN: 3,
  WEIGHT: 4,
  PRIORITY: 5,
  /** Limit on active requests over all workers; 0 for none. */
  MAX_ACTIVE: 6,
  /** Share of the weight that counts, in thousandths: below 1000 during a slow start. */
  RAMP: 7,
  /** 1 until the first check result where a check is configured. */
  UNCHECKED: 8,
  /** 1 while an outlier is ejected. */
  EJECTED: 9,
  /** The last weight that was not 0: consistent hashing is built on it, so that a drain does not reshuffle the others. */
  BASE_WEIGHT: 10,
  /** Share of the weight that the server's agent asks for, in thousandths. */
  SHARE: 11,
  /** Milliseconds since the epoch of the last change of health or admin, in two words, low first. */
  CHANGED: 12,
  /** What the server's agent says it has left, in thousandths; `resource` goes by it. */
  CAPACITY: 14,
  /** How much more than others `observed` and `predictive` give it now: 1 to 4. */
  RATIO: 15,
  // load
  ACTIVE: 16,
  CONNECTIONS: 17,
  /** Moving average of the time to the first byte of the response, microseconds; 0 when nothing is known. */
  LATENCY: 18,
  /** Low 32 bits of the milliseconds of the last latency sample. */
  LATENCY_AT: 19,
  /** The same, but up at once and down slowly (peak-ewma), microseconds. */
  LATENCY_PEAK: 20,
  /** Keys that the persistence table has for the server. */
  SESSIONS: 21,
  /** Moving average of ACTIVE over the samples of `observed`, in 256ths. */
  AVERAGE: 22,
  // outliers
  FAILURES_IN_A_ROW: 32,
  GATEWAY_ERRORS_IN_A_ROW: 33,
  /** Ejections, less one for each quiet interval since: the next one lasts so many times as long. */
  EJECTIONS: 34,
  /** EJECTION.* of the last ejection, and the low 32 bits of its milliseconds. */
  EJECTED_FOR: 35,
  EJECTED_AT: 36,
  /** 1 where the server joined a pool that was running already. */
  JOINED: 37,
  // what the state is made of: HEALTH, ADMIN and MAX_ACTIVE are the worse of what checks, operators and the configuration say, and the agent
  OWN_HEALTH: 48,
  OWN_ADMIN: 49,
  OWN_MAX_ACTIVE: 50,
  /** 1 while the server's agent says that it is down. */
  AGENT_DOWN: 51,
  AGENT_ADMIN: 52,
  AGENT_MAX_ACTIVE: 53,
} as const
export const SERVER_WORDS = 64

/** Doubles in a ledger's row. */
export const LEDGER = {
  /** What this worker has in ACTIVE and CONNECTIONS, taken back when the worker dies. */
  ACTIVE: 0,
  CONNECTIONS: 1,
  REQUESTS: 2,
  FAILURES: 3,
  BYTES_SENT: 4,
  BYTES_RECEIVED: 5,
  CONNECTS: 6,
  CONNECT_FAILURES: 7,
  TIMEOUTS: 8,
  LATENCY_SUM_MS: 9,
  /** Responses that LATENCY_SUM_MS is the sum of. */
  RESPONSES: 10,
} as const
export const LEDGER_DOUBLES = 16

export interface TableLimits {
  /** Servers over all pools, those that are still being drained after a reload included. */
  readonly servers: number
  readonly pools: number
  readonly workers: number
}

export const DEFAULT_TABLE_LIMITS: TableLimits = { servers: 8192, pools: 1024, workers: 64 }
