import assert from 'node:assert/strict'
import type { TestContext } from 'node:test'
import { ClientAddress, formatIp, type SocketAddress } from '../../src/core/index.ts'
import {
  type CloseReason,
  type Connection,
  type ConnectionHandler,
  createEngine,
  type Engine,
  type EngineOptions,
  type Listener,
  type ListenOptions,
} from '../../src/engine/index.ts'

/** What the conformance suite is run for. */
export interface Backend {
  readonly kind: 'uring' | 'portable'
}

export const LOOPBACK: SocketAddress = { family: 4, host: '127.0.0.1', port: 0 }

/** What readRemoteIp() tells, as text; undefined where the peer has no IP address. */
export function remoteIp(connection: Connection | undefined): string | undefined {
  const address = new ClientAddress()
  connection?.readRemoteIp(address)
  return address.family === 0 ? undefined : formatIp(address)
}

/** Small enough that a test reaches every limit, large enough for the ring's provided buffers. */
const TEST_OPTIONS: Partial<EngineOptions> = { blockCount: 2048, receiveBlocks: 64, maxConnections: 8192 }

/** An engine with its recorders. When the test is over it is closed, and must have kept its promises. */
export class EngineUnderTest {
  readonly engine: Engine
  /** What the engine reported; a test that expects errors takes them out. */
  readonly errors: unknown[]
  readonly broken: string[] = []
  /** Free blocks when nothing is going on. */
  readonly idleBlocks: number
  /** How many handlers are on the stack: never more than one. */
  depth = 0

  constructor(engine: Engine, errors: unknown[]) {
    this.engine = engine
    this.errors = errors
    this.idleBlocks = engine.blocks.free
  }

  recorder(does: Partial<ConnectionHandler> = {}): Recorder {
    return new Recorder(this, does)
  }

  /** A listener whose connections are recorded in the order in which they were accepted. */
  async listen(does: Partial<ConnectionHandler> = {}, options: Partial<ListenOptions> = {}): Promise<TestListener> {
    const accepted: Recorder[] = []
    const waiting: (() => void)[] = []
    const listener = await this.engine.listen({ address: LOOPBACK, ...options }, (connection) => {
      const recorder = this.recorder(does)
      recorder.connection = connection
      accepted.push(recorder)
      for (const wake of waiting.splice(0)) this.engine.defer(wake)
      return recorder
    })
    const count = async (wanted: number) => {
      while (accepted.length < wanted) await new Promise<void>((resolve) => waiting.push(resolve))
    }
    return { listener, address: listener.address, accepted, count }
  }

  connect(address: SocketAddress, does: Partial<ConnectionHandler> = {}, source?: SocketAddress): Recorder {
    const recorder = this.recorder(does)
    recorder.connection = this.engine.connect(address, { timeoutMs: 20_000, source }, recorder)
    return recorder
  }

  /** Queues bytes through reserve() and commit(). */
  write(connection: Connection, bytes: Uint8Array | string): void {
    const source = typeof bytes === 'string' ? Buffer.from(bytes) : bytes
    const { blockBytes } = this.engine.blocks
    for (let at = 0; at < source.length; at += blockBytes) {
      const run = source.subarray(at, at + blockBytes)
      const offset = connection.reserve(run.length)
      assert.notEqual(offset, -1, 'the arena is used up')
      this.engine.memory.set(run, offset)
      connection.commit(run.length)
    }
  }

  bytes(start: number, end: number): Buffer {
    return Buffer.from(this.engine.memory.subarray(start, end))
  }

  /** Resolves after `count` turns of the loop and of libuv's. */
  async turns(count = 1): Promise<void> {
    for (let i = 0; i < count; i++) {
      await new Promise<void>((resolve) => this.engine.defer(resolve))
      await new Promise<void>((resolve) => setImmediate(resolve))
    }
  }

  /** Resolves when `condition` holds, looking once a turn. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await this.turns()
  }

  /** Resolves when nothing has been received on these connections for a while. */
  async quiet(recorders: readonly Recorder[]): Promise<void> {
    for (let before = -1, now = 0; before !== now; ) {
      before = now
      await this.turns(20)
      now = recorders.reduce((sum, each) => sum + each.byteCount, 0)
    }
  }

  /** Takes the errors that a test expects. */
  takeErrors(): unknown[] {
    return this.errors.splice(0)
  }
}

export interface TestListener {
  readonly listener: Listener
  readonly address: SocketAddress
  readonly accepted: Recorder[]
  /** Resolves when that many connections have been accepted. */
  count(wanted: number): Promise<void>
}

