import type { AccessLogFormat } from '../config.ts'
import { LineWriter, MAX_LINE_BYTES } from './line-writer.ts'
import type { LogRecord } from './record.ts'

export const CHUNK_BYTES = 64 * 1024
/** Chunks that may be on their way to the control thread. Beyond that lines are dropped and counted; nothing ever waits. */
export const MAX_CHUNKS_IN_FLIGHT = 32

/** What goes through the port: a chunk of whole lines to the control thread, and its buffer back once it is written. */
export interface LogChunk {
  readonly bytes: ArrayBuffer
  readonly length: number
}

/** The end of a MessagePort, as far as it is needed here. */
export interface LogPort {
  postMessage(message: LogChunk, transfer: ArrayBuffer[]): void
  on(event: 'message', listener: (bytes: ArrayBuffer) => void): unknown
}

/**
 * A worker's side of the access log: lines are formatted into a chunk, which goes to the control thread when it is full or when
 * flush() is called, some milliseconds after its first line.
 */
export class AccessLogSink {
  readonly #port: LogPort
  readonly #row: Float64Array
  readonly #droppedCell: number
  readonly #spare: ArrayBuffer[] = []
  #writer: LineWriter
  #chunk: Uint8Array | null = null
  #length = 0
  #inFlight = 0

  /** Lines that are dropped because the control thread lags are counted in row[droppedCell]. */
  constructor(port: LogPort, format: AccessLogFormat, row: Float64Array, droppedCell: number) {
    this.#port = port
    this.#row = row
    this.#droppedCell = droppedCell
    this.#writer = new LineWriter(format)
    port.on('message', (bytes) => {
      this.#inFlight--
      this.#spare.push(bytes)
    })
  }

  reformat(format: AccessLogFormat): void {
    this.#writer = new LineWriter(format)
  }

  /** True when this was the first line of a chunk: the caller arranges for a flush(). */
  write(memory: Uint8Array, record: LogRecord): boolean {
    if (this.#chunk !== null && this.#length + MAX_LINE_BYTES > CHUNK_BYTES) this.flush()
    if (this.#chunk === null && !this.#open()) {
      this.#row[this.#droppedCell]++
      return false
    }
    const isFirst = this.#length === 0
    this.#length = this.#writer.write(this.#chunk as unknown as Uint8Array, this.#length, memory, record)
    return isFirst
  }

  flush(): void {
    if (this.#chunk === null || this.#length === 0) return
    const bytes = this.#chunk.buffer as ArrayBuffer
    this.#inFlight++
    this.#port.postMessage({ bytes, length: this.#length }, [bytes])
    this.#chunk = null
    this.#length = 0
  }

  #open(): boolean {
    if (this.#inFlight >= MAX_CHUNKS_IN_FLIGHT) return false
    this.#chunk = new Uint8Array(this.#spare.pop() ?? new ArrayBuffer(CHUNK_BYTES))
    this.#length = 0
    return true
  }
}
