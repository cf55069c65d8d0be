import type { Pace } from '../../src/core/index.ts'

/** Time that stands still until a test moves it, and chance that is none. */
export class FakePace implements Pace {
  #now: number
  readonly #sleepers: { readonly untilMs: number; readonly wake: () => void }[] = []
  #changed: (() => void)[] = []

  constructor(startMs: number = Date.now()) {
    this.#now = startMs
  }

  now(): number {
    return this.#now
  }

  random(): number {
    return 0
  }

  sleep(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) {
        reject(signal.reason)
        return
      }
      this.#sleepers.push({ untilMs: this.#now + ms, wake: resolve })
      signal.addEventListener('abort', () => reject(signal.reason), { once: true })
      for (const tell of this.#changed.splice(0)) tell()
    })
  }

  /** Resolves when somebody sleeps. */
  async settled(): Promise<void> {
    while (this.#sleepers.length === 0) await new Promise<void>((tell) => this.#changed.push(tell))
  }

  /** Moves time to where the first sleeper wakes, and waits until somebody sleeps again. How far that was. */
  async next(): Promise<number> {
    await this.settled()
    const first = Math.min(...this.#sleepers.map(({ untilMs }) => untilMs))
    const moved = Math.max(first - this.#now, 0)
    this.#now += moved
    for (const { wake } of this.#sleepers.splice(0)) wake()
    await this.settled()
    return moved
  }
}
