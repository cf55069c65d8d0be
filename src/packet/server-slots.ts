import { EvenerError } from '../core/index.ts'
import type { LoadedObject } from '../kernel/bpf/index.ts'
import { mappedAddress, type PacketServer, type PacketService, wirePort } from './definition.ts'
import type { Vocabulary } from './vocabulary.ts'
import { kernelWeight } from './weight.ts'

/**
 * The servers' places in the kernel's array, by which flows know them. A removed server keeps its place until no flow has it:
 *
 *     free ── take ──▶ used ── remove ──▶ removed ── release, once it is idle ──▶ free
 */
export class ServerSlots {
  readonly #object: LoadedObject
  readonly #words: Vocabulary
  readonly #used = new Set<number>()
  readonly #removed = new Set<number>()

  constructor(object: LoadedObject, words: Vocabulary) {
    this.#object = object
    this.#words = words
    this.#noteUsed()
  }

  /** The place that one of `earlier` already has for this address and port, or a free one. */
  take(server: PacketServer, earlier: readonly number[]): number {
    return this.#find(server, earlier) ?? this.#takeFree()
  }

  write(slot: number, service: PacketService, server: PacketServer): void {
    const flag = (isSet: boolean, name: Parameters<Vocabulary['serverFlag']>[0]) => (isSet ? this.#words.serverFlag(name) : 0)
    const value = this.#words.server.encode({
      address: mappedAddress(server.address),
      weight: kernelWeight(service.algorithm, server),
      flags: flag(server.isDown, 'DOWN') | flag(server.isDraining, 'DRAIN') | flag(server.tier > 0, 'WAITING'),
      tier: Math.min(server.tier, 255),
      upper: server.upper,
      lower: server.lower,
      port: wirePort(server.port),
      gue_port: wirePort(service.guePort),
      forward: this.#words.forward(service.forward),
      encapsulation: this.#words.encapsulation(service.encapsulation),
    })
    this.#object.map('servers').setAt(slot, value)
    this.#removed.delete(slot)
  }

  /** Gets no new flows; those it has are rescheduled or reset with their next packet. */
  remove(slot: number): void {
    const value = this.#object.map('servers').lookupAt(slot)
    this.#words.server.write(value, 0, { weight: 0, flags: this.#words.serverFlag('REMOVED') })
    this.#object.map('servers').setAt(slot, value)
    this.#removed.add(slot)
  }

  /** Gives back the places of removed servers that no flow has any more, and what else remembers them. True if there were any. */
  release(isIdle: (slot: number) => boolean): boolean {
    const free = new Set([...this.#removed].filter(isIdle))
    if (free.size === 0) return false
    this.#forget('persistence', (value, at) => free.has(this.#words.persistence.read(value, at, 'server')))
    this.#forget('localities', (value, at) => this.#words.localServers(value, at).some((server) => free.has(server - 1)))
    for (const slot of free) {
      this.#removed.delete(slot)
      this.#used.delete(slot)
      this.#object.map('servers').setAt(slot, new Uint8Array(this.#words.server.size))
    }
    return true
  }

  #forget(name: string, isMeant: (values: Uint8Array, at: number) => boolean): void {
    const map = this.#object.map(name)
    const keys: Uint8Array[] = []
    map.visit((buffer, keyAt, values, valueAt) => {
      if (isMeant(values, valueAt)) keys.push(buffer.slice(keyAt, keyAt + map.shape.keySize))
    })
    for (const key of keys) map.delete(key)
  }

  /** Of an earlier process, in pinned maps. */
  #noteUsed(): void {
    const { server } = this.#words
    const empty = new Uint8Array(16)
    this.#object.map('servers').visit((keys, keyAt, values, valueAt) => {
      if (Buffer.compare(server.readBytes(values, valueAt, 'address'), empty) === 0) return
      const slot = new DataView(keys.buffer).getUint32(keyAt, true)
      this.#used.add(slot)
      if ((server.read(values, valueAt, 'flags') & this.#words.serverFlag('REMOVED')) !== 0) this.#removed.add(slot)
    })
  }

  #find(server: PacketServer, earlier: readonly number[]): number | undefined {
    const address = mappedAddress(server.address)
    return earlier.find((slot) => {
      const value = this.#object.map('servers').lookupAt(slot)
      const isSame = Buffer.compare(this.#words.server.readBytes(value, 0, 'address'), address) === 0
      return isSame && this.#words.server.read(value, 0, 'port') === wirePort(server.port)
    })
  }

  #takeFree(): number {
    const limit = this.#object.map('servers').shape.maxEntries
    for (let slot = 0; slot < limit; slot++) {
      if (this.#used.has(slot)) continue
      this.#used.add(slot)
      this.#object.map('loads').setAt(slot, new Uint8Array(this.#words.load.size))
      return slot
    }
    throw new EvenerError('PACKET_LIMIT_EXCEEDED', `the packet plane holds ${limit} servers, the configuration has more`)
  }
}
