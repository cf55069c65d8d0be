/** Text as bytes at an offset of its own, with other bytes around it, as it would lie in the arena. */
export interface Placed {
  readonly memory: Uint8Array
  readonly start: number
  readonly end: number
}

export function place(text: string, start = 7): Placed {
  const bytes = Buffer.from(text, 'latin1')
  const memory = new Uint8Array(start + bytes.length + 4096).fill(0x2a)
  memory.set(bytes, start)
  return { memory, start, end: start + bytes.length }
}

export function textOf(memory: Uint8Array, start: number, end: number): string {
  return Buffer.from(memory.subarray(start, end)).toString('latin1')
}

/** What `write` puts into memory. */
export function written(write: (memory: Uint8Array, at: number) => number): string {
  const memory = new Uint8Array(4096)
  return textOf(memory, 100, write(memory, 100))
}
