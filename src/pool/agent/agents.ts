import { type Clock, systemClock } from '../../core/index.ts'
import type { ChecksOptions } from '../check/checks.ts'
import { systemDelay } from '../check/connect.ts'
import { HttpCheck } from '../check/http.ts'
import { hostOf, placeOf } from '../check/make.ts'
import { type CheckEnvironment, Poll, type PollTask, type Run } from '../check/poll.ts'
import { Probe } from '../check/probe.ts'
import { plain, type Verdict } from '../check/protocol.ts'
import { CheckQueue } from '../check/queue.ts'
import type { ServerDefinition } from '../definition.ts'
import { SeededRandom } from '../random.ts'
import type { SlotAssignment } from '../slots.ts'
import { ADMIN_NAMES, type Admin } from '../state.ts'
import type { PoolTable } from '../table.ts'
import { AgentDocument } from './json.ts'
import type { AgentPlan } from './plan.ts'
import { type AgentReport, describeSaid, merge, NOTHING_SAID, type SaidState } from './report.ts'
import { AgentText } from './text.ts'

/** What of a pool concerns agents. */
export interface AgentPool {
  readonly name: string
  readonly servers: readonly Pick<ServerDefinition, 'name' | 'address' | 'agent'>[]
  readonly agent: AgentPlan | undefined
}

/** An agent said something new that is more than a number, or is lost or found. */
export interface AgentChange {
  readonly pool: string
  readonly server: string
  readonly slot: number
  /** `weight`: it takes the last of its weight from the server, or gives some back. */
  readonly what: 'health' | 'admin' | 'weight' | 'lost' | 'found'
  readonly isDown: boolean
  readonly admin: 'ready' | 'drain' | 'maintenance'
  /** "agent: down (disk full)" */
  readonly reason: string
  /** Milliseconds since the epoch. */
  readonly atMs: number
}

/** The last answer of a server's agent, or why there is none. */
export interface AgentResult {
  readonly reason: string
  /** Milliseconds since the epoch; 0 before the first. */
  readonly atMs: number
}

interface Subject {
  readonly pool: string
  readonly server: string
  readonly slot: number
}

/**
 * Asks the agents on servers and writes what they say into the table: state, share of the weight, capacity and limit. An agent is asked
 * once for all pools that ask it in the same way.
 */
export class Agents {
  readonly #table: PoolTable
  readonly #environment: CheckEnvironment
  readonly #tell: (change: AgentChange) => void
  #watches = new Map<string, AgentWatch>()
  #bySubject = new Map<string, AgentWatch>()
  #subjects = new Map<AgentWatch, Subject[]>()
  #settling: (() => void)[] = []

