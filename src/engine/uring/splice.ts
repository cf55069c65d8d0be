import { setNonBlocking, splice } from '../../kernel/index.ts'
import type { SpliceObserver } from '../connection.ts'
import { ERRNO } from './operations.ts'
import type { Pipe, Pipes } from './pipes.ts'

/** Moved at once; more would make other connections wait, less would be more system calls. */
const PIECE_BYTES = 512 * 1024
/** Pieces shorter than this on average cost less when they are copied. */
const SHORT_BYTES = 8 * 1024
/** What the average begins with, so that the first pieces alone do not decide. */
const FIRST_AVERAGE_BYTES = 64 * 1024

/** The connection that bytes come from. */
export interface SpliceSource {
  readonly descriptor: number
  receivedBytes: number
  /** Neither paused nor closing. */
  readonly mayPull: boolean
  /** flush() is to be called. */
  touch(): void
  /** Bytes come through received() again; `mayFollow` says that another splice may follow behind a few of them. */
  outletOver(mayFollow: boolean): void
  /** As the result of a receive: 0 is FIN, below 0 is -errno. */
  pullEnded(result: number): void
  /** Calls the observer. */
  tellSpliced(observer: SpliceObserver, count: number): void
}

/** The connection that bytes go to. */
export interface SpliceTarget {
  readonly descriptor: number
  /** Nothing is queued for it. */
  readonly isIdle: boolean
  touch(): void
  /** The kernel has taken so many bytes. */
  pushed(count: number): void
  /** What is queued may be sent again. */
  inletOver(): void
  /** As the result of a send. */
  pushFailed(result: number): void
}

/**
 * Bytes of one connection on their way to another without passing through memory of ours: splice(2) into a pipe and out of it moves pages.
 *
 *   source's socket ──▶ pipe ──▶ target's socket
 *
 *   STARTING ──the source's receive is over, the target's queue is empty──▶ MOVING ──▶ over
 *
 * A poll says when the source can be read, or, while bytes wait in the pipe, when the target can be written; never both, so that a slow
 * target stops the source as a full queue would. It ends for the source at the limit, at FIN or failure, when pieces have become short, when
 * there is no pipe, or when the target is to send something else; and for the target when the pipe is empty after that.
 */
export class Splice {
  /** Bytes in the pipe. */
  waiting = 0
  /** False while it waits for what is under way the usual way. */
  isMoving = false
  #source: SpliceSource | null
  #target: SpliceTarget | null
  readonly #pipes: Pipes
  readonly #observer: SpliceObserver
  /** Of the source's receivedBytes. */
  readonly #end: number
  #pipe: Pipe | null = null
  #averageBytes = FIRST_AVERAGE_BYTES

  constructor(pipes: Pipes, source: SpliceSource, target: SpliceTarget, bytes: number, observer: SpliceObserver) {
    this.#pipes = pipes
    this.#source = source
    this.#target = target
    this.#observer = observer
    this.#end = source.receivedBytes + bytes
  }

  get isTargetIdle(): boolean {
    return this.#target?.isIdle === true
  }

  /** Nothing is under way the usual way any more. */
  begin(): void {
    const source = this.#source as SpliceSource
    const target = this.#target as SpliceTarget
    const isDone = source.receivedBytes >= this.#end
    if (isDone || setNonBlocking(source.descriptor) < 0 || setNonBlocking(target.descriptor) < 0) this.stop()
    else this.isMoving = true
  }

  /** Either side is ready, as far as a poll can tell. */
  move(): void {
    if (!this.isMoving) return
    if (this.waiting > 0) this.#push()
    if (this.waiting === 0 && this.#source?.mayPull === true) this.#pull(this.#source)
    // Whichever is to be waited for now asks to be polled when it is flushed.
    if (this.waiting > 0) this.#target?.touch()
    else this.#source?.touch()
  }

  /** The target's queue is empty. */
  targetIdle(): void {
    if (!this.isMoving) this.#source?.touch()
  }

  /** The source is to receive the usual way again, or is no more; what is in the pipe still goes out. */
  stop(): void {
    const source = this.#source
    this.#source = null
    source?.outletOver(source.receivedBytes >= this.#end)
    if (this.waiting === 0) this.#finish()
  }

  /** The target takes no more: what is in the pipe is lost. */
  abandon(): void {
    if (this.#pipe !== null) this.#pipes.discard(this.#pipe)
    this.#pipe = null
    this.waiting = 0
    this.stop()
  }

  #pull(source: SpliceSource): void {
    const pipe = (this.#pipe ??= this.#pipes.take())
    if (pipe === null) {
      this.stop()
      return
    }
    const count = splice(source.descriptor, pipe.writeEnd, Math.min(PIECE_BYTES, this.#end - source.receivedBytes))
    if (count > 0) this.#pulled(source, count)
    else {
      this.#release()
      if (count === ERRNO.EAGAIN || count === ERRNO.EINTR) return
      this.stop()
      // A socket that cannot be spliced is received from the usual way.
      if (count !== ERRNO.EINVAL) source.pullEnded(count)
    }
  }

  #pulled(source: SpliceSource, count: number): void {
    source.receivedBytes += count
    this.waiting = count
    this.#averageBytes += (count - this.#averageBytes) / 4
    this.#push()
    if (this.#source !== null && (source.receivedBytes >= this.#end || this.#averageBytes < SHORT_BYTES)) this.stop()
    source.tellSpliced(this.#observer, count)
  }

  #push(): void {
    const target = this.#target as SpliceTarget
    const count = splice((this.#pipe as Pipe).readEnd, target.descriptor, this.waiting)
    if (count > 0) {
      this.waiting -= count
      target.pushed(count)
    } else if (count < 0 && count !== ERRNO.EAGAIN && count !== ERRNO.EINTR) {
      this.abandon()
      target.pushFailed(count)
      return
    }
    if (this.waiting > 0) return
    this.#release()
    if (this.#source === null) this.#finish()
  }

  /** The pipe is empty. */
  #release(): void {
    if (this.#pipe !== null) this.#pipes.giveBack(this.#pipe)
    this.#pipe = null
  }

  #finish(): void {
    const target = this.#target
    this.#target = null
    target?.inletOver()
  }
}
