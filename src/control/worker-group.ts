import { EventEmitter } from 'node:events'
import { setFlagsFromString } from 'node:v8'
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads'
import { type ErrorCode, EvenerError, parseAddress, type SocketAddress } from '../core/index.ts'
import type { ChallengeAnswers } from '../proxy/index.ts'
import type { FromWorker, ToWorker, WorkerSetup } from './messages.ts'
import type { WorkerPlan } from './worker-plan.ts'

/** A worker that dies within this time of its start counts towards giving up on it. */
const RESTART_WINDOW_MS = 60_000
const MAX_RESTARTS_PER_WINDOW = 5
/** What is cut off has so long for its last bytes and its lines in the log. */
const CUT_MS = 1000

const WORKER_SCRIPT = new URL(`./worker-thread${import.meta.url.endsWith('.ts') ? '.ts' : '.js'}`, import.meta.url)

/** Of each listener, in the order of its `bind`. */
export type BoundAddresses = Readonly<Record<string, readonly string[]>>

export type WorkerSetupBase = Omit<WorkerSetup, 'index' | 'accessLog'>

interface Member {
  readonly index: number
  worker: Worker
  /** Settles with the answer to the message that was sent last; a worker has one message at a time to answer. */
  waiting: { resolve(message: FromWorker): void; reject(error: Error): void } | null
  restarts: number[]
  isAlive: boolean
  /** Grows with each end of its thread. */
  lives: number
  /** Until it is back with the plan in force, or it is said that it cannot be. */
  restoring: Promise<void> | null
  isStopping: boolean
}

interface WorkerGroupEvents {
  error: [index: number, message: string]
  /** A sentence for the operator. */
  warning: [message: string]
  restarted: [index: number, reason: string]
  /** A worker cannot be kept alive. */
  lost: [index: number, reason: string]
  died: [index: number]
  accessLog: [port: MessagePort]
}

/**
 * The worker threads. Every plan reaches all of them in two phases; a worker that dies is started again with the plan
 * in force, while the others go on.
 */
export class WorkerGroup extends EventEmitter<WorkerGroupEvents> {
  readonly #setup: WorkerSetupBase
  readonly #script: URL
  readonly #members: Member[] = []
  #current: WorkerPlan | null = null
  #addresses: BoundAddresses = {}
  #challenges: ChallengeAnswers | null = null
  #isClosed = false
  engine: 'uring' | 'portable' = 'portable'
  engineReason = ''

  /** `script` is what workers run; another one in tests. */
  constructor(setup: WorkerSetupBase, script: URL = WORKER_SCRIPT) {
    super()
    this.#setup = setup
    this.#script = script
  }

  get size(): number {
    return this.#members.length
  }

