import type { Clock } from '../../src/core/index.ts'
import type { CheckConnect, CheckDelay, CheckSocket, CheckSocketEvents, CheckTarget } from '../../src/pool/index.ts'

interface Alarm {
  readonly atMs: number
  readonly callback: () => void
}

/** Time that a test moves by hand, with the delays that wait for it. */
export class Timeline implements Clock {
  #nowMs = 0
  readonly #alarms = new Set<Alarm>()

  readonly delay: CheckDelay = (delayMs, callback) => {
    const alarm = { atMs: this.#nowMs + delayMs, callback }
    this.#alarms.add(alarm)
    return () => this.#alarms.delete(alarm)
  }

  now(): number {
    return this.#nowMs
  }

  wallClock(): number {
    return 1_700_000_000_000 + this.#nowMs
  }

  get waiting(): number {
    return this.#alarms.size
  }

  /** Moves on and calls everything that comes due, in order. */
  advance(ms: number): void {
    const end = this.#nowMs + ms
    for (;;) {
      const next = [...this.#alarms].filter((alarm) => alarm.atMs <= end).sort((a, b) => a.atMs - b.atMs)[0]
      if (next === undefined) break
      this.#alarms.delete(next)
      this.#nowMs = next.atMs
      next.callback()
    }
    this.#nowMs = end
  }
}

/** A connection that a check made, seen from the server. */
export class CheckConnection implements CheckSocket {
  readonly target: CheckTarget
  readonly events: CheckSocketEvents
  readonly written: Buffer[] = []
  isClosed = false

  constructor(target: CheckTarget, events: CheckSocketEvents) {
    this.target = target
    this.events = events
  }

  write(bytes: Uint8Array): void {
    this.written.push(Buffer.from(bytes))
  }

  close(): void {
    this.isClosed = true
  }

  /** What the check sent, as text. */
  get request(): string {
    return Buffer.concat(this.written).toString('latin1')
  }

  answer(text: string | Uint8Array): void {
    this.events.received(typeof text === 'string' ? Buffer.from(text, 'latin1') : text)
  }
}

/** Servers without sockets: every connect is kept in `connections`, and nothing happens on it until the test says so. */
export class CheckServers {
  readonly connections: CheckConnection[] = []

  readonly connect: CheckConnect = (target, events) => {
    const connection = new CheckConnection(target, events)
    this.connections.push(connection)
    return connection
  }

  /** The connections that are open. */
  get open(): CheckConnection[] {
    return this.connections.filter((connection) => !connection.isClosed)
  }

  get last(): CheckConnection {
    return this.connections[this.connections.length - 1]
  }
}
