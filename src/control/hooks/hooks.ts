import type { EventLog } from '../../observe/index.ts'
import type { StateEvent } from '../state-events.ts'
import { commandDelivery, type Deliver, type HookEvent, webDelivery } from './deliver.ts'
import type { HookPlan } from './option.ts'

/** What became of the events that a hook was to be told. */
export interface HookStatus {
  readonly name: string
  readonly running: number
  readonly waiting: number
  readonly delivered: number
  readonly failed: number
  readonly dropped: number
}

/** Tells one receiver, some at a time; the others wait, and what is too much is dropped. */
class Hook {
  readonly plan: HookPlan
  readonly #deliver: Deliver
  readonly #log: EventLog
  readonly #closing = new AbortController()
  readonly #waiting: HookEvent[] = []
  #running = 0
  #delivered = 0
  #failed = 0
  #dropped = 0
  #isFull = false

  constructor(plan: HookPlan, log: EventLog) {
    this.plan = plan
    this.#deliver = plan.kind === 'command' ? commandDelivery(plan) : webDelivery(plan)
    this.#log = log
  }

  get status(): HookStatus {
    return {
      name: this.plan.name,
      running: this.#running,
      waiting: this.#waiting.length,
      delivered: this.#delivered,
      failed: this.#failed,
      dropped: this.#dropped,
    }
  }

  tell(event: HookEvent): void {
    const { kinds, pools, concurrency, queueSize, name } = this.plan
    if (!kinds.includes(event.kind) || pools?.includes(event.pool) === false) return
    if (this.#running < concurrency) {
      void this.#run(event)
      return
    }
    if (this.#waiting.length < queueSize) {
      this.#waiting.push(event)
      return
    }
    this.#dropped++
    // Once, until there is room again: a flood of events is to be no flood of lines.
    if (!this.#isFull) this.#log.warn(`hook ${name}: ${queueSize} events wait already; further ones are dropped`)
    this.#isFull = true
  }

  close(): void {
    this.#waiting.length = 0
    this.#closing.abort(new Error('Evener ends'))
  }

  async #run(first: HookEvent): Promise<void> {
    this.#running++
    for (let event: HookEvent | undefined = first; event !== undefined && !this.#closing.signal.aborted; event = this.#waiting.shift()) {
      if (this.#waiting.length === 0) this.#isFull = false
      await this.#tellOne(event)
    }
    this.#running--
  }

  async #tellOne(event: HookEvent): Promise<void> {
    const { name, timeoutMs } = this.plan
    const timeout = new AbortController()
    const timer = setTimeout(() => timeout.abort(new Error(`it took longer than ${timeoutMs} ms`)), timeoutMs)
    try {
      await this.#deliver(event, AbortSignal.any([timeout.signal, this.#closing.signal]))
      this.#delivered++
    } catch (error) {
      this.#failed++
      if (!this.#closing.signal.aborted) this.#log.error(`hook ${name}: ${(error as Error).message}`)
    }
    clearTimeout(timer)
  }
}

/** Who is told of what happens to pools and servers. Nobody waits for them, and none is told twice. */
export class Hooks {
  readonly #log: EventLog
  #hooks: readonly Hook[] = []

  constructor(log: EventLog) {
    this.#log = log
  }

  /** Hooks of a new plan; one that stays as it was goes on with what it has waiting. */
  apply(plans: readonly HookPlan[]): void {
    const before = new Map(this.#hooks.map((hook) => [JSON.stringify(hook.plan), hook]))
    this.#hooks = plans.map((plan) => before.get(JSON.stringify(plan)) ?? new Hook(plan, this.#log))
    for (const hook of before.values()) if (!this.#hooks.includes(hook)) hook.close()
  }

  tell({ kind, pool, server, state, reason }: StateEvent, now: Date = new Date()): void {
    const event = { time: now.toISOString(), kind, pool, server, state, reason }
    for (const hook of this.#hooks) hook.tell(event)
  }

  status(): HookStatus[] {
    return this.#hooks.map((hook) => hook.status)
  }

  close(): void {
    for (const hook of this.#hooks) hook.close()
  }
}
