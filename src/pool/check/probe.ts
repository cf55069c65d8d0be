import type { CheckConnect, CheckDelay, CheckSocket, CheckSocketEvents, CheckTarget } from './connect.ts'
import { type CheckProtocol, type CheckWire, fail, type Verdict } from './protocol.ts'

/** One run of a check: connects, lets the protocol talk, and calls back exactly once, at the latest at the time-out. */
export class Probe implements CheckSocketEvents, CheckWire {
  readonly #protocol: CheckProtocol
  readonly #timeoutMs: number
  readonly #done: (verdict: Verdict) => void
  #socket: CheckSocket | null = null
  #cancelTimeout: () => void = () => {}
  #isOpen = false
  #isOver = false

  constructor(protocol: CheckProtocol, timeoutMs: number, done: (verdict: Verdict) => void) {
    this.#protocol = protocol
    this.#timeoutMs = timeoutMs
    this.#done = done
  }

  start(target: CheckTarget, connect: CheckConnect, delay: CheckDelay): this {
    this.#cancelTimeout = delay(this.#timeoutMs, () => this.#expired())
    this.#socket = connect(target, this)
    return this
  }

  /** Ends without calling back. */
  cancel(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#cancelTimeout()
    this.#socket?.close()
  }

  write(bytes: Uint8Array): void {
    this.#socket?.write(bytes)
  }

  secure(): void {
    this.#socket?.secure()
  }

  end(): void {
    this.#socket?.end()
  }

  opened(): void {
    if (this.#isOver) return
    this.#isOpen = true
    this.#settle(this.#protocol.opened(this))
  }

  received(bytes: Uint8Array): void {
    if (!this.#isOver) this.#settle(this.#protocol.received(bytes, this))
  }

  ended(): void {
    if (!this.#isOver) this.#settle(this.#protocol.parting ?? this.#protocol.ended())
  }

  failed(reason: string): void {
    if (!this.#isOver) this.#settle(this.#protocol.parting ?? fail(reason))
  }

  #expired(): void {
    const verdict = this.#protocol.parting ?? (this.#isOpen ? this.#protocol.expired?.() : null)
    this.#settle(verdict ?? fail(`${this.#isOpen ? 'no answer' : 'no connection'} within ${this.#timeoutMs} ms`))
  }

  #settle(verdict: Verdict | null): void {
    if (verdict === null || this.#isOver) return
    this.cancel()
    this.#done(verdict)
  }
}
