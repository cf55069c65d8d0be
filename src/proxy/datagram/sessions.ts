/** How many sessions of datagrams a worker has. */
export class Sessions {
  #count = 0
  #onIdle: (() => void) | null = null

  began(): void {
    this.#count++
  }

  ended(): void {
    this.#count--
    if (this.#count > 0 || this.#onIdle === null) return
    this.#onIdle()
    this.#onIdle = null
  }

  /** `callback` is called when the last session is over, or at once. */
  whenIdle(callback: () => void): void {
    if (this.#count === 0) callback()
    else this.#onIdle = callback
  }
}
