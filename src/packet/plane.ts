import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { addressBytes, EvenerError } from '../core/index.ts'
import {
  type BpfMap,
  BpfObject,
  indexKey,
  type LoadedObject,
  loadObject,
  possibleCpus,
  shapeOf,
  type XdpMode,
} from '../kernel/bpf/index.ts'
import { native } from '../kernel/index.ts'
import { type LinkInfo, RouteSocket } from '../kernel/netlink/index.ts'
import { Ageing } from './ageing.ts'
import { Attachments } from './attachments.ts'
import { mappedAddress, type PacketServer, type PacketService } from './definition.ts'
import { type FlowInfo, FlowReader, type ServerLoad } from './flows.ts'
import { writeMirrors } from './mirrors.ts'
import { Pins } from './pins.ts'
import { requirePacketPlane } from './requirements.ts'
import { ServiceTables } from './tables.ts'
import { tickNanoseconds } from './tick.ts'
import { Vocabulary } from './vocabulary.ts'

export interface PacketPlaneOptions {
  readonly interfaces: readonly string[]
  /** A folder of a BPF file system; undefined: nothing outlives the process. */
  readonly pinPath?: string
  /** Native where the driver can, else generic, unless one is demanded. */
  readonly mode?: XdpMode
  /** Established flows (two for each that rewrites addresses), and those that are not confirmed yet. */
  readonly flowEntries?: number
  readonly youngEntries?: number
  /** Addresses that tunnelled packets come from; by default they vary within 172.16.0.0/16 and 100::/64. */
  readonly tunnelSource4?: string
  readonly tunnelSource6?: string
  readonly icmpPerSecond?: number
}

export interface PacketStatus {
  readonly interfaces: readonly { name: string; mode: XdpMode }[]
  readonly servers: readonly ServerLoad[]
  readonly counters: Readonly<Record<string, number>>
}

const DEFAULT_FLOW_ENTRIES = 262_144
const BRIEF_PLACES = 8
const OBJECT_PATH = new URL('../../bpf/dist/balance.bpf.o', import.meta.url)

/**
 * Ways 4, 5 and 6: loads the programs, puts them on the interfaces, and keeps their tables. The kernel forwards; this decides. If
 * anything fails on the way, nothing stays attached.
 */
export class PacketPlane {
  readonly #object: LoadedObject
  readonly #words: Vocabulary
  readonly #tables: ServiceTables
  readonly #reader: FlowReader
  readonly #ageing: Ageing
  readonly #attachments: Attachments
  readonly #pins: Pins | undefined
  readonly #routes: RouteSocket
  /** It goes on with what an earlier process pinned. */
  readonly isTakenOver: boolean

  private constructor(parts: {
    object: LoadedObject
    words: Vocabulary
    attachments: Attachments
    pins: Pins | undefined
    routes: RouteSocket
    tables: ServiceTables
    isTakenOver: boolean
  }) {
    this.#object = parts.object
    this.#words = parts.words
    this.#ageing = new Ageing(parts.object, parts.words)
    this.#attachments = parts.attachments
    this.#pins = parts.pins
    this.#routes = parts.routes
    this.#tables = parts.tables
    this.isTakenOver = parts.isTakenOver
    this.#reader = new FlowReader(parts.object, parts.words, possibleCpus())
  }

  /**
   * Opens the plane for these services. Throws one error that says what is missing: privileges, an interface, a kernel function.
   * Tables are written before a program sees its first packet.
   */
  static open(options: PacketPlaneOptions, services: readonly PacketService[]): PacketPlane {
    requirePacketPlane()
    const routes = new RouteSocket(native())
    const undo: (() => void)[] = [() => routes.close()]
    try {
      // Before anything is changed.
      for (const name of options.interfaces) routes.demandLink(name)
      const pins = options.pinPath === undefined ? undefined : new Pins(native(), options.pinPath)
      const isTakenOver = pins !== undefined && pins.linkNames().length > 0
      if (!isTakenOver) undo.push(() => pins?.removeAll())
      const source = new BpfObject(readFileSync(OBJECT_PATH))
      const { object, pinned } = load(source, options, pins)
      undo.push(() => object.close())
      const words = new Vocabulary(source)
      writeSettings(object, words, options)
      const tables = new ServiceTables(native(), object, words)
      writeTables(tables, services, object, words, routes)
      const attachments = new Attachments(native(), routes, object.program('balance'), pins, options.mode)
      undo.push(() => attachments.close(isTakenOver))
      attachments.set(options.interfaces)
      pins?.pinMaps(source, object.maps, pinned)
      const plane = new PacketPlane({ object, words, attachments, pins, routes, tables, isTakenOver })
      plane.keepNeighbours()
      return plane
    } catch (error) {
      for (const step of undo.reverse()) step()
      throw error
    }
  }

