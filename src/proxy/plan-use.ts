import type { PoolTable } from '../pool/index.ts'

/**
 * Which Plans this worker still has exchanges under. The pool table is told the oldest, so that the control thread gives a slot of a
 * dropped server away only when nobody can touch it any more.
 */
export class PlanUse {
  readonly generation: number
  exchanges = 0
  isCurrent = true

  constructor(generation: number) {
    this.generation = generation
  }
}

export class PlanUses {
  readonly #table: PoolTable
  readonly #worker: number
  readonly #uses: PlanUse[] = []

  constructor(table: PoolTable, worker: number) {
    this.#table = table
    this.#worker = worker
  }

  /** A new Plan is in force; those before it end with their last exchange. */
  begin(use: PlanUse): void {
    for (const old of this.#uses) old.isCurrent = false
    this.#uses.push(use)
    this.trim()
  }

  trim(): void {
    while (!this.#uses[0].isCurrent && this.#uses[0].exchanges === 0) this.#uses.shift()
    this.#table.holdPlan(this.#worker, this.#uses[0].generation)
  }
}
