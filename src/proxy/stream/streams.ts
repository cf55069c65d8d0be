import { type Engine, Timer, type TimerTarget } from '../../engine/index.ts'
import { NO_KEY_SOURCE, PickContext, type Random } from '../../pool/index.ts'
import type { StreamRoute } from './site.ts'
import { STREAM_PHASE, type Stream } from './stream.ts'
import { STREAM_END } from './termination.ts'

/** Contexts kept for reuse; a stream has one only while its server is looked for. */
const MAX_SPARE_PICKS = 256
/** How often the servers of streams that end with them are looked at. */
const WATCH_MS = 200

/** The streams of a worker, and what they share. */
export class Streams implements TimerTarget {
  readonly #engine: Engine
  readonly #random: Random
  readonly #watch: Timer
  readonly #open = new Set<Stream>()
  readonly #spare: PickContext[] = []
  #onIdle: (() => void) | null = null

  constructor(engine: Engine, random: Random) {
    this.#engine = engine
    this.#random = random
    this.#watch = new Timer(this)
  }

  get size(): number {
    return this.#open.size
  }

  [Symbol.iterator](): SetIterator<Stream> {
    return this.#open.values()
  }

  add(stream: Stream): void {
    this.#open.add(stream)
    if (stream.site.resetsWhenDown && !this.#watch.isArmed) this.#engine.timers.arm(this.#watch, WATCH_MS)
  }

  delete(stream: Stream): void {
    this.#open.delete(stream)
    if (this.#open.size > 0 || this.#onIdle === null) return
    this.#onIdle()
    this.#onIdle = null
  }

  /** `callback` is called when the last stream is over, or at once. */
  whenIdle(callback: () => void): void {
    if (this.#open.size === 0) callback()
    else this.#onIdle = callback
  }

  /** Ends all of them at once. */
  cut(): void {
    for (const stream of [...this.#open]) stream.abort(STREAM_END.SHUTDOWN)
  }

  /** Resets the streams whose server is down or in maintenance, where their listener says so. */
  expired(): void {
    let watched = 0
    for (const stream of this.#open) {
      if (!stream.site.resetsWhenDown) continue
      watched++
      if (stream.phase === STREAM_PHASE.OPEN && isDown(stream)) stream.abort(STREAM_END.SERVER_DOWN)
    }
    if (watched > 0) this.#engine.timers.arm(this.#watch, WATCH_MS)
  }

  takePick(stream: Stream): PickContext {
    const pick = this.#spare.pop() ?? new PickContext(this.#random)
    pick.keySource = stream
    pick.begin(this.#engine.wallClock())
    return pick
  }

  givePickBack(pick: PickContext): void {
    pick.keySource = NO_KEY_SOURCE
    if (this.#spare.length < MAX_SPARE_PICKS) this.#spare.push(pick)
  }
}

function isDown(stream: Stream): boolean {
  const server = (stream.route as StreamRoute).pool.pool.servers[stream.serverIndex]
  return server.health === 'down' || server.admin === 'maintenance'
}
