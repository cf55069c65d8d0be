/** Where lines end up. */
export interface LogOutput {
  /** `done` is called when the bytes may be reused, because they were written or given up. */
  write(bytes: Uint8Array, done: () => void): void
  /** Opens the file anew, after a rotation has renamed it. */
  reopen(): void
  /** Writes what waits, as far as that is possible at once, and closes. */
  close(): Promise<void>
}

/** An open file, as node:fs/promises has it. */
export interface LogFile {
  write(bytes: Uint8Array, offset: number, length: number): Promise<{ readonly bytesWritten: number }>
  stat(): Promise<{ readonly dev: number; readonly ino: number }>
  close(): Promise<void>
}

export interface LogFileSystem {
  /** Opens for appending, and makes the file if it is not there. */
  open(path: string): Promise<LogFile>
  /** "dev:ino" of what the path names now; rejects where it names nothing. */
  identify(path: string): Promise<string>
}

export interface LogWriterOptions {
  readonly files: LogFileSystem
  readonly report: (message: string) => void
  readonly schedule: (callback: () => void, delayMs: number) => void
  /** Milliseconds on a monotonic clock. */
  readonly now: () => number
}

/** Milliseconds between two attempts to write after one has failed. */
export const RETRY_MS = 1000
/** The same where a pipe is full, which is no failure. */
export const FULL_PIPE_RETRY_MS = 10
/** Milliseconds between two looks whether the file was renamed or removed. */
export const LOOK_MS = 1000

interface Chunk {
  readonly bytes: Uint8Array
  readonly done: () => void
}

/**
 * Appends chunks of lines to a file, one write at a time.
 *
 *   IDLE ──write──▶ WRITING ──queue empty──▶ IDLE
 *                    │   ▲
 *                 error  └── RETRY_MS ── WAITING        the chunk that failed is tried again: nothing is lost here
 *                    └──────────────────────┘
 *
 * While it waits (disk full, no permission, folder gone), chunks are not given back, so that the workers run out of them and drop
 * and count lines: memory is bounded by their chunks. A failure is reported once, and so is its end. A file that was renamed
 * or removed (logrotate) is opened anew, at once after reopen().
 */
export class LogWriter implements LogOutput {
  readonly #path: string
  readonly #options: LogWriterOptions
  readonly #queue: Chunk[] = []
  #file: LogFile | null = null
  #identity = ''
  #lookedAtMs = 0
  #written = 0
  #isRunning = false
  #isBroken = false
  #isWaiting = false
  #isClosing = false
  #mustReopen = false
  #closed = Promise.withResolvers<void>()

  constructor(path: string, options: LogWriterOptions) {
    this.#path = path
    this.#options = options
  }

  write(bytes: Uint8Array, done: () => void): void {
    if (this.#isClosing) {
      done()
      return
    }
    this.#queue.push({ bytes, done })
    if (!this.#isWaiting) this.#run()
  }

  /** Opens the file before there are lines, so that what is wrong with it is told at once. */
  open(): void {
    this.#run()
  }

  reopen(): void {
    this.#mustReopen = true
    this.#run()
  }

  close(): Promise<void> {
    this.#isClosing = true
    this.#run()
    return this.#closed.promise
  }

  #run(): void {
    if (this.#isRunning) return
    this.#isRunning = true
    void this.#drain()
  }

  async #drain(): Promise<void> {
    try {
      if (this.#mustReopen && this.#file !== null) await this.#release()
      this.#mustReopen = false
      if (this.#file === null && !this.#isClosing) await this.#open()
      while (this.#queue.length > 0) {
        await this.#writeFirst()
        if (this.#mustReopen) await this.#release()
        this.#mustReopen = false
      }
    } catch (error) {
      return this.#failed(error as Error)
    }
    this.#isRunning = false
    if (this.#isClosing) await this.#finish()
  }

  async #writeFirst(): Promise<void> {
    if (this.#options.now() - this.#lookedAtMs >= LOOK_MS) await this.#look()
    const file = this.#file ?? (await this.#open())
    const { bytes, done } = this.#queue[0]
    while (this.#written < bytes.length) {
      const { bytesWritten } = await file.write(bytes, this.#written, bytes.length - this.#written)
      this.#written += bytesWritten
    }
    this.#queue.shift()
    this.#written = 0
    if (this.#isBroken) this.#options.report(`access log ${this.#path} can be written again`)
    this.#isBroken = false
    done()
  }

  async #open(): Promise<LogFile> {
    const file = await this.#options.files.open(this.#path)
    this.#file = file
    const { dev, ino } = await file.stat()
    this.#identity = `${dev}:${ino}`
    this.#lookedAtMs = this.#options.now()
    return file
  }

  /** Lets go of a file that its path does not name any more. */
  async #look(): Promise<void> {
    this.#lookedAtMs = this.#options.now()
    if (this.#file === null) return
    const identity = await this.#options.files.identify(this.#path).catch(() => '')
    if (identity !== this.#identity) await this.#release()
  }

  /** A chunk that was written in part goes on in the new file: a line may be torn, but none is lost or doubled. */
  async #release(): Promise<void> {
    const file = this.#file
    this.#file = null
    await file?.close().catch(() => undefined)
  }

  async #failed(error: NodeJS.ErrnoException): Promise<void> {
    const isFull = error.code === 'EAGAIN'
    if (!isFull) {
      if (!this.#isBroken)
        this.#options.report(`access log ${this.#path} cannot be written: ${explain(error)}; lines wait, and are dropped when too many do`)
      this.#isBroken = true
      await this.#release()
    }
    this.#isRunning = false
    if (this.#isClosing) await this.#finish()
    else this.#wait(isFull ? FULL_PIPE_RETRY_MS : RETRY_MS)
  }

  #wait(delayMs: number): void {
    if (this.#isWaiting) return
    this.#isWaiting = true
    this.#options.schedule(() => {
      this.#isWaiting = false
      this.#run()
    }, delayMs)
  }

  async #finish(): Promise<void> {
    for (const { done } of this.#queue.splice(0)) done()
    await this.#release()
    this.#closed.resolve()
  }
}

function explain({ code, message }: NodeJS.ErrnoException): string {
  switch (code) {
    case 'ENOENT':
      return 'its folder does not exist (ENOENT)'
    case 'EISDIR':
      return 'it is a folder (EISDIR)'
    case 'EACCES':
      return 'this user may not (EACCES)'
    case 'ENOSPC':
      return 'the disk is full (ENOSPC)'
    default:
      return message
  }
}
