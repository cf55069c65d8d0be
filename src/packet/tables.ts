import { EvenerError } from '../core/index.ts'
import { type BpfMap, createMap, indexKey, type LoadedObject, type NativeBpf } from '../kernel/bpf/index.ts'
import { writeAccessList } from './access-list.ts'
import { mappedAddress, type PacketServer, type PacketService } from './definition.ts'
import { writeOrigins } from './origins.ts'
import { markAddresses } from './own-addresses.ts'
import { ServerSlots } from './server-slots.ts'
import { ServiceKeys } from './service-keys.ts'
import { buildTable, type TableMember } from './table.ts'
import type { Vocabulary } from './vocabulary.ts'
import { kernelWeight } from './weight.ts'

const MAP_TYPE_ARRAY = 2
const FLAG_INNER_MAP = 0x1000
const BRIEF_TIMEOUT = { least: 80, most: 1000 }

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
  /** What the kernel's table of this service holds; undefined: not written yet. */
  table: Uint32Array | undefined
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
  readonly #keys: ServiceKeys
  readonly #slots: ServerSlots
  readonly #places = new Map<string, ServicePlace>()
  #localCount = 0
  #interfaceIndex: (name: string) => number = () => 0

  constructor(native: NativeBpf, object: LoadedObject, words: Vocabulary) {
    this.#native = native
    this.#object = object
    this.#words = words
    this.#keys = new ServiceKeys(object, words)
    this.#slots = new ServerSlots(object, words)
  }

  /** Makes the tables say exactly this. Services that are gone lose their keys first; flows of servers that are gone are aged at once. */
  apply(services: readonly PacketService[], interfaceIndex: (name: string) => number): void {
    this.#interfaceIndex = interfaceIndex
    this.#localCount = 0
    markAddresses(this.#map('own_addresses'), services)
    this.#writePresence([...[...this.#places.values()].map((place) => place.definition), ...services])
    const names = new Set(services.map((service) => service.name))
    const known = services.map((service) => this.#places.get(service.name)?.index ?? this.#keys.find(service))
    for (const [name, place] of this.#places) {
      if (names.has(name)) continue
      this.#places.delete(name)
      this.#clearRoster(place.index)
    }
    this.#clearStrangers(known)
    services.forEach((service, position) => {
      this.#writeService(service, known[position] ?? this.#freeIndex(known))
    })
    this.#keys.removeOthers(services, new Set([...this.#places.values()].map(({ index }) => index)))
    this.#writeOrigins()
    this.#writePresence(services)
    this.#endShortcuts()
  }

  /** Weight, health or drain of some servers of a service; seen by the next packet. */
  update(serviceName: string, servers: readonly PacketServer[]): void {
    const place = this.#places.get(serviceName)
    if (place === undefined) return
    for (const server of servers) {
      const serverPlace = place.servers.get(server.name)
      if (serverPlace === undefined) continue
      serverPlace.definition = server
      if (server.weight > 0) serverPlace.lastingWeight = server.weight
      this.#slots.write(serverPlace.slot, place.definition, server)
    }
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

  releaseSlots(isIdle: (slot: number) => boolean): void {
    if (this.#slots.release(isIdle)) this.#endShortcuts()
  }

  #map(name: string): BpfMap {
    return this.#object.map(name)
  }

  /** Before keys are written a table counts as filled, so that no packet misses it. */
  #writePresence(services: readonly PacketService[]): void {
    const settings = this.#map('settings').lookupAt(0)
    const hasRanges = services.some((service) => service.addresses.some((each) => each.firstPort !== each.lastPort))
    const hasOrigins = services.some((service) => service.onePacket)
    const hasFullShortcuts = services.some((service) => !hasBriefOnly(service))
    const presence = { has_ranges: Number(hasRanges), has_origins: Number(hasOrigins), has_full_shortcuts: Number(hasFullShortcuts) }
    this.#words.settings.write(settings, 0, presence)
    this.#map('settings').setAt(0, settings)
  }

  /** What was decided by the tables as they were, the programs decide anew. */
  #endShortcuts(): void {
    const settings = this.#map('settings').lookupAt(0)
    const generation = (this.#words.settings.read(settings, 0, 'generation') + 1) >>> 0
    this.#words.settings.write(settings, 0, { generation })
    this.#map('settings').setAt(0, settings)
  }

  /** Services that an earlier process had and this one has not. */
  #clearStrangers(known: readonly (number | undefined)[]): void {
    const own = new Set([...this.#places.values()].map((place) => place.index))
    const limit = this.#map('service_list').shape.maxEntries
    for (let index = 0; index < limit; index++) {
      if (!own.has(index) && !known.includes(index) && this.#rosterOf(index).length > 0) this.#clearRoster(index)
    }
  }

  #freeIndex(reserved: readonly (number | undefined)[]): number {
    const used = new Set([...this.#places.values()].map((place) => place.index))
    const limit = this.#map('service_list').shape.maxEntries
    for (let index = 0; index < limit; index++) if (!used.has(index) && !reserved.includes(index)) return index
    throw new EvenerError('PACKET_LIMIT_EXCEEDED', `the packet plane holds ${limit} services, the configuration has more`)
  }

  #writeService(service: PacketService, index: number): void {
    const before = this.#places.get(service.name)
    const accessGeneration = this.#words.service.read(this.#map('service_list').lookupAt(index), 0, 'access_generation')
    const place: ServicePlace = before ?? { index, definition: service, servers: new Map(), accessGeneration, table: undefined }
    place.definition = service
    this.#places.set(service.name, place)
    const earlier = before === undefined ? this.#rosterOf(index) : []
    for (const server of service.servers) this.#placeServer(place, server, earlier)
    const kept = new Set(service.servers.map((server) => server.name))
    for (const [name, server] of place.servers) if (!kept.has(name)) this.#removeServer(place, name, server.slot)
    const slots = new Set([...place.servers.values()].map((server) => server.slot))
    for (const slot of earlier) if (!slots.has(slot)) this.#slots.remove(slot)
    writeAccessList(this.#object, this.#words, service, index)
    place.accessGeneration = (place.accessGeneration + 1) >>> 0
    this.#writeDefinition(place)
    this.#writeRoster(place)
    this.#writeTable(place)
    this.#keys.write(service, index)
  }

  #placeServer(place: ServicePlace, server: PacketServer, earlier: readonly number[]): void {
    const known = place.servers.get(server.name)
    // Another port is for new flows: those that there are know where they go.
    const isMoved = known !== undefined && known.definition.address !== server.address
    if (known !== undefined && isMoved) this.#removeServer(place, server.name, known.slot)
    const slot = known !== undefined && !isMoved ? known.slot : this.#slots.take(server, earlier)
    const lastingWeight = server.weight > 0 ? server.weight : (known?.lastingWeight ?? 1)
    place.servers.set(server.name, { slot, definition: server, lastingWeight })
    this.#slots.write(slot, place.definition, server)
  }

  #removeServer(place: ServicePlace, name: string, slot: number): void {
    place.servers.delete(name)
    this.#slots.remove(slot)
  }

  #rosterOf(index: number): number[] {
    const value = this.#map('rosters').lookupAt(index)
    const view = new DataView(value.buffer)
    return Array.from({ length: view.getUint32(0, true) }, (_, position) => view.getUint32(4 + position * 4, true))
  }

  #clearRoster(index: number): void {
    for (const slot of this.#rosterOf(index)) this.#slots.remove(slot)
    this.#map('rosters').setAt(index, new Uint8Array(this.#map('rosters').valueBytes))
  }

  #writeDefinition(place: ServicePlace): void {
    const service = place.definition
    const { timeouts } = service
    const times = [timeouts.young, timeouts.established, timeouts.finWait, timeouts.timeWait, timeouts.closed, timeouts.datagram]
    const localFirst = this.#writeLocals(service)
    const value = this.#words.service.encode({
      pick: this.#words.pick(service),
      flags: this.#words.serviceFlags(service),
      table_size: place.table?.length ?? 0,
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
      mirror_per_mille: service.mirror?.perMille ?? 0,
      mirror_port: service.mirror === undefined ? 0 : this.#interfaceIndex(service.mirror.interfaceName),
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
    const { algorithm, tableSize, seed } = place.definition
    const inTurn = [...place.servers.values()].filter(({ definition }) => definition.tier === 0)
    const members: TableMember[] = inTurn.map(({ slot, definition, lastingWeight }) => ({
      identity: `${definition.address}:${definition.port}`,
      slot,
      weight: kernelWeight(algorithm, definition),
      share: definition.share,
      isReady: !definition.isDown && !definition.isDraining,
      lastingWeight,
    }))
    return buildTable(algorithm, members, tableSize, seed)
  }

  /** The new table takes the old one's place whole: no packet sees half of one. One that is the same stays. */
  #writeTable(place: ServicePlace): void {
    const table = this.#tableOf(place)
    if (place.table !== undefined && isSame(place.table, table)) return
    const shape = { name: 'slots', type: MAP_TYPE_ARRAY, keySize: 4, valueSize: 4, maxEntries: Math.max(1, table.length) }
    const inner = createMap(this.#native, { ...shape, flags: FLAG_INNER_MAP }, 1)
    try {
      const keys = Uint32Array.from(table, (_, index) => index)
      inner.setMany(new Uint8Array(keys.buffer), new Uint8Array(table.buffer))
      this.#map('tables').set(indexKey(place.index), indexKey(inner.fd))
    } finally {
      inner.close()
    }
    place.table = table
    const definition = this.#map('service_list').lookupAt(place.index)
    this.#words.service.write(definition, 0, { table_size: table.length })
    this.#map('service_list').setAt(place.index, definition)
  }

  #writeOrigins(): void {
    const places = [...this.#places.values()].filter(({ definition }) => definition.onePacket)
    writeOrigins(
      this.#map('origins'),
      this.#words,
      places.map(({ definition, servers }) => ({ service: definition, servers: [...servers.values()] })),
    )
  }
}

/** As learn_shortcut() of bpf/include/shortcut.h decides for all flows of a service: the server is all that must be known of them. */
function hasBriefOnly({ forward, timeouts }: PacketService): boolean {
  const isBrief = (seconds: number) => seconds >= BRIEF_TIMEOUT.least && seconds <= BRIEF_TIMEOUT.most
  return (forward === 'dr' || forward === 'tun') && isBrief(timeouts.established) && isBrief(timeouts.datagram)
}

function isSame(a: Uint32Array, b: Uint32Array): boolean {
  return a.length === b.length && a.every((value, index) => value === b[index])
}