/** Makes and starts an engine for one test. */
export async function engineFor(t: TestContext, backend: Backend, options: Partial<EngineOptions> = {}): Promise<EngineUnderTest> {
  const errors: unknown[] = []
  const { engine } = await createEngine(backend.kind, { ...TEST_OPTIONS, ...options }, { report: (error) => errors.push(error) })
  engine.start()
  const test = new EngineUnderTest(engine, errors)
  t.after(async () => {
    await engine.close()
    assert.deepEqual(test.broken, [], 'promises of the interface that were broken')
    assert.deepEqual(errors, [], 'errors that the engine reported')
  })
  return test
}

/** Keeps what happens on one connection, and checks at every event what connection.ts promises for all of them. */
export class Recorder implements ConnectionHandler {
  connection: Connection | undefined
  readonly events: string[] = []
  readonly does: Partial<ConnectionHandler>
  reason: CloseReason | undefined
  byteCount = 0
  /** Set to false where there is too much to keep. */
  keepsBytes = true
  readonly #test: EngineUnderTest
  readonly #chunks: Buffer[] = []
  #waiting: { condition: () => boolean; wake: () => void; fail: (error: Error) => void }[] = []

  constructor(test: EngineUnderTest, does: Partial<ConnectionHandler>) {
    this.#test = test
    this.does = does
  }

  get text(): string {
    return this.bytes.toString('latin1')
  }

  get bytes(): Buffer {
    return Buffer.concat(this.#chunks)
  }

  count(event: string): number {
    return this.events.filter((each) => each === event).length
  }

  /** Resolves when the condition holds after some event; rejects when the connection is over before that. */
  until(condition: () => boolean): Promise<void> {
    if (condition()) return Promise.resolve()
    return new Promise((wake, fail) => this.#waiting.push({ condition, wake, fail }))
  }

  gets(count: number): Promise<void> {
    return this.until(() => this.byteCount >= count)
  }

  async over(): Promise<CloseReason> {
    await this.until(() => this.reason !== undefined)
    return this.reason!
  }

  opened(connection: Connection): void {
    this.#event('opened', connection, () => {
      if (this.events.length > 1) this.#broken('opened() was not the first event')
      this.does.opened?.(connection)
    })
  }

  received(connection: Connection, start: number, end: number): void {
    this.#event('received', connection, () => {
      const { blocks, memory } = this.#test.engine
      if (!(start >= 0 && start < end && end <= memory.length)) this.#broken(`received() has no bytes: [${start}, ${end})`)
      if (Math.floor(start / blocks.blockBytes) !== Math.floor((end - 1) / blocks.blockBytes)) this.#broken('a slice crosses blocks')
      if (blocks.references(start) === 0) this.#broken('a slice lies in a block that is free')
      this.byteCount += end - start
      if (this.keepsBytes) this.#chunks.push(this.#test.bytes(start, end))
      this.does.received?.(connection, start, end)
    })
  }

  ended(connection: Connection): void {
    this.#event('ended', connection, () => {
      if (this.count('ended') > 1) this.#broken('ended() was called twice')
      this.does.ended?.(connection)
    })
  }

  drained(connection: Connection): void {
    this.#event('drained', connection, () => {
      if (connection.isCongested) this.#broken('drained() while isCongested')
      this.does.drained?.(connection)
    })
  }

  closed(connection: Connection, reason: CloseReason): void {
    this.#event('closed', connection, () => {
      this.reason = reason
      if (connection.isOpen) this.#broken('isOpen in closed()')
      if (connection.queuedBytes !== 0) this.#broken('queuedBytes in closed()')
      this.does.closed?.(connection, reason)
    })
  }

  #event(name: string, connection: Connection, body: () => void): void {
    const test = this.#test
    if (this.reason !== undefined) this.#broken(`${name}() after closed()`)
    if (test.depth !== 0) this.#broken(`${name}() inside of another event`)
    this.connection ??= connection
    this.events.push(name)
    test.depth++
    try {
      body()
    } finally {
      test.depth--
      this.#wake()
    }
  }

  #wake(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const each of waiting) {
      // Promises belong outside of the data path.
      if (each.condition()) this.#test.engine.defer(each.wake)
      else if (this.reason === undefined) this.#waiting.push(each)
      else {
        const error = new Error(`closed("${this.reason}") came first: ${this.events.join(' ')}`)
        this.#test.engine.defer(() => each.fail(error))
      }
    }
  }

  #broken(what: string): void {
    this.#test.broken.push(`${what}; so far: ${this.events.join(' ')}`)
  }
}
