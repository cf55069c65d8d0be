/**
 * pool: which server gets the next request. It knows nothing of sockets or protocols.
 *
 * In: pools of the plan (PoolDefinition), their slots, the state that checks and operators set. Out: the index of a server.
 * The control thread creates the PoolTable, one SharedArrayBuffer, and gives out its slots; each worker attaches to it and makes a
 * Pool from each definition. State flows through the table only; workers see a change with their next pick.
 *
 *   control thread:  PoolTable.create ─ SlotAllocator.prepare/commit ─ setHealth, setAdmin, setWeight
 *                          │ buffer, PoolSlots by postMessage
 *   worker:          PoolTable.attach ─ new Pool ─ pick, acquire, report, release
 */
export type { AgentReport } from './agent/report.ts'
export { readAgentLine } from './agent/text.ts'
export { type AlgorithmName, CATALOGUE, describeAlgorithm } from './algorithm/catalogue.ts'
export type { AlgorithmDescription, AlgorithmOption } from './algorithm/description.ts'
export { fillMaglev } from './algorithm/maglev.ts'
export { WeightedTurn } from './algorithm/turn.ts'
export type { Breaker } from './breaker.ts'
export { type CheckedPool, type CheckResult, Checks, type ChecksOptions, type HealthChange } from './check/checks.ts'
export {
  type CheckConnect,
  type CheckDelay,
  type CheckSocket,
  type CheckSocketEvents,
  type CheckTarget,
  systemDelay,
} from './check/connect.ts'
export type { CheckCommand, CheckExecute, CheckProcess, CheckProcessEvents } from './check/execute.ts'
export type { PoolPlan, ProxyProtocolPlan, ServerPlan, TlsPoolPlan } from './config.ts'
export { type KeySource, NO_KEY, NO_KEY_SOURCE, PickContext } from './context.ts'
export { definitionOf } from './define.ts'
export {
  type AlgorithmDefinition,
  type BreakerDefinition,
  MAX_WEIGHT,
  type OutlierDefinition,
  type PersistenceDefinition,
  type PoolDefinition,
  type QueueDefinition,
  type RetryBudgetDefinition,
  type ServerDefinition,
  type TablePersistence,
} from './definition.ts'
export * from './discovery/index.ts'
export { hashBytes, hashText } from './hash.ts'
export { type HashKey, hashKeyBytes, hashKeyFrom } from './hash-key.ts'
export type { TableLimits } from './layout.ts'
export { forgetWorker, type ServerTotals, serverTotals } from './ledgers.ts'
export type { EjectionChange } from './outliers.ts'
export { type CookieMode, type CookiePersistence, PersistenceCookie, type ReadCookie } from './persistence/cookie.ts'
export type { ValueFormat } from './persistence/server-value.ts'
export { type SessionEntry, SessionTable } from './persistence/session-table.ts'
export { ALL_FULL, BREAKER_OPEN, NONE_AVAILABLE, type PickResult, Pool } from './pool.ts'
export { type Random, SeededRandom } from './random.ts'
export { Ranks } from './ranks.ts'
export type { RetryBudget } from './retry-budget.ts'
export { Server } from './server.ts'
export { readServers } from './server-option.ts'
export { type PoolSlots, SlotAllocator, type SlotAssignment } from './slots.ts'
export {
  ADMIN,
  ADMIN_NAMES,
  type Admin,
  type AdminName,
  type BreakerName,
  HEALTH,
  HEALTH_NAMES,
  type Health,
  type HealthName,
  OUTCOME,
  type Outcome,
} from './state.ts'
export { type PoolState, PoolTable } from './table.ts'
export { type PoolEvent, type Session, Upkeep, type UpkeptPool } from './upkeep.ts'
export { QUEUE_PRIORITIES, type QueueHost, Waiter, type WaitQueue, type WaitTarget } from './wait-queue.ts'
export { WakeLine } from './wake-line.ts'
