import { createWriteStream, type WriteStream } from 'node:fs'
import type { AccessLogPlan } from '../config.ts'

/** Where lines end up. */
export interface LogOutput {
  /** `done` is called when the bytes may be reused, written or not. */
  write(bytes: Uint8Array, done: () => void): void
  /** Opens the file anew, after a rotation has renamed it. */
  reopen(): void
  close(): Promise<void>
}

/**
 * The file, or a standard stream. A failed write is reported once and tried again with the next lines, so that a full disk
 * that is cleaned up needs nobody to intervene.
 */
export function openLog(target: AccessLogPlan['target'], report: (message: string) => void): LogOutput {
  if (target.kind !== 'file') return new StandardLog(target.kind === 'stdout' ? process.stdout : process.stderr)
  return new FileLog(target.path, report)
}

class StandardLog implements LogOutput {
  readonly #stream: NodeJS.WriteStream

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream
    // The reader of a pipe may go away (`| head`): that ends the lines, not the balancer.
    stream.on('error', () => {})
  }

  write(bytes: Uint8Array, done: () => void): void {
    this.#stream.write(bytes, () => done())
  }

  reopen(): void {}

  close(): Promise<void> {
    return new Promise((resolve) => this.#stream.write('', () => resolve()))
  }
}

class FileLog implements LogOutput {
  readonly #path: string
  readonly #report: (message: string) => void
  #stream: WriteStream
  #hasFailed = false

  constructor(path: string, report: (message: string) => void) {
    this.#path = path
    this.#report = report
    this.#stream = this.#open()
  }

  write(bytes: Uint8Array, done: () => void): void {
    if (this.#stream.destroyed) this.#stream = this.#open()
    this.#stream.write(bytes, (error) => {
      if (error === null || error === undefined) this.#hasFailed = false
      done()
    })
  }

  reopen(): void {
    const old = this.#stream
    this.#stream = this.#open()
    old.end()
  }

  close(): Promise<void> {
    if (this.#stream.destroyed) return Promise.resolve()
    return new Promise((resolve) => {
      this.#stream.once('close', resolve)
      this.#stream.end()
    })
  }

  #open(): WriteStream {
    const stream = createWriteStream(this.#path, { flags: 'a', mode: 0o640 })
    stream.on('error', (error) => {
      if (!this.#hasFailed) this.#report(`access log ${this.#path} cannot be written: ${error.message}; lines are lost until it can`)
      this.#hasFailed = true
    })
    return stream
  }
}
