import type { Clock } from '../../src/core/index.ts'
import type { CheckProtocol, CheckWire } from '../../src/pool/check/protocol.ts'
import type { CheckPlan, TextPatternPlan } from '../../src/pool/config.ts'
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
  /** Handshakes that were begun on it. */
  secured = 0

  constructor(target: CheckTarget, events: CheckSocketEvents) {
    this.target = target
    this.events = events
  }

  write(bytes: Uint8Array): void {
    this.written.push(Buffer.from(bytes))
  }

  secure(): void {
    this.secured++
  }

  end(): void {}

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

/** A plan of a tcp check that runs each second; everything can be said otherwise. */
export const TCP_CHECK = {
  kind: 'tcp',
  intervalMs: 1000,
  fastIntervalMs: 1000,
  downIntervalMs: 1000,
  jitterPercent: 10,
  timeoutMs: 300,
  rise: 2,
  fall: 3,
  address: undefined,
  port: undefined,
  send: undefined,
  expect: undefined,
  tls: undefined,
} as const satisfies CheckPlan

/** "ready" or "~ regex", as a plan has it. */
export function text(written: string): TextPatternPlan {
  return written.startsWith('~') ? { kind: 'regex', value: written.slice(1).trim() } : { kind: 'text', value: written }
}

/** Lets a protocol talk with a server that sends these pieces, whatever it is asked; null closes the connection. */
export function converse(check: CheckProtocol, ...pieces: (string | Uint8Array | null)[]) {
  const sent: Buffer[] = []
  let secured = 0
  const wire: CheckWire = {
    write: (bytes) => sent.push(Buffer.from(bytes)),
    secure: () => secured++,
    end: () => sent.push(Buffer.from('<end>')),
  }
  let verdict = check.opened(wire)
  for (const piece of pieces) {
    if (verdict !== null) break
    verdict =
      piece === null
        ? (check.parting ?? check.ended())
        : check.received(typeof piece === 'string' ? Buffer.from(piece, 'latin1') : piece, wire)
    if (verdict === null && secured > 0 && piece !== null) {
      secured = 0
      verdict = check.opened(wire)
    }
  }
  return { sent: Buffer.concat(sent).toString('latin1'), bytes: Buffer.concat(sent), verdict }
}

/** TLS as a check speaks it when nothing is said. */
export const CHECK_TLS = { serverName: '', name: undefined, verify: false, ca: undefined, certificate: undefined } as const
