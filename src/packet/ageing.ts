import type { BpfMap, LoadedObject, MapCursor } from '../kernel/bpf/index.ts'
import type { Vocabulary } from './vocabulary.ts'

const BATCH = 2048
const NANOSECONDS = 1e9
/** As is_over() of bpf/balance.bpf.c: of flows in these states the time is told only now and then. */
const SHORTCUT_STATES = ['STATE_ESTABLISHED', 'STATE_DATAGRAM']
const SHORTCUT_SLACK = 8

/**
 * Forgets flows whose time is over. A round goes through both tables a batch for each step, so that neither the thread nor the kernel is
 * held up by a million flows: a step takes a millisecond or two. What seems to be over is handed to a program of the kernel, which has
 * the last word.
 */
export class Ageing {
  readonly #object: LoadedObject
  readonly #words: Vocabulary
  readonly #expiry: Uint8Array
  readonly #reply: number
  readonly #removed: number
  /** Of the round: time-outs in nanoseconds by service and state, servers that were removed, young flows of each server. */
  #timeouts: Float64Array
  #isRemoved: Uint8Array
  #young: Uint32Array
  #now = 0
  #cursors: { map: BpfMap; cursor: MapCursor }[] = []
  /** Entries of this round, and how many of them went. */
  visited = 0
  forgotten = 0

  constructor(object: LoadedObject, words: Vocabulary) {
    this.#object = object
    this.#words = words
    this.#expiry = new Uint8Array(words.expiry.size)
    this.#reply = words.flowFlag('REPLY')
    this.#removed = words.serverFlag('REMOVED')
    this.#timeouts = new Float64Array(object.map('service_list').shape.maxEntries * words.states.length)
    this.#isRemoved = new Uint8Array(object.map('servers').shape.maxEntries)
    this.#young = new Uint32Array(object.map('servers').shape.maxEntries)
  }

  /** One batch; true when a round is complete. The next step begins another. */
  step(): boolean {
    if (this.#cursors.length === 0) this.#begin()
    const [{ map, cursor }] = this.#cursors
    this.#look(map, cursor, cursor.next())
    if (!cursor.isAtEnd) return false
    this.#cursors.shift()
    if (this.#cursors.length > 0) return false
    this.#publish()
    return true
  }

  #begin(): void {
    this.visited = 0
    this.forgotten = 0
    this.#young.fill(0)
    const { service, server, states } = this.#words
    this.#object.map('service_list').visit((keys, keyAt, values, valueAt) => {
      const list = service.readBytes(values, valueAt, 'timeout_seconds')
      const view = new DataView(list.buffer, list.byteOffset)
      const index = new DataView(keys.buffer).getUint32(keyAt, true)
      for (let state = 0; state < states.length; state++) {
        const slack = SHORTCUT_STATES.includes(states[state]) ? 1 + 1 / SHORTCUT_SLACK : 1
        this.#timeouts[index * states.length + state] = view.getUint32(state * 4, true) * NANOSECONDS * slack
      }
    })
    this.#object.map('servers').visit((keys, keyAt, values, valueAt) => {
      const flags = server.read(values, valueAt, 'flags')
      this.#isRemoved[new DataView(keys.buffer).getUint32(keyAt, true)] = Number((flags & this.#removed) !== 0)
    })
    this.#cursors = ['flows', 'young'].map((name) => ({ map: this.#object.map(name), cursor: this.#object.map(name).cursor(BATCH) }))
    this.#expiry.fill(0)
    this.#forget()
  }

  #look(map: BpfMap, { keys, values }: MapCursor, count: number): void {
    const { flow, states } = this.#words
    const view = new DataView(values.buffer)
    const [flagsAt, stateAt, serviceAt, serverAt, seenAt] = ['flags', 'state', 'service', 'server', 'seen'].map((name) => flow.offset(name))
    const { keySize } = map.shape
    this.visited += count
    for (let index = 0; index < count; index++) {
      const at = index * map.valueBytes
      const isReply = (view.getUint32(at + flagsAt, true) & this.#reply) !== 0
      const state = view.getUint32(at + stateAt, true)
      const server = view.getUint32(at + serverAt, true)
      const seen = view.getUint32(at + seenAt + 4, true) * 2 ** 32 + view.getUint32(at + seenAt, true)
      const timeout = this.#timeouts[view.getUint32(at + serviceAt, true) * states.length + state]
      const isOver = this.#now - seen >= timeout || this.#isRemoved[server] === 1
      if (isOver && this.#forgets(keys.subarray(index * keySize, (index + 1) * keySize))) this.forgotten++
      else if (!isReply && state === 0) this.#young[server]++
    }
  }

  #forgets(key: Uint8Array): boolean {
    this.#expiry.set(key, 0)
    this.#forget()
    return this.#words.expiry.read(this.#expiry, 0, 'removed') !== 0
  }

  #forget(): void {
    this.#object.program('forget_expired').runSyscall(this.#expiry)
    this.#now = this.#words.expiry.read(this.#expiry, 0, 'now')
  }

  #publish(): void {
    const recounts = this.#object.map('recounts')
    const bytes = new Uint8Array(recounts.shape.maxEntries * recounts.shape.valueSize)
    for (let slot = 0; slot < this.#young.length; slot++) {
      if (this.#young[slot] !== 0) this.#words.load.write(bytes, slot * recounts.shape.valueSize, { young: this.#young[slot] })
    }
    const keys = Uint32Array.from({ length: recounts.shape.maxEntries }, (_, slot) => slot)
    recounts.setMany(new Uint8Array(keys.buffer), bytes)
    this.#object.program('publish_recounts').runSyscall(new Uint8Array(8))
  }
}