  constructor(table: PoolTable, options: ChecksOptions, tell: (change: AgentChange) => void) {
    const clock: Clock = options.clock ?? systemClock
    this.#table = table
    this.#tell = tell
    this.#environment = {
      connect: options.connect,
      execute: (_command, events) => {
        queueMicrotask(() => events.failed('an agent is no program'))
        return { kill: () => {} }
      },
      delay: options.delay ?? systemDelay,
      random: options.random ?? new SeededRandom(Date.now()),
      queue: new CheckQueue(options.maxConcurrent ?? 256),
      processQueue: new CheckQueue(1),
      wallClock: () => clock.wallClock(),
      now: () => clock.now(),
    }
  }

  /** Takes over the agents of a plan. Until a new one has answered, what the one before has said of the server goes on to count. */
  apply(pools: readonly AgentPool[], assignment: SlotAssignment): void {
    const [watches, bySubject, subjects] = [this.#watches, this.#bySubject, this.#subjects]
    this.#watches = new Map()
    this.#bySubject = new Map()
    this.#subjects = new Map()
    for (const [index, { name, servers, agent }] of pools.entries()) {
      if (agent === undefined) continue
      for (const [place, server] of servers.entries()) {
        const subject = { pool: name, server: server.name, slot: assignment.pools[index].slots[place] }
        const target = new AgentTarget({ ...agent, ...server.agent }, server.address)
        const said = bySubject.get(keyOf(subject))?.said ?? NOTHING_SAID
        this.#enter(subject, this.#watches.get(target.key) ?? watches.get(target.key) ?? this.#watch(target, said))
      }
    }
    const kept = new Set([...this.#subjects.values()].flat().map(({ slot }) => slot))
    for (const { slot } of [...subjects.values()].flat()) if (!kept.has(slot)) this.#write(slot, NOTHING_SAID)
    for (const [key, watch] of watches) if (!this.#watches.has(key)) watch.close()
    for (const [key, watch] of this.#watches) if (!watches.has(key)) watch.start()
    this.#settle()
  }

  /** Resolves once every agent of the plan was asked once, at the latest after the longest time-out. */
  settled(): Promise<void> {
    return new Promise((resolve) => {
      this.#settling.push(resolve)
      this.#settle()
    })
  }

  /** undefined where a server has no agent. */
  resultOf(pool: string, server: string): AgentResult | undefined {
    const watch = this.#bySubject.get(keyOf({ pool, server }))
    return watch && { reason: watch.reason, atMs: watch.askedAtMs }
  }

  close(): void {
    for (const watch of this.#watches.values()) watch.close()
    this.#watches.clear()
    this.#settle()
  }

  #watch(target: AgentTarget, said: SaidState): AgentWatch {
    const watch: AgentWatch = new AgentWatch(target, said, this.#environment, (before, what) => this.#said(watch, before, what))
    return watch
  }

  #enter(subject: Subject, watch: AgentWatch): void {
    this.#watches.set(watch.key, watch)
    this.#bySubject.set(keyOf(subject), watch)
    this.#subjects.set(watch, [...(this.#subjects.get(watch) ?? []), subject])
    this.#write(subject.slot, watch.said)
  }

  #said(watch: AgentWatch, before: SaidState, what: AgentNews): void {
    const { said, reason } = watch
    const atMs = this.#environment.wallClock()
    for (const subject of this.#subjects.get(watch) ?? []) {
      this.#write(subject.slot, said)
      const change = { ...subject, isDown: said.isDown, admin: said.admin, reason, atMs }
      if (what === 'lost' || what === 'found') this.#tell({ ...change, what })
      if (before.isDown !== said.isDown) this.#tell({ ...change, what: 'health' })
      if (before.admin !== said.admin) this.#tell({ ...change, what: 'admin' })
      if ((before.weightPercent === 0) !== (said.weightPercent === 0)) this.#tell({ ...change, what: 'weight' })
    }
    this.#settle()
  }

  #settle(): void {
    for (const watch of this.#watches.values()) if (watch.askedAtMs === 0) return
    const settling = this.#settling
    this.#settling = []
    for (const resolve of settling) resolve()
  }

  #write(slot: number, said: SaidState): void {
    const admin = ADMIN_NAMES.indexOf(said.admin) as Admin
    this.#table.setAgent(slot, said.isDown, admin, said.limit, this.#environment.wallClock())
    this.#table.setShare(slot, said.weightPercent * 10)
    this.#table.setCapacity(slot, said.capacityPercent * 10)
  }
}

type AgentNews = 'answer' | 'failure' | 'lost' | 'found'

function keyOf({ pool, server }: Pick<Subject, 'pool' | 'server'>): string {
  return JSON.stringify([pool, server])
}

/** Where an agent is and how it is asked. Equal keys are the same agent. */
class AgentTarget {
  readonly key: string
  readonly plan: AgentPlan
  readonly #address: ReturnType<typeof placeOf>

  constructor(plan: AgentPlan, server: ServerDefinition['address']) {
    this.plan = plan
    this.#address = placeOf(plan, server)
    this.key = JSON.stringify([this.#address, plan])
  }

  ask({ connect, delay }: CheckEnvironment, done: (verdict: Verdict, report: AgentReport | null) => void): Run {
    const { kind, send, timeoutMs } = this.plan
    const answer = kind === 'text' ? new AgentText(send) : new AgentDocument()
    const protocol = answer instanceof AgentText ? answer : this.#request(answer)
    const probe = new Probe(protocol, timeoutMs, (verdict) => done(verdict, answer.report))
    return probe.start({ address: this.#address, transport: 'tcp', tls: undefined, alpn: [] }, connect, delay)
  }

  #request(document: AgentDocument): HttpCheck {
    const { path, host = hostOf(this.#address) } = this.plan
    const headers = [{ name: 'Accept', value: 'application/json' }]
    const status = [{ from: 200, to: 299 }]
    return new HttpCheck(
      { method: 'GET', path, host, headers, requestBody: undefined, status, responseHeaders: [], body: undefined },
      document,
    )
  }
}

/** One agent, asked over and over. */
class AgentWatch implements PollTask {
  readonly key: string
  readonly queue: CheckQueue
  readonly jitterPercent: number
  said: SaidState
  reason = 'not asked yet'
  askedAtMs = 0
  readonly #target: AgentTarget
  readonly #environment: CheckEnvironment
  readonly #tell: (before: SaidState, what: AgentNews) => void
  readonly #poll: Poll
  #report: AgentReport | null = null
  #failures = 0

  constructor(target: AgentTarget, said: SaidState, environment: CheckEnvironment, tell: (before: SaidState, what: AgentNews) => void) {
    this.said = said
    this.key = target.key
    this.queue = environment.queue
    this.jitterPercent = target.plan.jitterPercent
    this.#target = target
    this.#environment = environment
    this.#tell = tell
    this.#poll = new Poll(this, environment)
  }

  start(): void {
    this.#poll.start()
  }

  close(): void {
    this.#poll.close()
  }

  begin(done: (verdict: Verdict) => void): Run {
    return this.#target.ask(this.#environment, (verdict, report) => {
      this.#report = report
      done(verdict)
    })
  }

  finished({ ok, reason }: Verdict): number {
    const before = this.said
    const { intervalMs, fall } = this.#target.plan
    this.askedAtMs = this.#environment.wallClock()
    if (ok && this.#report !== null) this.#answered(before, this.#report)
    else {
      this.reason = `agent: ${reason}`
      this.#failed(before, ++this.#failures === fall)
    }
    return intervalMs
  }

  #answered(before: SaidState, report: AgentReport): void {
    const wasLost = this.#failures >= this.#target.plan.fall
    this.#failures = 0
    this.said = merge(before, { ...report, description: plain(report.description) })
    this.reason = `agent: ${describeSaid(this.said)}`
    this.#tell(before, wasLost ? 'found' : 'answer')
  }

  #failed(before: SaidState, isLost: boolean): void {
    if (isLost && this.#target.plan.onLost === 'forget') this.said = NOTHING_SAID
    this.#tell(before, isLost ? 'lost' : 'failure')
  }
}
