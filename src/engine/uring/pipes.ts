import { closePipe, hasSplice, openPipe, type PipeEnds } from '../../kernel/index.ts'

/** Pipes of one engine at a time; each is two descriptors, and memory of the kernel while bytes are in it. */
export const MAX_PIPES = 256
/** As much as anybody may ask for. The kernel counts pages, and a page of a socket may hold few bytes. */
const PIPE_BYTES = 1 << 20
/** Empty pipes that are kept. */
const MAX_SPARE = 16
/** Since none could be opened: asking again at each piece would cost more than it could save. */
const RETRY_MS = 1000

/** A pipe with its place in the list of descriptors that the kernel closes with the thread. */
export interface Pipe extends PipeEnds {
  readonly slot: number
}

/**
 * The pipes that bytes go through from socket to socket. One is held only while bytes are in it, which between two sockets that
 * keep pace is no longer than a call; so there are as many as there are slow peers, and at the limit copying goes on instead.
 *
 *   take() ──▶ bytes in and out ──empty──▶ giveBack() ──▶ spare
 *                     └── bytes that nobody wants ──▶ discard(): closed
 */
export class Pipes {
  readonly #descriptors: Int32Array
  readonly #first: number
  readonly #clock: { now(): number }
  readonly #limit: number
  readonly #spare: Pipe[] = []
  readonly #freeSlots: number[] = []
  #count = 0
  #retryMs = 0

  /** `first` is the place of the first pipe in `descriptors`; each has two. */
  constructor(descriptors: Int32Array, first: number, clock: { now(): number }, limit = MAX_PIPES) {
    this.#descriptors = descriptors
    this.#first = first
    this.#clock = clock
    this.#limit = limit
  }

  /** Whether take() may have one. */
  get isAvailable(): boolean {
    return this.#spare.length > 0 || (this.#count < this.#limit && this.#clock.now() >= this.#retryMs && hasSplice())
  }

  /** An empty pipe, or null at the limit and where the system has none. */
  take(): Pipe | null {
    const spare = this.#spare.pop()
    if (spare !== undefined) return spare
    return this.isAvailable ? this.#open() : null
  }

  /** The pipe is empty. */
  giveBack(pipe: Pipe): void {
    if (this.#spare.length < MAX_SPARE) this.#spare.push(pipe)
    else this.discard(pipe)
  }

  /** Closes the pipe with what is in it. */
  discard(pipe: Pipe): void {
    this.#count--
    this.#freeSlots.push(pipe.slot)
    this.#list(pipe.slot, 0, 0)
    closePipe(pipe)
  }

  close(): void {
    for (const pipe of this.#spare.splice(0)) this.discard(pipe)
  }

  #open(): Pipe | null {
    const ends = openPipe(PIPE_BYTES)
    if (typeof ends === 'number') {
      this.#retryMs = this.#clock.now() + RETRY_MS
      return null
    }
    const slot = this.#freeSlots.pop() ?? this.#count
    this.#count++
    this.#list(slot, ends.readEnd + 1, ends.writeEnd + 1)
    return { ...ends, slot }
  }

  #list(slot: number, one: number, other: number): void {
    const at = this.#first + 2 * slot
    this.#descriptors[at] = one
    this.#descriptors[at + 1] = other
  }
}
