import { type WritableHead, writeBytes, writeDecimal, writeFields, writeRange } from '../http/index.ts'

/** Writes a head into the arena, front to back. One for each worker; the position is its only state. */
export class HeadWriter {
  readonly memory: Uint8Array
  at = 0

  constructor(memory: Uint8Array) {
    this.memory = memory
  }

  begin(at: number): void {
    this.at = at
  }

  literal(bytes: Uint8Array): void {
    this.at = writeBytes(this.memory, this.at, bytes)
  }

  copy(start: number, end: number): void {
    this.at = writeRange(this.memory, this.at, start, end)
  }

  /** Latin-1. */
  text(text: string): void {
    for (let i = 0; i < text.length; i++) this.memory[this.at++] = text.charCodeAt(i)
  }

  byte(value: number): void {
    this.memory[this.at++] = value
  }

  decimal(value: number): void {
    this.at = writeDecimal(this.memory, this.at, value)
  }

  /** The fields whose well-known name is not flagged in `dropped` and that no Connection option names. */
  fields(head: WritableHead, dropped: Uint8Array): void {
    this.at = writeFields(this.memory, this.at, head, dropped)
  }
}
