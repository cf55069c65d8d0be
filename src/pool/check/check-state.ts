/** What checks say of a server: `unknown` until the first result. */
export type CheckHealth = 'unknown' | 'up' | 'down'

/**
 * Rise and fall. The first result decides alone, so that a server is known as soon as it was asked once; after that it takes `rise`
 * successes in a row to come up and `fall` failures in a row to go down.
 *
 *              first success                    rise successes in a row
 *   unknown ──────────────────▶ up ◀───────────────────────────────────── down
 *      │                        └──────────────────────────────────────────▲▲
 *      │                                 fall failures in a row             │
 *      └────────────────────────────────────────────────────────────────────┘ first failure
 */
export class CheckState {
  health: CheckHealth
  /** Results in a row that speak against the present health. */
  against = 0
  readonly #rise: number
  readonly #fall: number

  constructor(rise: number, fall: number, health: CheckHealth) {
    this.#rise = rise
    this.#fall = fall
    this.health = health
  }

  /** Whether a change is under way. */
  get isChanging(): boolean {
    return this.against > 0
  }

  /** Takes in a result and says whether the health changed. */
  record(ok: boolean): boolean {
    const says: CheckHealth = ok ? 'up' : 'down'
    if (says === this.health) {
      this.against = 0
      return false
    }
    this.against++
    if (this.health !== 'unknown' && this.against < (ok ? this.#rise : this.#fall)) return false
    this.health = says
    this.against = 0
    return true
  }
}
