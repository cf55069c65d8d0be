import { checked, native } from '../../kernel/index.ts'
import type { EngineHooks } from '../backend.ts'
import { Blocks } from '../blocks.ts'
import { BumpBlock } from '../bump-block.ts'
import { EngineCounters } from '../counters.ts'
import type { EngineOptions } from '../options.ts'
import { Wheel } from '../timers.ts'
import { TicketKeys } from '../tls/index.ts'
import type { RingConnection } from './connection.ts'
import { Datagrams, MAX_DATAGRAM_SOCKETS } from './datagrams.ts'
import type { RingListener } from './listener.ts'
import { CQE_BUFFER, CQE_BUFFER_SHIFT, CQE_MORE, KIND, SLOT_LIMIT } from './operations.ts'
import { MAX_PIPES, Pipes } from './pipes.ts'
import { ReceiveBuffers } from './receive-buffers.ts'
import { type CompletionSink, Ring } from './ring.ts'
import { Slices } from './slices.ts'
import { TlsThread } from './tls/thread.ts'

/** Listeners of one engine; their descriptors come after those of the connections. */
export const MAX_LISTENERS = 1024
const BUFFER_GROUP = 1
/** Small enough for the CPU's cache. */
export const RING_SIZES = { sqEntries: 512, cqEntries: 8192 }
export type RingSizes = typeof RING_SIZES
const KEEP_ALIVE_MS = 2 ** 31 - 1

/**
 * Runs what Node would run after each of its own callbacks: process.nextTick() and promise jobs. Handlers run in a loop that
 * Node sees as one long callback, in which they would wait for libuv's next event. Node keeps this name for the purpose.
 */
const runTicks: () => void = (process as unknown as { _tickCallback?: () => void })._tickCallback ?? (() => {})

function nothing(): void {}

/** What changes during a turn. */
export interface Turned {
  /** Submits what has become due. */
  flush(): void
}

/**
 * The event loop of one thread. The ring blocks, and polls libuv:
 *
 *   turn:  flush what changed ─▶ enter: submit and wait ─▶ drain completions into handlers ─▶ timers ─┐
 *            ▲                                                                                        │
 *            └────────────────────────────────────────────────────────────────────────────────────────┘
 *          libuv is ready: leave through setImmediate(), libuv runs one turn of its own, come back
 *
 * It owns the arena and everything that connections share: the ring, the buffers, the slots.
 */
export class Loop implements CompletionSink {
  readonly options: EngineOptions
  readonly memory: Uint8Array
  readonly blocks: Blocks
  readonly ring: Ring
  readonly buffers: ReceiveBuffers
  readonly slices = new Slices()
  readonly bump: BumpBlock
  readonly pipes: Pipes
  readonly timers: Wheel
  /** The arena's address, and the group of its receive buffers. */
  readonly low: number
  readonly group = BUFFER_GROUP
  readonly counters = new EngineCounters()
  readonly #hooks: EngineHooks
  readonly #connections: (RingConnection | null)[] = []
  readonly #freeSlots: number[] = []
  readonly #listeners: (RingListener | null)[] = []
  readonly #dirty: (Turned | null)[] = []
  #dirtyCount = 0
  #tls: TlsThread | null = null
  /** Those that receive again when there are buffers. */
  #starved: { relieve(): void }[] = []
  readonly datagrams: Datagrams
  #openCount = 0
  #generation = 0
  #isLibuvPolled = false
  #isLibuvReady = false
  #isInTurn = false
  isFinished = false
  #keepAlive: NodeJS.Timeout | null = null
  #onIdle: (() => void) | null = null
  readonly #turn = (): void => this.#runTurn()

