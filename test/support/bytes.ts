/** Bytes that are told by their position, without keeping them: what a stream should carry, however it is cut. */
export class Sequence {
  /** How many bytes have been made or checked. */
  position = 0
  #state: number

  constructor(seed = 1) {
    this.#state = seed >>> 0 || 1
  }

  fill(target: Uint8Array): void {
    for (let i = 0; i < target.length; i++) target[i] = this.#next()
  }

  /** Throws at the first byte that is not the next of the sequence. */
  check(bytes: Uint8Array): void {
    for (let i = 0; i < bytes.length; i++) {
      const expected = this.#next()
      if (bytes[i] !== expected) throw new Error(`byte ${this.position - 1} is ${bytes[i]}, not ${expected}`)
    }
  }

  /** xorshift32: cheap, and its bytes do not repeat within any stream of ours. */
  #next(): number {
    let x = this.#state
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    this.#state = x >>> 0
    this.position++
    return x & 0xff
  }
}
