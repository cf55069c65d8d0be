import type { Engine } from '../engine/index.ts'
import type { HeadLimits } from '../http/index.ts'
import { type PoolTable, type Random, SeededRandom, type WakeLine } from '../pool/index.ts'
import { type ChallengeAnswers, Challenges } from './challenges.ts'
import type { ConnectionCounts } from './connection-counts.ts'
import type { ExchangeLog, ProxyCounters } from './counters.ts'
import { Sessions } from './datagram/sessions.ts'
import { DateLine } from './date.ts'
import { DownWatch } from './down-watch.ts'
import type { DownstreamConnection } from './downstream.ts'
import { Exchange, PATH, PATH_WITH_CHALLENGES, type Step } from './exchange.ts'
import { HeadWriter } from './head-writer.ts'
import { Mirrors } from './mirror.ts'
import { PlanUses } from './plan-use.ts'
import { Queues } from './queues.ts'
import { Sites } from './sites.ts'
import { Streams } from './stream/streams.ts'
import { TERMINATION } from './termination.ts'
import { ConnectionWaits } from './upstream/connection-waits.ts'

/** Exchanges kept for reuse; more are made under load and left to the garbage collector afterwards. */
const MAX_SPARE_EXCHANGES = 1024
/** The most fields that any listener may allow; exchanges are made for that many. */
const MAX_FIELDS = 256

export interface ProxyWorkerOptions {
  readonly index: number
  readonly table: PoolTable
  readonly counters: ProxyCounters
  readonly accessLog: ExchangeLog
  readonly random?: Random
  /** Whether other workers listen on the same ports. */
  readonly sharesPorts: boolean
  /** How workers wake each other when it is the turn of a request that waits there. */
  readonly wakeLine: WakeLine
  readonly connectionCounts: ConnectionCounts
  /** Takes a sentence for the operator. */
  warn?(message: string): void
}

/**
 * What all connections of a worker thread share: the engine, scratch objects of the hot path, spare exchanges, and the
 * list of client connections. It owns no configuration; see ProxySite.
 */
export class ProxyWorker {
  readonly engine: Engine
  readonly index: number
  readonly table: PoolTable
  readonly counters: ProxyCounters
  /** Set anew when a reload turns the access log on or off. */
  accessLog: ExchangeLog
  readonly random: Random
  readonly headWriter: HeadWriter
  readonly maxFields = MAX_FIELDS
  /** Scratch: flags by FIELD number of the head that is being written. */
  readonly droppedFields = new Uint8Array(256)
  readonly planUses: PlanUses
  readonly sites: Sites
  /** The path of requests; see exchange.ts. */
  path: readonly Step[] = PATH
  challenges = new Challenges({ http: {}, tls: {} })
  /** Where requests wait for a place in a pool. */
  readonly queues: Queues
  readonly downWatch: DownWatch
  readonly mirrors: Mirrors
  readonly connectionWaits: ConnectionWaits
  /** Open connections of listeners over all workers. */
  readonly connectionCounts: ConnectionCounts
  /** Whether other workers listen on the same ports. */
  readonly sharesPorts: boolean
  readonly streams: Streams
  readonly sessions = new Sessions()
  readonly #downstreams: DownstreamConnection[] = []
  isDraining = false
  readonly #spare: Exchange[] = []
  readonly #date = new DateLine()
  readonly #warn: (message: string) => void
  #onIdle: (() => void) | null = null

  constructor(engine: Engine, options: ProxyWorkerOptions) {
    this.engine = engine
    this.index = options.index
    this.connectionCounts = options.connectionCounts
    this.#warn = (message) => options.warn?.(message)
    this.table = options.table
    this.counters = options.counters
    this.accessLog = options.accessLog
    this.random = options.random ?? new SeededRandom(crypto.getRandomValues(new Uint32Array(1))[0])
    this.planUses = new PlanUses(options.table, options.index)
    this.queues = new Queues(engine, options.wakeLine)
    this.downWatch = new DownWatch(this)
    this.mirrors = new Mirrors(this)
    this.connectionWaits = new ConnectionWaits(this)
    this.sites = new Sites(this)
    this.streams = new Streams(engine, this.random)
    this.sharesPorts = options.sharesPorts
    this.headWriter = new HeadWriter(engine.memory)
  }

