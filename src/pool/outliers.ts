import type { OutlierDefinition, PoolDefinition } from './definition.ts'
import { EJECTION, type Ejection, Ejector } from './ejector.ts'
import { SERVER } from './layout.ts'
import { serverTotals } from './ledgers.ts'
import type { SlotAssignment } from './slots.ts'
import type { PoolTable } from './table.ts'

/** An outlier went out or came back. */
export interface EjectionChange {
  readonly pool: string
  readonly server: string
  readonly slot: number
  readonly ejected: boolean
  /** "5 failures in a row, out for 30 s" */
  readonly reason: string
}

interface Subject {
  readonly server: string
  readonly slot: number
  readonly row: number
  isOut: boolean
  requests: number
  failures: number
  latencySumMs: number
  responses: number
}

interface Ward {
  readonly pool: string
  readonly outliers: OutlierDefinition
  readonly ejector: Ejector
  readonly subjects: readonly Subject[]
  judgedAtMs: number
}

/** Fewer servers than this are too few to say what is normal. */
const MIN_COMPARED = 3

/**
 * The control thread's part in outliers: judges success rates and response times of the last interval, brings servers back when
 * their time is over, and tells of every ejection, those by workers included. tick() is to be called about once a second.
 */
export class Outliers {
  readonly #table: PoolTable
  readonly #tell: (change: EjectionChange) => void
  #wards: Ward[] = []

  constructor(table: PoolTable, tell: (change: EjectionChange) => void) {
    this.#table = table
    this.#tell = tell
  }

  /** No pool asks for it. */
  get isIdle(): boolean {
    return this.#wards.length === 0
  }

