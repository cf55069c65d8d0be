/** Lets changes of what is in force happen one after the other, in the order in which they were asked for. */
export class Turns {
  #last: Promise<unknown> = Promise.resolve()

  /** Resolves once everything asked for so far is over. */
  get settled(): Promise<unknown> {
    return this.#last
  }

  take<T>(change: () => Promise<T>): Promise<T> {
    const result = this.#last.then(change)
    this.#last = result.catch(() => {})
    return result
  }
}
