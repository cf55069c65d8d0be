/** A source of randomness for picks; tests inject a seeded one. Not for secrets. */
export interface Random {
  /** A whole number from 0 to 2^32 - 1. */
  next(): number
}

/** sfc32 (Chris Doty-Humphrey, PractRand): 128 bits of state, no allocation. */
export class SeededRandom implements Random {
  #a: number
  #b: number
  #c: number
  #counter: number

  constructor(seed: number) {
    this.#a = seed | 0
    this.#b = (seed / 2 ** 32) | 0
    this.#c = 0x9e3779b9 | 0
    this.#counter = 1
    for (let i = 0; i < 12; i++) this.next()
  }

  next(): number {
    const result = (((this.#a + this.#b) | 0) + this.#counter) | 0
    this.#counter = (this.#counter + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + result) | 0
    return result >>> 0
  }
}
