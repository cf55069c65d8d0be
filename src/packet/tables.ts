import { EvenerError, parseCidr } from '../core/index.ts'
import { type BpfMap, createMap, indexKey, type LoadedObject, type NativeBpf } from '../kernel/bpf/index.ts'
import { mappedAddress, type PacketServer, type PacketService, PROTOCOL_NUMBER, wirePort } from './definition.ts'
import { buildTable, type TableMember } from './table.ts'
import type { Vocabulary } from './vocabulary.ts'

const MAP_TYPE_ARRAY = 2
const FLAG_INNER_MAP = 0x1000
const EVERY_PORT = 65535

interface ServerPlace {
  readonly slot: number
  definition: PacketServer
  lastingWeight: number
}

interface ServicePlace {
  readonly index: number
  definition: PacketService
  readonly servers: Map<string, ServerPlace>
  accessGeneration: number
}

/**
 * The tables that the programs read: writes services and servers, gives out their numbers, and finds again those of an earlier
 * process in pinned maps, so that flows keep their servers.
 *
 *     services ──▶ service_list[index] ── rosters[index] ──▶ servers[slot]
 *      ranges ─┘          └── tables[index] ───────────────────┘
 */
export class ServiceTables {
  readonly #native: NativeBpf
  readonly #object: LoadedObject
  readonly #words: Vocabulary
  readonly #places = new Map<string, ServicePlace>()
  readonly #usedSlots = new Set<number>()
  readonly #removedSlots = new Set<number>()
  #localCount = 0

  constructor(native: NativeBpf, object: LoadedObject, words: Vocabulary) {
    this.#native = native
    this.#object = object
    this.#words = words
    this.#noteUsedSlots()
  }

  /** Makes the tables say exactly this. Services that are gone lose their keys first; flows of servers that are gone are aged at once. */
  apply(services: readonly PacketService[]): void {
    this.#localCount = 0
    this.#writePresence([...[...this.#places.values()].map((place) => place.definition), ...services])
    const names = new Set(services.map((service) => service.name))
    const keys = new Set(services.flatMap((service) => [...this.#keysOf(service).keys()]))
    const known = services.map((service) => this.#places.get(service.name)?.index ?? this.#findIndex(service))
    for (const [name, place] of this.#places) if (!names.has(name)) this.#removeService(name, place)
    services.forEach((service, position) => {
      this.#writeService(service, known[position] ?? this.#freeIndex(known))
    })
    this.#removeOtherKeys(keys)
    this.#writePresence(services)
  }

  /** One server's weight, health or drain; seen by the next packet. */
  update(serviceName: string, server: PacketServer): void {
    const place = this.#places.get(serviceName)
    const serverPlace = place?.servers.get(server.name)
    if (place === undefined || serverPlace === undefined) return
    serverPlace.definition = server
    if (server.weight > 0) serverPlace.lastingWeight = server.weight
    this.#writeServer(place.definition, serverPlace)
    this.#writeTable(place)
  }

  /** Service, server and address of a slot. */
  describeSlot(slot: number): { service: string; server: string } | undefined {
    for (const place of this.#places.values()) {
      for (const server of place.servers.values()) {
        if (server.slot === slot) return { service: place.definition.name, server: server.definition.name }
      }
    }
    return undefined
  }

  slots(): { service: string; server: PacketServer; slot: number }[] {
    return [...this.#places.values()].flatMap((place) =>
      [...place.servers.values()].map((server) => ({ service: place.definition.name, server: server.definition, slot: server.slot })),
    )
  }

  /** Slots of removed servers may be given out again once no flow has them. */
  releaseSlots(isFree: (slot: number) => boolean): void {
    for (const slot of this.#removedSlots) {
      if (!isFree(slot)) continue
      this.#removedSlots.delete(slot)
      this.#usedSlots.delete(slot)
      this.#map('servers').setAt(slot, new Uint8Array(this.#words.server.size))
    }
  }

  #map(name: string): BpfMap {
    return this.#object.map(name)
  }

  #noteUsedSlots(): void {
    const { server } = this.#words
    const empty = new Uint8Array(16)
    this.#map('servers').visit((keys, keyAt, values, valueAt) => {
      const isUsed = Buffer.compare(server.readBytes(values, valueAt, 'address'), empty) !== 0
      if (isUsed) this.#usedSlots.add(new DataView(keys.buffer).getUint32(keyAt, true))
    })
  }

  /** Before keys are written a table counts as filled, so that no packet misses it. */
  #writePresence(services: readonly PacketService[]): void {
    const settings = this.#map('settings').lookupAt(0)
    const hasRanges = services.some((service) => service.addresses.some((each) => each.firstPort !== each.lastPort))
    const hasOrigins = services.some((service) => service.onePacket)
    this.#words.settings.write(settings, 0, { has_ranges: Number(hasRanges), has_origins: Number(hasOrigins) })
    this.#map('settings').setAt(0, settings)
  }