  /** Starts `count` workers and waits until each has its engine. Throws what the first failing one said. */
  async start(count: number): Promise<void> {
    for (let index = 0; index < count; index++) {
      this.#members.push({
        index,
        worker: undefined as never,
        waiting: null,
        restarts: [],
        isAlive: false,
        lives: 0,
        restoring: null,
        isStopping: false,
      })
    }
    await Promise.all(this.#members.map((member) => this.#spawn(member)))
  }

  /**
   * Puts a plan into force in all workers, or in none: throws the first worker's refusal after the others rolled back.
   * `onPrepared` runs between the phases. Returns the bound addresses by listener.
   */
  async apply(plan: WorkerPlan, onPrepared: () => void): Promise<BoundAddresses> {
    const generation = plan.slots.generation
    const lives = this.#members.map(({ lives }) => lives)
    let addresses = this.#addresses
    try {
      // One after the other, because the first to bind port 0 decides the port and a busy address is reported once.
      for (const [position, member] of this.#members.entries()) {
        await member.restoring
        const answer = await this.#ask(member, { type: 'prepare', generation, plan: located(plan, addresses) })
        if (answer.type !== 'prepared') throw failureOf(answer)
        if (position === 0) addresses = answer.addresses
      }
      // One that was started again meanwhile has the plan before.
      const reborn = this.#members.find((member, position) => member.lives !== lives[position])
      if (reborn !== undefined) throw new EvenerError('WORKER_DIED', `worker ${reborn.index} ended in the meantime`)
    } catch (error) {
      await Promise.allSettled(this.#members.map((member) => member.restoring ?? this.#ask(member, { type: 'rollback', generation })))
      throw error
    }
    onPrepared()
    this.#current = located(plan, addresses)
    this.#addresses = addresses
    // Whoever dies now comes back with the new plan.
    await Promise.all(
      this.#members.map((member) => member.restoring ?? this.#ask(member, { type: 'commit', generation }).catch(() => member.restoring)),
    )
    return addresses
  }

  /** Every worker gives authorities these answers, and so does one that is started again. To be called in a turn, like apply(). */
  async answerChallenges(answers: ChallengeAnswers): Promise<void> {
    this.#challenges = answers
    await Promise.all(this.#members.map((member) => member.restoring ?? this.#challenge(member, answers)))
  }

  /** Stops accepting and resolves when all exchanges are done, which those that are not after `graceMs` are then made to be. True if all were done. */
  async drain(graceMs: number): Promise<boolean> {
    for (const member of this.#members) member.isStopping = true
    const all = Promise.all(
      this.#members.map(async (member) => {
        await member.restoring
        // One that has died has nothing left to drain, and takes no time away from the others.
        await this.#ask(member, { type: 'drain' }).catch(() => undefined)
      }),
    )
    const isDrained = await isDoneWithin(graceMs, all)
    if (isDrained) return true
    for (const { worker } of this.#members) worker.postMessage({ type: 'cut' } satisfies ToWorker)
    await isDoneWithin(CUT_MS, all)
    return false
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await Promise.all(
      this.#members.map((member) => {
        member.isStopping = true
        return member.worker.terminate()
      }),
    )
  }

  async #spawn(member: Member): Promise<void> {
    // There is a worker for each core: the collector's helper threads would wait for a core, and the worker for them, for 20 ms at times.
    setFlagsFromString('--no-parallel-scavenge')
    const { port1, port2 } = new MessageChannel()
    const setup: WorkerSetup = { ...this.#setup, index: member.index, accessLog: port2 }
    const started = Promise.withResolvers<FromWorker>()
    member.worker = new Worker(this.#script, {
      workerData: setup,
      transferList: [port2],
      name: `evener-worker-${member.index}`,
    })
    member.waiting = started
    member.isAlive = true
    this.emit('accessLog', port1)
    member.worker.on('message', (message: FromWorker) => this.#receive(member, message))
    member.worker.on('error', (error) =>
      this.emit('error', member.index, error instanceof Error ? (error.stack ?? error.message) : String(error)),
    )
    member.worker.once('exit', (code) => this.#exited(member, code))
    const answer = await started.promise
    if (answer.type !== 'ready') throw failureOf(answer)
    this.engine = answer.engine
    this.engineReason = answer.reason
  }

  #receive(member: Member, message: FromWorker): void {
    if (message.type === 'error') {
      this.emit('error', member.index, message.message)
      return
    }
    if (message.type === 'warning') {
      this.emit('warning', message.message)
      return
    }
    const waiting = member.waiting
    member.waiting = null
    waiting?.resolve(message)
  }

  #ask(member: Member, message: ToWorker): Promise<FromWorker> {
    if (!member.isAlive) return Promise.reject(new EvenerError('WORKER_DIED', `worker ${member.index} has ended`))
    const answer = Promise.withResolvers<FromWorker>()
    member.waiting?.reject(new EvenerError('WORKER_DIED', `worker ${member.index} was asked again before it had answered`))
    member.waiting = answer
    member.worker.postMessage(message)
    return answer.promise
  }

  #exited(member: Member, code: number): void {
    this.emit('died', member.index)
    member.lives++
    member.isAlive = false
    const reason = `worker ${member.index} ended with code ${code}`
    const waiting = member.waiting
    member.waiting = null
    if (waiting !== null) waiting.reject(new EvenerError('WORKER_DIED', reason))
    if (this.#isClosed || member.isStopping || this.#current === null) return
    const now = Date.now()
    member.restarts = member.restarts.filter((at) => now - at < RESTART_WINDOW_MS)
    if (member.restarts.length >= MAX_RESTARTS_PER_WINDOW) {
      this.emit('lost', member.index, reason)
      return
    }
    member.restarts.push(now)
    member.restoring = this.#restart(member, reason)
  }

  async #restart(member: Member, reason: string): Promise<void> {
    try {
      await this.#spawn(member)
      await this.#restore(member)
      this.emit('restarted', member.index, reason)
    } catch (error) {
      if (!member.isStopping) this.emit('lost', member.index, `${reason}; its restart failed: ${(error as Error).message}`)
    }
    member.restoring = null
  }

  async #restore(member: Member): Promise<void> {
    const plan = this.#current as WorkerPlan
    const generation = plan.slots.generation
    const answer = await this.#ask(member, { type: 'prepare', generation, plan })
    if (answer.type !== 'prepared') throw failureOf(answer)
    await this.#ask(member, { type: 'commit', generation })
    if (this.#challenges !== null) await this.#challenge(member, this.#challenges)
  }

  async #challenge(member: Member, answers: ChallengeAnswers): Promise<void> {
    const answer = await this.#ask(member, { type: 'challenges', answers })
    if (answer.type !== 'answering') throw failureOf(answer)
  }
}

/** The plan with the ports that port 0 has come to: all workers have the same, and so has one that is started again. */
function located(plan: WorkerPlan, addresses: BoundAddresses): WorkerPlan {
  const locate = (name: string, position: number, address: SocketAddress): SocketAddress => {
    const text = addresses[name]?.[position]
    if (text === undefined || address.family === 'unix' || address.port !== 0) return address
    const bound = parseAddress(text)
    return bound.family === address.family && bound.host === address.host ? bound : address
  }
  const listeners = plan.plan.listeners.map((listener) => ({
    ...listener,
    bind: listener.bind.map((address, position) => locate(listener.name, position, address)),
  }))
  return { ...plan, plan: { ...plan.plan, listeners } }
}

async function isDoneWithin(limitMs: number, done: Promise<unknown>): Promise<boolean> {
  const limit = Promise.withResolvers<boolean>()
  const timer = setTimeout(() => limit.resolve(false), limitMs)
  const isDone = await Promise.race([
    done.then(
      () => true,
      () => false,
    ),
    limit.promise,
  ])
  clearTimeout(timer)
  return isDone
}

function failureOf(message: FromWorker): Error {
  if (message.type !== 'failed' && message.type !== 'refused') return new EvenerError('WORKER_DIED', `unexpected answer "${message.type}"`)
  return new EvenerError(message.failure.code as ErrorCode, message.failure.message)
}