  /** Takes over the pools of a plan. Servers of a pool without outliers come back. */
  apply(definitions: readonly PoolDefinition[], assignment: SlotAssignment, nowMs: number): void {
    const before = new Map(this.#wards.map((ward) => [ward.pool, ward]))
    this.#wards = []
    for (const [index, definition] of definitions.entries()) {
      const { slots } = assignment.pools[index]
      if (definition.outliers !== undefined) this.#wards.push(this.#watch(definition, slots, before.get(definition.name), nowMs))
      else for (const slot of slots) this.#return(this.#table.serverRow(slot))
    }
  }

  tick(nowMs: number): void {
    for (const ward of this.#wards) {
      for (const subject of ward.subjects) this.#follow(ward, subject, nowMs)
      if (nowMs - ward.judgedAtMs < ward.outliers.intervalMs) continue
      ward.judgedAtMs = nowMs
      this.#judge(ward, nowMs)
    }
  }

  /** What stays goes on in the middle of its interval: plans may follow each other faster than intervals end. */
  #watch(definition: PoolDefinition, slots: readonly number[], before: Ward | undefined, nowMs: number): Ward {
    const outliers = definition.outliers as OutlierDefinition
    const known = new Map(before?.subjects.map((subject) => [subject.slot, subject]))
    const rows = Int32Array.from(slots, (slot) => this.#table.serverRow(slot))
    const subjects = definition.servers.map((server, index): Subject => {
      const stays = known.get(slots[index])
      if (stays?.server === server.name) return stays
      const { requests, failures, latencySumMs, responses } = serverTotals(this.#table, slots[index])
      const isOut = this.#table.isEjected(slots[index])
      return { server: server.name, slot: slots[index], row: rows[index], isOut, requests, failures, latencySumMs, responses }
    })
    return {
      pool: definition.name,
      outliers,
      ejector: new Ejector(this.#table, rows, outliers),
      subjects,
      judgedAtMs: before?.judgedAtMs ?? nowMs,
    }
  }

  /** Tells of what workers did since the last tick, and ends an ejection whose time is over. */
  #follow(ward: Ward, subject: Subject, nowMs: number): void {
    const words = this.#table.words
    const { row } = subject
    const isOut = this.#table.isEjected(subject.slot)
    if (!isOut) {
      subject.isOut = false
      return
    }
    const { ejectionMs, maxEjectionMs } = ward.outliers
    const times = Math.max(1, Atomics.load(words, row + SERVER.EJECTIONS))
    const lastsMs = Math.min(ejectionMs * times, maxEjectionMs)
    if (!subject.isOut) {
      subject.isOut = true
      const why = describe(Atomics.load(words, row + SERVER.EJECTED_FOR) as Ejection, ward.outliers)
      this.#say(ward, subject, true, `${why}, out for ${lastsMs / 1000} s`)
    }
    const outForMs = ((nowMs | 0) - Atomics.load(words, row + SERVER.EJECTED_AT)) | 0
    if (outForMs < lastsMs) return
    this.#return(row)
    subject.isOut = false
    this.#say(ward, subject, false, `back after ${lastsMs / 1000} s`)
  }

  #judge(ward: Ward, nowMs: number): void {
    const { outliers, subjects } = ward
    const judged: { row: number; successRate: number; meanMs: number }[] = []
    for (const subject of subjects) {
      const { requests, failures, latencySumMs, responses } = serverTotals(this.#table, subject.slot)
      const count = requests - subject.requests
      const answered = responses - subject.responses
      const meanMs = answered > 0 ? (latencySumMs - subject.latencySumMs) / answered : 0
      if (count >= Math.max(1, outliers.minRequests))
        judged.push({ row: subject.row, successRate: 1 - (failures - subject.failures) / count, meanMs })
      Object.assign(subject, { requests, failures, latencySumMs, responses })
      if (!subject.isOut) this.#forgive(subject.row)
    }
    if (judged.length < MIN_COMPARED) return
    const leastRate = successRateFloor(
      judged.map(({ successRate }) => successRate),
      outliers.successRateDeviations,
    )
    const mostMs = Math.max(
      outliers.slowMinMs,
      median(judged.map(({ meanMs }) => meanMs).filter((meanMs) => meanMs > 0)) * outliers.slowFactor,
    )
    for (const { row, successRate, meanMs } of judged) {
      if (outliers.successRateDeviations > 0 && successRate < leastRate) ward.ejector.eject(row, EJECTION.SUCCESS_RATE, nowMs)
      else if (outliers.slowFactor > 0 && meanMs > mostMs) ward.ejector.eject(row, EJECTION.SLOW, nowMs)
    }
    for (const subject of subjects) this.#follow(ward, subject, nowMs)
  }

  /** Each quiet interval takes one ejection off the account. */
  #forgive(row: number): void {
    if (Atomics.load(this.#table.words, row + SERVER.EJECTIONS) > 0) Atomics.sub(this.#table.words, row + SERVER.EJECTIONS, 1)
  }

  #return(row: number): void {
    if (Atomics.compareExchange(this.#table.words, row + SERVER.EJECTED, 1, 0) === 1) this.#table.bumpEpoch(row)
  }

  #say(ward: Ward, subject: Subject, ejected: boolean, reason: string): void {
    this.#tell({ pool: ward.pool, server: subject.server, slot: subject.slot, ejected, reason })
  }
}

function describe(why: Ejection, outliers: OutlierDefinition): string {
  switch (why) {
    case EJECTION.FAILURES:
      return `${outliers.consecutiveFailures} failures in a row`
    case EJECTION.GATEWAY_ERRORS:
      return `${outliers.consecutiveGatewayErrors} gateway errors in a row`
    case EJECTION.SUCCESS_RATE:
      return 'a success rate far below the other servers'
    case EJECTION.SLOW:
      return `response times more than ${outliers.slowFactor} times the median`
  }
}

function successRateFloor(rates: readonly number[], deviations: number): number {
  const mean = rates.reduce((sum, rate) => sum + rate, 0) / rates.length
  const variance = rates.reduce((sum, rate) => sum + (rate - mean) ** 2, 0) / rates.length
  return mean - deviations * Math.sqrt(variance)
}

function median(values: readonly number[]): number {
  if (values.length === 0) return 0
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}
