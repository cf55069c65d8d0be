import type { PoolDefinition } from './definition.ts'
import { SERVER } from './layout.ts'
import type { SlotAssignment } from './slots.ts'
import { HEALTH } from './state.ts'
import type { PoolTable } from './table.ts'

/** The share of its weight that a server begins with. */
const FIRST_THOUSANDTHS = 50

interface Start {
  readonly begunAtMs: number
  readonly lastsMs: number
}

/**
 * Slow starts, in the control thread: a server that came back, or that joined a running pool, is `starting` and gets a share of its
 * weight that grows with time. tick() is to be called a few times a second while any is under way.
 */
export class SlowStarts {
  readonly #table: PoolTable
  readonly #starts = new Map<number, Start>()
  #durations = new Map<number, number>()

  constructor(table: PoolTable) {
    this.#table = table
  }

  get isIdle(): boolean {
    return this.#starts.size === 0
  }

  /** Takes over the pools of a plan. Servers without check that joined a running pool begin at once. */
  apply(definitions: readonly PoolDefinition[], assignment: SlotAssignment, nowMs: number): void {
    this.#durations = new Map()
    for (const [index, definition] of definitions.entries()) {
      const lastsMs = definition.slowStartMs ?? 0
      for (const slot of assignment.pools[index].slots) {
        if (lastsMs > 0) this.#durations.set(slot, lastsMs)
        if (!definition.checked && this.#takeJoined(slot)) this.#begin(slot, nowMs)
      }
    }
    for (const slot of this.#starts.keys()) if (!this.#durations.has(slot)) this.#end(slot, nowMs)
  }

  /**
   * A server came up. With a plan's start, when no server was known, all begin at full weight: there is nobody to go easy
   * on them for.
   */
  cameUp(slot: number, isFirstResult: boolean, nowMs: number): void {
    if (!isFirstResult || this.#takeJoined(slot)) this.#begin(slot, nowMs)
  }

  wentDown(slot: number): void {
    if (this.#starts.delete(slot)) this.#table.setRamp(slot, 1000)
  }

  tick(nowMs: number): void {
    for (const [slot, { begunAtMs, lastsMs }] of this.#starts) {
      const share = (nowMs - begunAtMs) / lastsMs
      if (share >= 1) this.#end(slot, nowMs)
      else this.#table.setRamp(slot, Math.max(FIRST_THOUSANDTHS, share * 1000))
    }
  }

  #begin(slot: number, nowMs: number): void {
    const lastsMs = this.#durations.get(slot)
    if (lastsMs === undefined) return
    this.#starts.set(slot, { begunAtMs: nowMs, lastsMs })
    this.#table.setRamp(slot, FIRST_THOUSANDTHS)
    this.#table.setHealth(slot, HEALTH.STARTING, nowMs)
  }

  #end(slot: number, nowMs: number): void {
    this.#starts.delete(slot)
    this.#table.setRamp(slot, 1000)
    if (this.#table.ownHealth(slot) === HEALTH.STARTING) this.#table.setHealth(slot, HEALTH.UP, nowMs)
  }

  #takeJoined(slot: number): boolean {
    return Atomics.exchange(this.#table.words, this.#table.serverRow(slot) + SERVER.JOINED, 0) === 1
  }
}
