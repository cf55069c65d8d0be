/** Reads runs of bytes as Latin-1 text, for the predicates that need a string. The view of a memory is made once. */
export class TextReader {
  #memory: Uint8Array | null = null
  #view: Buffer = Buffer.alloc(0)

  read(memory: Uint8Array, start: number, end: number): string {
    if (this.#memory !== memory) {
      this.#memory = memory
      this.#view = Buffer.from(memory.buffer, memory.byteOffset, memory.length)
    }
    return this.#view.toString('latin1', start, end)
  }
}