  constructor(options: EngineOptions, hooks: EngineHooks, sizes: RingSizes) {
    const arena = checked('mmap', native().mapMemory(options.blockBytes * options.blockCount))
    this.options = options
    this.#hooks = hooks
    this.memory = new Uint8Array(arena.buffer)
    this.low = arena.low | 0
    this.blocks = new Blocks(this.memory, options.blockBytes)
    this.bump = new BumpBlock(this.blocks)
    const descriptors = Math.min(options.maxConnections, SLOT_LIMIT) + MAX_LISTENERS
    const pipesAt = descriptors + MAX_DATAGRAM_SOCKETS
    this.ring = new Ring({ ...sizes, descriptors: pipesAt + 2 * MAX_PIPES }, arena.high, this.counters)
    this.pipes = new Pipes(this.ring.descriptors, pipesAt, this)
    this.buffers = new ReceiveBuffers(this.ring.registerBuffers(BUFFER_GROUP, options.receiveBlocks), this.blocks, arena.low, arena.high)
    this.timers = new Wheel(this, (error) => this.report(error))
    this.datagrams = new Datagrams(this, descriptors)
  }

  /** The clock stands still during a turn. Elsewhere it must not: a timer armed late would fire early. */
  now(): number {
    if (!this.#isInTurn) this.ring.readClocks()
    return this.ring.monotonicMs
  }

  wallClock(): number {
    if (!this.#isInTurn) this.ring.readClocks()
    return this.ring.wallMs
  }

  /** Made when it is first needed. Throws NATIVE_UNAVAILABLE where the addon was compiled before it had TLS. */
  get tls(): TlsThread {
    this.#tls ??= new TlsThread(this.memory, this.options.ticketKeys ? new Uint8Array(this.options.ticketKeys) : TicketKeys.create().bytes)
    return this.#tls
  }

  start(): void {
    if (this.#keepAlive !== null) return
    // libuv's time-out is 0 when nothing keeps it alive, and the loop would spin.
    this.#keepAlive = setInterval(nothing, KEEP_ALIVE_MS)
    setImmediate(this.#turn)
  }

  /** Resets everything that is open; `onIdle` is called in the turn in which all of it is gone, and the loop has stopped. */
  stop(onIdle: () => void): void {
    this.#onIdle = onIdle
    for (const listener of this.#listeners) listener?.abandon()
    for (const connection of this.#connections) connection?.reset()
    this.datagrams.close()
    this.start()
  }

  report(error: unknown): void {
    this.#hooks.report(error)
  }

  // For connections and listeners.

  nextGeneration(): number {
    this.#generation = (this.#generation + 1) | 0
    return this.#generation
  }

  /** A free slot, or -1 at the limit. occupy() must follow. */
  nextSlot(): number {
    if (this.#openCount >= this.options.maxConnections) return -1
    const free = this.#freeSlots.pop()
    if (free !== undefined) return free
    this.#connections.push(null)
    return this.#connections.length - 1
  }

  occupy(connection: RingConnection, fd: number): void {
    this.#openCount++
    this.#connections[connection.slot] = connection
    this.ring.descriptors[connection.slot] = fd + 1
  }

  /** The descriptor is about to be closed. */
  disown(slot: number): void {
    this.ring.descriptors[slot] = 0
  }

  release(connection: RingConnection): void {
    const slot = connection.slot
    if (slot === -1) return
    this.#openCount--
    this.#connections[slot] = null
    this.#freeSlots.push(slot)
  }

  get hasRoomForListener(): boolean {
    return this.#listeners.length < MAX_LISTENERS || this.#listeners.includes(null)
  }

  addListener(listener: RingListener, fd: number): number {
    let slot = this.#listeners.indexOf(null)
    if (slot === -1) slot = this.#listeners.length
    this.#listeners[slot] = listener
    this.ring.descriptors[this.options.maxConnections + slot] = fd + 1
    return slot
  }

  removeListener(slot: number): void {
    this.#listeners[slot] = null
    this.ring.descriptors[this.options.maxConnections + slot] = 0
  }

  /** flush() will be called before the loop waits again. */
  touch(connection: Turned): void {
    this.#dirty[this.#dirtyCount++] = connection
    if (this.isFinished) setImmediate(() => this.#settle())
  }

  /** relieve() will be called when there are buffers to receive into. */
  starve(connection: { relieve(): void }): void {
    this.counters.receiveStarvations++
    this.buffers.exhausted()
    this.#starved.push(connection)
  }

  /** Gives a buffer back whose bytes nobody wants. */
  discard(flags: number): void {
    const buffer = flags >>> CQE_BUFFER_SHIFT
    this.buffers.consume(buffer)
    this.buffers.renew(buffer)
  }

  complete(kind: number, slot: number, generation: number, result: number, flags: number): void {
    if (kind <= KIND.WRITABLE) {
      const connection = kind === KIND.NONE ? null : this.#connections[slot]
      if (connection === null || connection.generation !== generation) this.#stale(kind, flags)
      else if (kind === KIND.RECEIVE) connection.onReceived(result, flags)
      else if (kind === KIND.SEND) connection.onSent(result)
      else if (kind === KIND.CONNECT) connection.onConnected(result)
      else if (kind === KIND.READABLE) connection.onReadable()
      else connection.onWritable()
    } else if (kind === KIND.ACCEPT) {
      this.#listeners[slot]?.onAccepted(generation, result, (flags & CQE_MORE) !== 0)
    } else if (kind >= KIND.DATAGRAM) this.datagrams.complete(kind, slot, generation, result, flags)
    else {
      this.#isLibuvPolled = false
      this.#isLibuvReady = true
    }
  }

  #stale(kind: number, flags: number): void {
    if (kind === KIND.NONE) return
    this.counters.staleCompletions++
    if ((flags & CQE_BUFFER) !== 0) this.discard(flags)
  }

  #runTurn(): void {
    // libuv counts the immediate that runs now as still to come, and would be due at once; making another makes it count anew.
    clearImmediate(setImmediate(nothing))
    this.#isInTurn = true
    this.ring.readClocks()
    try {
      this.#run()
    } finally {
      // Also when a promise job threw: the loop must survive it, and Node must report it.
      this.#isInTurn = false
      if (this.#keepAlive !== null) setImmediate(this.#turn)
    }
  }

  #run(): void {
    const { ring, timers } = this
    // Not multishot: what one turn of libuv leaves in its queue makes no further wake-up, but polling anew finds it.
    if (!this.#isLibuvPolled) {
      this.#isLibuvPolled = true
      ring.pollLibuv()
    }
    for (;;) {
      do {
        this.#settle()
        runTicks()
      } while (this.#dirtyCount > 0)
      if (this.#onIdle !== null && this.#isIdle()) {
        this.#finish(this.#onIdle)
        return
      }
      if (this.#isLibuvReady) {
        this.#isLibuvReady = false
        if (ring.pending > 0) ring.enter(0, 0)
        if (ring.pending === 0) this.datagrams.giveBack()
        return
      }
      ring.enter(1, Math.ceil(timers.nextDelayMs(ring.monotonicMs)))
      this.#isLibuvReady = ring.isLibuvDue
      if (ring.pending === 0) this.datagrams.giveBack()
      ring.drain(this)
      timers.advance(ring.monotonicMs)
    }
  }

  /** Submits what has changed, and lets those receive again that found no buffer. */
  #settle(): void {
    if (this.buffers.vacantCount > 0) this.buffers.refill()
    if (this.#starved.length > 0) this.#relieve()
    for (let i = 0; i < this.#dirtyCount; i++) {
      const connection = this.#dirty[i]!
      this.#dirty[i] = null
      connection.flush()
    }
    this.#dirtyCount = 0
  }

  #relieve(): void {
    const count = Math.min(this.buffers.available, this.#starved.length)
    for (let i = 0; i < count; i++) this.#starved[i].relieve()
    this.#starved = this.#starved.slice(count)
  }

  #isIdle(): boolean {
    return this.#openCount === 0 && this.datagrams.isIdle && this.#listeners.every((listener) => listener === null)
  }

  #finish(onIdle: () => void): void {
    if (this.#keepAlive !== null) clearInterval(this.#keepAlive)
    this.#keepAlive = null
    this.isFinished = true
    // Descriptors that are still to be closed.
    while (this.ring.pending > 0) this.ring.enter(0, 0)
    this.pipes.close()
    this.ring.close()
    native().discardMemory(this.memory)
    onIdle()
  }
}
