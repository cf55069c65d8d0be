import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import { EvenerError } from '../core/index.ts'
import { createEngine } from '../engine/index.ts'
import { AccessLogSink, MetricsTable } from '../observe/index.ts'
import { PoolTable, WakeLine } from '../pool/index.ts'
import {
  type ChallengeAnswers,
  ConnectionCounts,
  ExchangeLogger,
  NO_LOG,
  type PreparedSites,
  ProxyWorker,
  RowCounters,
} from '../proxy/index.ts'
import type { FromWorker, ToWorker, WorkerFailure, WorkerSetup } from './messages.ts'
import type { WorkerPlan } from './worker-plan.ts'

/** A worker thread: an engine, a proxy on it, and the messages of the control thread. */
class WorkerThread {
  readonly #port: MessagePort
  readonly #setup: WorkerSetup
  readonly #worker: ProxyWorker
  readonly #prepared = new Map<number, { readonly plan: WorkerPlan; readonly sites: PreparedSites }>()
  #sink: AccessLogSink | null = null

  constructor(port: MessagePort, setup: WorkerSetup, worker: ProxyWorker) {
    this.#port = port
    this.#setup = setup
    this.#worker = worker
    port.on('message', (message: ToWorker) => void this.#receive(message))
  }

  say(message: FromWorker): void {
    this.#port.postMessage(message)
  }

  async #receive(message: ToWorker): Promise<void> {
    switch (message.type) {
      case 'prepare':
        return this.#prepare(message.generation, message.plan)
      case 'commit':
        this.#commit(message.generation)
        return this.say({ type: 'committed', generation: message.generation })
      case 'rollback': {
        const prepared = this.#prepared.get(message.generation)
        if (prepared !== undefined) this.#worker.sites.rollback(prepared.sites)
        this.#prepared.delete(message.generation)
        return this.say({ type: 'committed', generation: message.generation })
      }
      case 'challenges':
        return this.#answerChallenges(message.answers)
      case 'drain':
        await this.#worker.drain()
        this.#sink?.flush()
        return this.say({ type: 'drained' })
      case 'cut':
        return this.#worker.cut()
    }
  }

  async #prepare(generation: number, plan: WorkerPlan): Promise<void> {
    try {
      const sites = await this.#worker.sites.prepare(plan.plan, plan.slots, plan.series, plan.files)
      this.#prepared.set(generation, { plan, sites })
      this.say({ type: 'prepared', generation, addresses: this.#worker.sites.addressesOf(sites) })
    } catch (error) {
      this.say({ type: 'refused', generation, failure: failureOf(error) })
    }
  }

  #answerChallenges(answers: ChallengeAnswers): void {
    try {
      this.#worker.answerChallenges(answers)
      this.say({ type: 'answering' })
    } catch (error) {
      this.say({ type: 'failed', failure: failureOf(error) })
    }
  }

  #commit(generation: number): void {
    const prepared = this.#prepared.get(generation)
    if (prepared === undefined) return
    this.#prepared.delete(generation)
    this.#worker.sites.commit(prepared.sites)
    const format = prepared.plan.plan.accessLog?.format
    if (format === undefined) this.#worker.accessLog = NO_LOG
    else if (this.#sink === null) {
      const row = MetricsTable.attach(this.#setup.metrics).row(this.#setup.index)
      this.#sink = new AccessLogSink(this.#setup.accessLog, format, row, prepared.plan.series.logDropped)
      this.#worker.accessLog = new ExchangeLogger(this.#worker.engine, this.#sink)
    } else {
      this.#sink.reformat(format)
      if (this.#worker.accessLog === NO_LOG) this.#worker.accessLog = new ExchangeLogger(this.#worker.engine, this.#sink)
    }
  }
}

function failureOf(error: unknown): WorkerFailure {
  if (error instanceof EvenerError) return { code: error.code, message: error.message }
  return { code: 'SYSTEM_CALL_FAILED', message: error instanceof Error ? error.message : String(error) }
}

async function serve(port: MessagePort, setup: WorkerSetup): Promise<void> {
  const report = (error: unknown): void => {
    port.postMessage({
      type: 'error',
      message: error instanceof Error ? (error.stack ?? error.message) : String(error),
    } satisfies FromWorker)
  }
  try {
    const { engine, reason } = await createEngine(setup.engine, setup.engineOptions, { report })
    const table = PoolTable.attach(setup.poolTable)
    const wakeLine = new WakeLine(table, setup.index)
    const worker = new ProxyWorker(engine, {
      index: setup.index,
      table,
      counters: new RowCounters(MetricsTable.attach(setup.metrics).row(setup.index)),
      accessLog: NO_LOG,
      sharesPorts: setup.workers > 1,
      wakeLine,
      connectionCounts: ConnectionCounts.attach(setup.connectionCounts),
      warn: (message) => port.postMessage({ type: 'warning', message } satisfies FromWorker),
    })
    wakeLine.listen(() => worker.woken())
    const thread = new WorkerThread(port, setup, worker)
    engine.start()
    thread.say({ type: 'ready', engine: engine.kind, reason })
  } catch (error) {
    port.postMessage({ type: 'failed', failure: failureOf(error) } satisfies FromWorker)
  }
}

if (parentPort === null) throw new Error('worker-thread.ts is started by the control thread')
await serve(parentPort, workerData as WorkerSetup)