  /** Keys of a service with the index that the maps have for them now. */
  #keysOf(service: PacketService): Map<string, { map: 'services' | 'ranges'; key: Uint8Array }> {
    const keys = new Map<string, { map: 'services' | 'ranges'; key: Uint8Array }>()
    for (const { address, firstPort, lastPort } of service.addresses) {
      for (const name of service.protocols) {
        const protocol = PROTOCOL_NUMBER[name]
        const isSingle = firstPort === lastPort
        const key = isSingle
          ? this.#words.serviceKey.encode({ address: mappedAddress(address), port: wirePort(firstPort), protocol })
          : this.#words.rangeKey.encode({ address: mappedAddress(address), protocol })
        const map = isSingle ? 'services' : 'ranges'
        keys.set(`${map}:${Buffer.from(key).toString('hex')}`, { map, key })
      }
    }
    return keys
  }

  #findIndex(service: PacketService): number | undefined {
    for (const { map, key } of this.#keysOf(service).values()) {
      const value = this.#map(map).lookup(key)
      if (value === undefined) continue
      return map === 'services' ? new DataView(value.buffer).getUint32(0, true) : this.#words.range.read(value, 4, 'service')
    }
    return undefined
  }

  #freeIndex(reserved: readonly (number | undefined)[]): number {
    const used = new Set([...this.#places.values()].map((place) => place.index))
    const limit = this.#map('service_list').shape.maxEntries
    for (let index = 0; index < limit; index++) if (!used.has(index) && !reserved.includes(index)) return index
    throw new EvenerError('PACKET_LIMIT_EXCEEDED', `the packet plane holds ${limit} services, the configuration has more`)
  }

  #writeService(service: PacketService, index: number): void {
    const before = this.#places.get(service.name)
    const place: ServicePlace = before ?? { index, definition: service, servers: new Map(), accessGeneration: this.#generationOf(index) }
    place.definition = service
    this.#places.set(service.name, place)
    const earlier = before === undefined ? this.#rosterOf(index) : []
    for (const server of service.servers) this.#placeServer(place, server, earlier)
    const kept = new Set(service.servers.map((server) => server.name))
    for (const [name, server] of place.servers) if (!kept.has(name)) this.#removeServer(place, name, server.slot)
    const slots = new Set([...place.servers.values()].map((server) => server.slot))
    for (const slot of earlier) if (!slots.has(slot)) this.#markRemoved(slot)
    this.#writeAccess(place)
    this.#writeDefinition(place)
    this.#writeRoster(place)
    this.#writeTable(place)
    this.#writeKeys(place)
  }

  #placeServer(place: ServicePlace, server: PacketServer, earlier: readonly number[]): void {
    const known = place.servers.get(server.name)
    const isMoved = known !== undefined && (known.definition.address !== server.address || known.definition.port !== server.port)
    if (known !== undefined && isMoved) this.#removeServer(place, server.name, known.slot)
    const slot = known !== undefined && !isMoved ? known.slot : (this.#findSlot(server, earlier) ?? this.#freeSlot())
    const lastingWeight = server.weight > 0 ? server.weight : (known?.lastingWeight ?? 1)
    const serverPlace = { slot, definition: server, lastingWeight }
    place.servers.set(server.name, serverPlace)
    this.#writeServer(place.definition, serverPlace)
  }

  #findSlot(server: PacketServer, earlier: readonly number[]): number | undefined {
    const address = mappedAddress(server.address)
    return earlier.find((slot) => {
      const value = this.#map('servers').lookupAt(slot)
      const isSame = Buffer.compare(this.#words.server.readBytes(value, 0, 'address'), address) === 0
      return isSame && this.#words.server.read(value, 0, 'port') === wirePort(server.port)
    })
  }

  #freeSlot(): number {
    const limit = this.#map('servers').shape.maxEntries
    for (let slot = 0; slot < limit; slot++) {
      if (this.#usedSlots.has(slot)) continue
      this.#usedSlots.add(slot)
      this.#map('loads').setAt(slot, new Uint8Array(this.#words.load.size))
      return slot
    }
    throw new EvenerError('PACKET_LIMIT_EXCEEDED', `the packet plane holds ${limit} servers, the configuration has more`)
  }

  #rosterOf(index: number): number[] {
    const value = this.#map('rosters').lookupAt(index)
    const view = new DataView(value.buffer)
    return Array.from({ length: view.getUint32(0, true) }, (_, position) => view.getUint32(4 + position * 4, true))
  }

  #generationOf(index: number): number {
    return this.#words.service.read(this.#map('service_list').lookupAt(index), 0, 'access_generation')
  }

  #writeServer(service: PacketService, place: ServerPlace): void {
    const { definition, slot } = place
    const flags = (definition.isDown ? this.#words.serverFlag('DOWN') : 0) | (definition.isDraining ? this.#words.serverFlag('DRAIN') : 0)
    const value = this.#words.server.encode({
      address: mappedAddress(definition.address),
      weight: definition.weight,
      flags,
      upper: definition.upper,
      lower: definition.lower,
      port: wirePort(definition.port),
      gue_port: wirePort(service.guePort),
      forward: this.#words.forward(service.forward),
      encapsulation: this.#words.encapsulation(service.encapsulation),
    })
    this.#map('servers').setAt(slot, value)
    if (!service.onePacket) return
    for (const protocol of service.protocols) this.#writeOrigin(service, definition, slot, PROTOCOL_NUMBER[protocol])
  }

  #writeOrigin(service: PacketService, server: PacketServer, slot: number, protocol: number): void {
    const [first] = service.addresses
    const port = wirePort(server.port === 0 ? first.firstPort : server.port)
    const key = this.#words.originKey.encode({ address: mappedAddress(server.address), port, protocol })
    const value = this.#words.origin.encode({ address: mappedAddress(first.address), port: wirePort(first.firstPort), server: slot })
    this.#map('origins').set(key, value)
  }

  #removeServer(place: ServicePlace, name: string, slot: number): void {
    place.servers.delete(name)
    this.#markRemoved(slot)
  }

  #markRemoved(slot: number): void {
    const value = this.#map('servers').lookupAt(slot)
    this.#words.server.write(value, 0, { weight: 0, flags: this.#words.serverFlag('REMOVED') })
    this.#map('servers').setAt(slot, value)
    this.#removedSlots.add(slot)
  }

  #writeDefinition(place: ServicePlace): void {
    const service = place.definition
    const { timeouts } = service
    const times = [timeouts.young, timeouts.established, timeouts.finWait, timeouts.timeWait, timeouts.closed, timeouts.datagram]
    const localFirst = this.#writeLocals(service)
    const value = this.#words.service.encode({
      pick: this.#words.pick(service),
      flags: this.#words.serviceFlags(service),
      table_size: this.#tableOf(place).length,
      hash_seed: service.seed >>> 0,
      persistence_seconds: service.persistenceSeconds,
      persistence_bits4: service.persistencePrefix4,
      persistence_bits6: service.persistencePrefix6,
      timeout_seconds: new Uint8Array(Uint32Array.from(times).buffer),
      rate_per_second: service.newFlowsPerSecond,
      rate_burst: Math.max(1, service.newFlowsBurst || service.newFlowsPerSecond),
      cookies_above: service.synCookiesAbove,
      access_generation: place.accessGeneration,
      first_port: service.localFirstPort,
      last_port: service.localLastPort,
      local_first: localFirst,
      local_count: service.localAddresses.length,
    })
    this.#map('service_list').setAt(place.index, value)
  }

  #writeLocals(service: PacketService): number {
    const first = this.#localCount
    for (const address of service.localAddresses) this.#map('locals').setAt(this.#localCount++, mappedAddress(address))
    return first
  }

  #writeRoster(place: ServicePlace): void {
    const value = new Uint8Array(this.#map('rosters').valueBytes)
    const view = new DataView(value.buffer)
    const limit = value.length / 4 - 1
    if (place.servers.size > limit) {
      const text = `a service has at most ${limit} servers, ${place.definition.name} has ${place.servers.size}`
      throw new EvenerError('PACKET_LIMIT_EXCEEDED', text)
    }
    let position = 0
    for (const server of place.definition.servers) {
      const slot = place.servers.get(server.name)?.slot
      if (slot !== undefined) view.setUint32(4 + position++ * 4, slot, true)
    }
    view.setUint32(0, position, true)
    this.#map('rosters').setAt(place.index, value)
  }

  #tableOf(place: ServicePlace): Uint32Array {
    const members: TableMember[] = [...place.servers.values()].map(({ slot, definition, lastingWeight }) => ({
      identity: `${definition.address}:${definition.port}`,
      slot,
      weight: definition.weight,
      isReady: !definition.isDown && !definition.isDraining,
      lastingWeight,
    }))
    return buildTable(place.definition.algorithm, members, place.definition.tableSize, place.definition.seed)
  }

  /** The new table takes the old one's place whole: no packet sees half of one. */
  #writeTable(place: ServicePlace): void {
    const table = this.#tableOf(place)
    const shape = { name: 'slots', type: MAP_TYPE_ARRAY, keySize: 4, valueSize: 4, maxEntries: Math.max(1, table.length) }
    const inner = createMap(this.#native, { ...shape, flags: FLAG_INNER_MAP }, 1)
    try {
      const keys = Uint32Array.from(table, (_, index) => index)
      inner.setMany(new Uint8Array(keys.buffer), new Uint8Array(table.buffer))
      this.#map('tables').set(indexKey(place.index), indexKey(inner.fd))
    } finally {
      inner.close()
    }
    const definition = this.#map('service_list').lookupAt(place.index)
    this.#words.service.write(definition, 0, { table_size: table.length })
    this.#map('service_list').setAt(place.index, definition)
  }

  #writeKeys(place: ServicePlace): void {
    const index = indexKey(place.index)
    const ranges = new Map<string, { key: Uint8Array; ranges: { first: number; last: number }[] }>()
    for (const { address, firstPort, lastPort } of place.definition.addresses) {
      for (const name of place.definition.protocols) {
        const protocol = PROTOCOL_NUMBER[name]
        if (firstPort === lastPort) {
          this.#map('services').set(
            this.#words.serviceKey.encode({ address: mappedAddress(address), port: wirePort(firstPort), protocol }),
            index,
          )
          continue
        }
        const key = this.#words.rangeKey.encode({ address: mappedAddress(address), protocol })
        const id = Buffer.from(key).toString('hex')
        const entry = ranges.get(id) ?? { key, ranges: [] }
        entry.ranges.push({ first: firstPort, last: Math.min(lastPort, EVERY_PORT) })
        ranges.set(id, entry)
      }
    }
    for (const entry of ranges.values()) this.#writeRanges(entry.key, entry.ranges, place.index)
  }

  /** Ranges of one address may belong to several services: those of others stay. */
  #writeRanges(key: Uint8Array, own: readonly { first: number; last: number }[], index: number): void {
    const { ranges, range } = this.#words
    const before = this.#map('ranges').lookup(key) ?? new Uint8Array(ranges.size)
    const others: { first: number; last: number; service: number }[] = []
    for (let position = 0; position < ranges.read(before, 0, 'count'); position++) {
      const at = ranges.offset('range') + position * range.size
      const service = range.read(before, at, 'service')
      if (service !== index) others.push({ first: range.read(before, at, 'first'), last: range.read(before, at, 'last'), service })
    }
    const all = [...others, ...own.map((each) => ({ ...each, service: index }))]
    // Narrow ranges first: 8000-8009 wins over every port of the address.
    all.sort((a, b) => a.last - a.first - (b.last - b.first))
    const value = new Uint8Array(ranges.size)
    const limit = Math.floor((ranges.size - ranges.offset('range')) / range.size)
    if (all.length > limit) throw new EvenerError('PACKET_LIMIT_EXCEEDED', `an address has at most ${limit} port ranges`)
    ranges.write(value, 0, { count: all.length })
    for (const [position, each] of all.entries()) range.write(value, ranges.offset('range') + position * range.size, each)
    this.#map('ranges').set(key, value)
  }

  #writeAccess(place: ServicePlace): void {
    const map = this.#map('access_list')
    const wanted = new Map<string, { key: Uint8Array; access: number }>()
    const note = (cidrs: readonly string[], access: number) => {
      for (const text of cidrs) {
        const cidr = parseCidr(text)
        const prefix = 32 + cidr.prefix + (cidr.family === 4 ? 96 : 0)
        const key = this.#words.accessKey.encode({ prefix, service: place.index, address: mappedAddress(cidr.address) })
        wanted.set(Buffer.from(key).toString('hex'), { key, access })
      }
    }
    note(place.definition.allow, this.#words.access('allow'))
    note(place.definition.deny, this.#words.access('deny'))
    const stale: Uint8Array[] = []
    map.visit((keys, at) => {
      const key = keys.slice(at, at + this.#words.accessKey.size)
      const isOwn = this.#words.accessKey.read(key, 0, 'service') === place.index
      if (isOwn && !wanted.has(Buffer.from(key).toString('hex'))) stale.push(key)
    })
    for (const { key, access } of wanted.values()) map.set(key, indexKey(access))
    for (const key of stale) map.delete(key)
    place.accessGeneration = (place.accessGeneration + 1) >>> 0
  }

  #removeService(name: string, place: ServicePlace): void {
    for (const server of place.servers.values()) this.#markRemoved(server.slot)
    this.#map('rosters').setAt(place.index, new Uint8Array(this.#map('rosters').valueBytes))
    this.#places.delete(name)
  }

  #removeOtherKeys(kept: ReadonlySet<string>): void {
    for (const name of ['services', 'ranges'] as const) {
      const map = this.#map(name)
      const stale: Uint8Array[] = []
      map.visit((keys, at) => {
        const key = keys.slice(at, at + map.shape.keySize)
        if (!kept.has(`${name}:${Buffer.from(key).toString('hex')}`)) stale.push(key)
      })
      for (const key of stale) map.delete(key)
    }
  }
}
