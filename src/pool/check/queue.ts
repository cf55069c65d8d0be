/** Lets at most `limit` checks run at once, in the order in which they came, so that thousands of servers are no burst. */
export class CheckQueue {
  readonly #limit: number
  readonly #waiting = new Set<() => void>()
  #running = 0

  constructor(limit: number) {
    this.#limit = limit
  }

  /** Runs it now or as soon as another is done. done() must follow its end. */
  enter(run: () => void): void {
    if (this.#running >= this.#limit) {
      this.#waiting.add(run)
      return
    }
    this.#running++
    run()
  }

  /** Takes back what has not run yet. */
  leave(run: () => void): void {
    this.#waiting.delete(run)
  }

  done(): void {
    this.#running--
    const [next] = this.#waiting
    if (next === undefined) return
    this.#waiting.delete(next)
    this.#running++
    next()
  }
}
