import { EvenerError } from '../core/index.ts'
import { indexKey, type LoadedObject } from '../kernel/bpf/index.ts'
import { mappedAddress, type PacketService, PROTOCOL_NUMBER, wirePort } from './definition.ts'
import type { Vocabulary } from './vocabulary.ts'

type KeyMap = 'services' | 'ranges'

interface RangeOfService {
  readonly first: number
  readonly last: number
  readonly service: number
}

interface OwnRanges {
  readonly key: Uint8Array
  readonly ranges: { readonly first: number; readonly last: number }[]
}

/** What clients ask for → the number of the service: one address and port in `services`, ranges of ports in `ranges`. */
export class ServiceKeys {
  readonly #object: LoadedObject
  readonly #words: Vocabulary

  constructor(object: LoadedObject, words: Vocabulary) {
    this.#object = object
    this.#words = words
  }

  /** The number that the maps have for a service now, also if an earlier process wrote them. */
  find(service: PacketService): number | undefined {
    for (const { map, key } of this.#keysOf(service).values()) {
      const value = this.#object.map(map).lookup(key)
      if (value === undefined) continue
      if (map === 'services') return new DataView(value.buffer).getUint32(0, true)
      return this.#words.range.read(value, this.#words.ranges.offset('range'), 'service')
    }
    return undefined
  }

  write(service: PacketService, index: number): void {
    const ranges = new Map<string, OwnRanges>()
    for (const { address, firstPort, lastPort } of service.addresses) {
      for (const name of service.protocols) {
        const protocol = PROTOCOL_NUMBER[name]
        const mapped = mappedAddress(address)
        if (firstPort === lastPort) {
          this.#object
            .map('services')
            .set(this.#words.serviceKey.encode({ address: mapped, port: wirePort(firstPort), protocol }), indexKey(index))
          continue
        }
        const key = this.#words.rangeKey.encode({ address: mapped, protocol })
        const own = ranges.get(hex(key)) ?? { key, ranges: [] }
        own.ranges.push({ first: firstPort, last: lastPort })
        ranges.set(hex(key), own)
      }
    }
    for (const own of ranges.values()) this.#writeRanges(own, index)
  }

  /** Takes out every key, and every range, that is of none of these services. */
  removeOthers(services: readonly PacketService[], indexes: ReadonlySet<number>): void {
    const kept = new Set(services.flatMap((service) => [...this.#keysOf(service).keys()]))
    for (const name of ['services', 'ranges'] as const) {
      const map = this.#object.map(name)
      const stale: Uint8Array[] = []
      map.visit((keys, at) => {
        const key = keys.slice(at, at + map.shape.keySize)
        if (!kept.has(`${name}:${hex(key)}`)) stale.push(key)
      })
      for (const key of stale) map.delete(key)
    }
    this.#removeRanges((service) => !indexes.has(service))
  }

  #removeRanges(isMeant: (service: number) => boolean): void {
    const map = this.#object.map('ranges')
    const changed: { key: Uint8Array; kept: RangeOfService[] }[] = []
    map.visit((keys, at, values, valueAt) => {
      const all = this.#readRanges(values, valueAt)
      const kept = all.filter(({ service }) => !isMeant(service))
      if (kept.length < all.length) changed.push({ key: keys.slice(at, at + map.shape.keySize), kept })
    })
    for (const { key, kept } of changed) map.set(key, this.#encodeRanges(kept))
  }

  #keysOf(service: PacketService): Map<string, { map: KeyMap; key: Uint8Array }> {
    const keys = new Map<string, { map: KeyMap; key: Uint8Array }>()
    for (const { address, firstPort, lastPort } of service.addresses) {
      for (const name of service.protocols) {
        const protocol = PROTOCOL_NUMBER[name]
        const isSingle = firstPort === lastPort
        const key = isSingle
          ? this.#words.serviceKey.encode({ address: mappedAddress(address), port: wirePort(firstPort), protocol })
          : this.#words.rangeKey.encode({ address: mappedAddress(address), protocol })
        const map = isSingle ? 'services' : 'ranges'
        keys.set(`${map}:${hex(key)}`, { map, key })
      }
    }
    return keys
  }

  /** Ranges of one address may belong to several services: those of others stay. */
  #writeRanges({ key, ranges: own }: OwnRanges, index: number): void {
    const map = this.#object.map('ranges')
    const before = map.lookup(key)
    const others = before === undefined ? [] : this.#readRanges(before, 0).filter(({ service }) => service !== index)
    const all = [...others, ...own.map((each) => ({ ...each, service: index }))]
    // Narrow ranges first: 8000-8009 wins over every port of the address.
    all.sort((a, b) => a.last - a.first - (b.last - b.first))
    map.set(key, this.#encodeRanges(all))
  }

  #readRanges(values: Uint8Array, valueAt: number): RangeOfService[] {
    const { ranges, range } = this.#words
    return Array.from({ length: ranges.read(values, valueAt, 'count') }, (_, position) => {
      const at = valueAt + ranges.offset('range') + position * range.size
      return { first: range.read(values, at, 'first'), last: range.read(values, at, 'last'), service: range.read(values, at, 'service') }
    })
  }

  #encodeRanges(all: readonly RangeOfService[]): Uint8Array {
    const { ranges, range } = this.#words
    const value = new Uint8Array(ranges.size)
    const limit = Math.floor((ranges.size - ranges.offset('range')) / range.size)
    if (all.length > limit) throw new EvenerError('PACKET_LIMIT_EXCEEDED', `an address has at most ${limit} port ranges`)
    ranges.write(value, 0, { count: all.length })
    for (const [position, each] of all.entries()) range.write(value, ranges.offset('range') + position * range.size, { ...each })
    return value
  }
}

function hex(key: Uint8Array): string {
  return Buffer.from(key).toString('hex')
}