  /** A sentence for the operator; whoever says it sees to it that it is not said too often. */
  warn(message: string): void {
    this.#warn(message)
  }

  /** What authorities are answered from now on, and nothing else. Throws EvenerError TLS_*. */
  answerChallenges(answers: ChallengeAnswers): void {
    const challenges = new Challenges(answers)
    this.sites.challenge(challenges.tls)
    this.challenges = challenges
    this.path = challenges.hasHttp ? PATH_WITH_CHALLENGES : PATH
  }

  /** Another worker has something for this one: a place in a pool, or one in a listener. */
  woken(): void {
    this.queues.serve()
    this.sites.admit()
    this.connectionWaits.woken()
  }

  /** Wakes workers, given as bits by their index. */
  ringAll(bits: number): void {
    for (let worker = 0; bits !== 0 && worker < this.table.limits.workers; worker++) {
      if ((bits & (1 << (worker & 31))) !== 0) this.queues.ring(worker)
    }
  }

  takeExchange(downstream: DownstreamConnection): Exchange {
    const exchange = this.#spare.pop() ?? new Exchange(this)
    exchange.downstream = downstream
    return exchange
  }

  giveBackExchange(exchange: Exchange): void {
    exchange.downstream = null
    if (this.#spare.length < MAX_SPARE_EXCHANGES) this.#spare.push(exchange)
  }

  dateLine(): Uint8Array {
    return this.#date.at(this.engine.wallClock())
  }

  /**
   * From now on every response ends its connection. Idle connections are closed at once, streams go on; resolves when the last
   * one is gone.
   */
  async drain(): Promise<void> {
    this.isDraining = true
    const closed = this.sites.close()
    for (const downstream of [...this.#downstreams]) if (downstream.isIdle) downstream.connection.close()
    // Before that connections may still come, and one that is answered must be logged before the worker ends.
    await closed
    const [streamed, told, exchanged] = [Promise.withResolvers<void>(), Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    this.streams.whenIdle(() => this.engine.defer(streamed.resolve))
    this.sessions.whenIdle(() => this.engine.defer(told.resolve))
    if (this.#downstreams.length === 0) exchanged.resolve()
    else this.#onIdle = exchanged.resolve
    await Promise.all([streamed.promise, told.promise, exchanged.promise])
  }

  get downstreams(): readonly DownstreamConnection[] {
    return this.#downstreams
  }

  /** The grace period of a drain is over: what is not answered yet is refused, everything else ends in the middle. */
  cut(): void {
    for (const downstream of [...this.#downstreams]) {
      if (downstream.exchange === null) downstream.connection.reset()
      else downstream.exchange.failRequest(TERMINATION.SHUTDOWN)
    }
    this.streams.cut()
  }

  /** A client connection has begun. */
  remember(downstream: DownstreamConnection): void {
    downstream.place = this.#downstreams.length
    this.#downstreams.push(downstream)
  }

  /** A client connection is over: the last one of the list takes its place. */
  forget(downstream: DownstreamConnection): void {
    const last = this.#downstreams.pop() as DownstreamConnection
    if (last !== downstream) {
      this.#downstreams[downstream.place] = last
      last.place = downstream.place
    }
    if (this.#downstreams.length === 0 && this.#onIdle !== null) {
      this.engine.defer(this.#onIdle)
      this.#onIdle = null
    }
  }
}

/** Limits for what servers send; generous, because an operator trusts them more than clients. */
export const RESPONSE_HEAD_LIMITS: HeadLimits = { maxLineBytes: 16 * 1024, maxHeadBytes: 24 * 1024, maxFields: MAX_FIELDS }