  /** "eth0: native XDP", for the start-up message. */
  describe(): string[] {
    return this.#attachments.list.map(({ name, mode }) => {
      return mode === 'native' ? `${name}: native XDP` : `${name}: generic XDP (the driver has no native XDP, or none for its MTU; slower)`
    })
  }

  /** Services and interfaces from now on. Flows of servers that stay are not touched. */
  apply(services: readonly PacketService[], interfaces: readonly string[] = this.#attachments.list.map(({ name }) => name)): void {
    writeTables(this.#tables, services, this.#object, this.#words, this.#routes)
    this.#attachments.set(interfaces)
    this.keepNeighbours()
  }

  /** Weight, health or drain of some servers of a service, at once. */
  updateServers(service: string, servers: readonly PacketServer[]): void {
    this.#tables.update(service, servers)
  }

  /** Has the kernel know the MAC addresses of the servers' next hops. To be called every few seconds. True if it knows them all. */
  keepNeighbours(): boolean {
    let areKnown = true
    for (const { server } of this.#tables.slots()) {
      const hop = this.#routes.nextHop(addressBytes(server.address))
      if (hop !== undefined && !this.#routes.useNeighbour(hop)) areKnown = false
    }
    return areKnown
  }

  /** Forgets flows whose time is over, a batch of them. True when all have been looked at; then comes a pause of seconds. */
  age(): boolean {
    const isComplete = this.#ageing.step()
    if (isComplete) {
      this.#tables.releaseSlots((slot) => {
        const { active, inactive, young } = this.#reader.load(slot)
        return active + inactive + young === 0
      })
    }
    return isComplete
  }

  /** A whole round at once; counts entries, of which flows that rewrite have two. */
  ageAll(): { visited: number; removed: number } {
    while (!this.age());
    return { visited: this.#ageing.visited, removed: this.#ageing.forgotten }
  }

  flows(limit = 1000): FlowInfo[] {
    return this.#reader.list((slot) => this.#tables.describeSlot(slot), limit)
  }

  status(): PacketStatus {
    return {
      interfaces: this.#attachments.list.map(({ name, mode }) => ({ name, mode })),
      servers: this.#tables.slots().map(({ service, server, slot }) => ({ service, server: server.name, ...this.#reader.load(slot) })),
      counters: this.#reader.counters(),
    }
  }

  /** Runs the program over one packet without an interface: for tests, benchmarks and `explain`. */
  run(
    packet: Uint8Array,
    options: { repeat?: number; interfaceIndex?: number } = {},
  ): { verdict: number; bytes: Uint8Array; duration: number } {
    return this.#object.program('balance').runPacket(packet, options)
  }

  /** The kernel's tables, for tests and benchmarks. */
  get object(): LoadedObject {
    return this.#object
  }

  /** Gives descriptors back. With pins and `keep`, the kernel goes on forwarding; else programs come off and settings are as before. */
  close(options: { keep: boolean } = { keep: false }): void {
    const isKept = options.keep && this.#pins !== undefined
    this.#attachments.close(isKept)
    if (!isKept) this.#pins?.removeAll()
    this.#object.close()
    this.#routes.close()
  }
}

/** The programs, with maps of their own where an earlier process has left none that will do. */
function load(
  source: BpfObject,
  options: PacketPlaneOptions,
  pins: Pins | undefined,
): { object: LoadedObject; pinned: ReadonlyMap<string, BpfMap> } {
  const flowEntries = options.flowEntries ?? DEFAULT_FLOW_ENTRIES
  // Two places in each line, half of which stay free, and eight, of which a fifth does: so nearly every flow finds one.
  const lines = 2 ** Math.ceil(Math.log2(flowEntries))
  const briefLines = Math.ceil((flowEntries * 1.25) / BRIEF_PLACES)
  const sizes: Record<string, number> = { flows: flowEntries, shortcuts: lines, briefs: briefLines }
  if (options.youngEntries !== undefined) sizes.young = options.youngEntries
  const shape = (name: string) => {
    const definition = source.maps.find((map) => map.name === name)
    if (definition === undefined) throw new EvenerError('BPF_OBJECT_INVALID', `the BPF object has no map ${name}`)
    return shapeOf(definition, sizes)
  }
  const pinned = pins?.openMaps(source, shape) ?? new Map<string, BpfMap>()
  const constants = {
    tick_nanoseconds: tickNanoseconds(),
    shortcut_mask: lines - 1,
    brief_lines_count: briefLines,
    shortcut_seed: randomBytes(6).readUIntLE(0, 6),
  }
  const object = loadObject(native(), source, { sizes, existing: pinned, constants })
  return { object, pinned }
}

function writeTables(
  tables: ServiceTables,
  services: readonly PacketService[],
  object: LoadedObject,
  words: Vocabulary,
  routes: RouteSocket,
): void {
  for (const { mirror } of services) if (mirror !== undefined) routes.demandLink(mirror.interfaceName)
  const links = routes.links()
  writeLinks(object, words, links)
  writeMirrors(native(), object, words, services, links)
  tables.apply(services, (name) => links.find((link) => link.name === name)?.index ?? 0)
}

function writeSettings(object: LoadedObject, words: Vocabulary, options: PacketPlaneOptions): void {
  const value = words.settings.encode({
    tunnel_source4: options.tunnelSource4 === undefined ? new Uint8Array(16) : mappedAddress(options.tunnelSource4),
    tunnel_source6: options.tunnelSource6 === undefined ? new Uint8Array(16) : mappedAddress(options.tunnelSource6),
    icmp_per_second: options.icmpPerSecond ?? 100,
    generation: words.settings.read(object.map('settings').lookupAt(0), 0, 'generation'),
  })
  object.map('settings').setAt(0, value)
}

/** Which interfaces are VLANs of others: packets for them leave by those. */
function writeLinks(object: LoadedObject, words: Vocabulary, links: readonly LinkInfo[]): void {
  for (const { index, vlan } of links) {
    if (vlan !== undefined) object.map('links').set(indexKey(index), words.link.encode({ parent: vlan.parent, vlan: vlan.id }))
  }
}
