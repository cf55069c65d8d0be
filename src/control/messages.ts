import type { MessagePort } from 'node:worker_threads'
import type { EngineOptions } from '../engine/index.ts'
import type { ChallengeAnswers } from '../proxy/index.ts'
import type { WorkerPlan } from './worker-plan.ts'

/** What the control thread hands to a worker when it starts. */
export interface WorkerSetup {
  readonly index: number
  /** Workers in all. */
  readonly workers: number
  readonly engine: 'auto' | 'uring' | 'portable'
  readonly engineOptions: Partial<EngineOptions>
  /** The pool table, the metrics and the connections of listeners, shared by all. */
  readonly poolTable: SharedArrayBuffer
  readonly connectionCounts: SharedArrayBuffer
  readonly metrics: SharedArrayBuffer
  readonly accessLog: MessagePort
}

/**
 * Control to worker. A reload is `prepare` to all workers (bind what is new, compile the Plan; nothing visible changes), then `commit`
 * to all, or `rollback` where any of them failed.
 */
export type ToWorker =
  | { readonly type: 'prepare'; readonly generation: number; readonly plan: WorkerPlan }
  | { readonly type: 'commit'; readonly generation: number }
  | { readonly type: 'rollback'; readonly generation: number }
  /** What authorities are answered from now on; answered when it is so. */
  | { readonly type: 'challenges'; readonly answers: ChallengeAnswers }
  /** Answered when everything is over and its log lines are sent. */
  | { readonly type: 'drain' }
  /** After `drain`: the grace period is over. Not answered itself. */
  | { readonly type: 'cut' }

export interface WorkerFailure {
  readonly code: string
  readonly message: string
}

export type FromWorker =
  | { readonly type: 'ready'; readonly engine: 'uring' | 'portable'; readonly reason: string }
  | { readonly type: 'failed'; readonly failure: WorkerFailure }
  | { readonly type: 'prepared'; readonly generation: number; readonly addresses: Readonly<Record<string, readonly string[]>> }
  | { readonly type: 'refused'; readonly generation: number; readonly failure: WorkerFailure }
  | { readonly type: 'committed'; readonly generation: number }
  | { readonly type: 'answering' }
  | { readonly type: 'drained' }
  | { readonly type: 'error'; readonly message: string }
  | { readonly type: 'warning'; readonly message: string }
