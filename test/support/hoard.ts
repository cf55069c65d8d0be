import type { Sequence } from './bytes.ts'
import type { EngineUnderTest } from './engine.ts'

/** Keeps slices under holds, in the order of their arrival. */
export class Hoard {
  readonly #test: EngineUnderTest
  readonly #slices: { start: number; end: number }[] = []

  constructor(test: EngineUnderTest) {
    this.#test = test
  }

  keep(start: number, end: number): void {
    this.#test.engine.blocks.hold(start)
    this.#slices.push({ start, end })
  }

  release(check?: Sequence): void {
    const { blocks, memory } = this.#test.engine
    for (const { start, end } of this.#slices.splice(0)) {
      check?.check(memory.subarray(start, end))
      blocks.release(start)
    }
  }
}
