import { WORKER } from './layout.ts'
import type { PoolTable } from './table.ts'

/**
 * How workers wake each other, through a word of the pool table: ringing is a system call only where somebody waits, and the woken
 * worker's event loop calls back soon. Rings that come close together are one call.
 */
export class WakeLine {
  readonly #table: PoolTable
  readonly #worker: number
  #isOpen = false

  constructor(table: PoolTable, worker: number) {
    this.#table = table
    this.#worker = worker
  }

  ring(worker: number): void {
    const word = this.#table.workerRow(worker) + WORKER.WAKE
    Atomics.add(this.#table.words, word, 1)
    Atomics.notify(this.#table.words, word)
  }

  /** Calls `answer` after each ring for this worker, until close(). */
  listen(answer: () => void): void {
    this.#isOpen = true
    const words = this.#table.words
    const word = this.#table.workerRow(this.#worker) + WORKER.WAKE
    let seen = Atomics.load(words, word)
    const wait = (): void => {
      const waiting = Atomics.waitAsync(words, word, seen)
      void Promise.resolve(waiting.value).then(() => {
        if (!this.#isOpen) return
        seen = Atomics.load(words, word)
        answer()
        wait()
      })
    }
    wait()
  }

  close(): void {
    this.#isOpen = false
    this.ring(this.#worker)
  }
}
