/**
 * Open connections of each listener over all workers, in memory that they share, so that a limit is exact. A listener is known by the
 * cell of its connections in the metrics, which every worker has the same and which a reload does not change.
 *
 *   | count of each cell | workers that wait for a place, as bits, of each cell |
 */
export class ConnectionCounts {
  readonly buffer: SharedArrayBuffer
  readonly #words: Int32Array
  readonly #cells: number

  private constructor(buffer: SharedArrayBuffer) {
    this.buffer = buffer
    this.#words = new Int32Array(buffer)
    this.#cells = this.#words.length / 2
  }

  static create(cells: number): ConnectionCounts {
    return new ConnectionCounts(new SharedArrayBuffer(cells * 2 * 4))
  }

  static attach(buffer: SharedArrayBuffer): ConnectionCounts {
    return new ConnectionCounts(buffer)
  }

  /** Counts a connection; false, and nothing is counted, where there are `limit` already. */
  enter(cell: number, limit: number): boolean {
    let count = Atomics.load(this.#words, cell)
    while (count < limit) {
      const seen = Atomics.compareExchange(this.#words, cell, count, count + 1)
      if (seen === count) return true
      count = seen
    }
    return false
  }

  leave(cell: number, connections = 1): void {
    Atomics.sub(this.#words, cell, connections)
  }

  isFull(cell: number, limit: number): boolean {
    return Atomics.load(this.#words, cell) >= limit
  }

  /** The worker wants to be woken when a place is free. Workers from the 33rd on share bits. */
  wait(cell: number, worker: number): void {
    Atomics.or(this.#words, this.#cells + cell, 1 << (worker & 31))
  }

  /** Takes the bits of the workers that wait; 0 for none, which costs one read. */
  takeWaiting(cell: number): number {
    const at = this.#cells + cell
    return Atomics.load(this.#words, at) === 0 ? 0 : Atomics.exchange(this.#words, at, 0)
  }
}
