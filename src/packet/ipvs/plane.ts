import { EvenerError } from '../../core/index.ts'
import { errnoName, native } from '../../kernel/index.ts'
import { FLAG, GenericSocket, type NativeNetlink } from '../../kernel/netlink/index.ts'
import type { PacketServer, PacketService } from '../definition.ts'
import type { FlowInfo } from '../flows.ts'
import type { PacketStatus } from '../plane.ts'
import { readConnections } from './connections.ts'
import { type Destination, readDestination } from './destinations.ts'
import { keysOf, portOf, type ServiceKey, writeDestination, writeDestinationKey, writeService, writeServiceKey } from './messages.ts'
import { COMMAND, IPVS_FAMILY, IPVS_VERSION } from './vocabulary.ts'

const ENOENT = -2
const ESRCH = -3
const EEXIST = -17

/**
 * The kernel's own IPVS behind packet listeners: the same services and servers, written over generic netlink. Flows, their ageing and
 * their time-outs are the kernel's; they outlive this process, as everything in IPVS does.
 */
export class IpvsPlane {
  readonly isTakenOver = true
  readonly #socket: GenericSocket
  #services: readonly PacketService[] = []

  private constructor(socket: GenericSocket) {
    this.#socket = socket
  }

  /** Throws IPVS_UNAVAILABLE where the kernel has no ip_vs. */
  static open(services: readonly PacketService[], addon: NativeNetlink = native()): IpvsPlane {
    const socket = GenericSocket.open(addon, IPVS_FAMILY, IPVS_VERSION)
    if (socket === undefined) {
      const text =
        'engine: ipvs needs the kernel module ip_vs, which this kernel does not have or may not load (modprobe ip_vs); engine: xdp does not'
      throw new EvenerError('IPVS_UNAVAILABLE', text)
    }
    const plane = new IpvsPlane(socket)
    try {
      plane.apply(services)
    } catch (error) {
      plane.close({ keep: false })
      throw error
    }
    return plane
  }

  describe(): string[] {
    return ["the kernel's IPVS forwards"]
  }

  /** Makes IPVS have exactly these services of ours; services that others made stay. */
  apply(services: readonly PacketService[]): void {
    const before = this.#services
    this.#services = services
    const wanted = new Set(services.flatMap((service) => keysOf(service).map(textOf)))
    for (const key of before.flatMap(keysOf)) if (!wanted.has(textOf(key))) this.#send(COMMAND.DEL_SERVICE, key)
    for (const service of services) for (const key of keysOf(service)) this.#writeService(key, service)
  }

  updateServers(name: string, servers: readonly PacketServer[]): void {
    this.#services = this.#services.map((service) => {
      if (service.name !== name) return service
      return { ...service, servers: service.servers.map((server) => servers.find((each) => each.name === server.name) ?? server) }
    })
    const service = this.#services.find((each) => each.name === name)
    if (service === undefined) return
    for (const key of keysOf(service)) this.#writeDestinations(key, service)
  }

  /** The kernel resolves neighbours itself. */
  keepNeighbours(): boolean {
    return true
  }

  /** The kernel ages its flows itself. */
  age(): boolean {
    return true
  }

  flows(limit: number): FlowInfo[] {
    return readConnections(this.#services, limit)
  }

  status(): PacketStatus {
    const servers = this.#services.flatMap((service) => {
      const keys = keysOf(service).map((key) => ({ key, destinations: this.#destinations(key) }))
      return service.servers.map((server) => {
        const sum = (field: 'active' | 'inactive' | 'flows' | 'packets' | 'bytes') =>
          keys.reduce((total, { key, destinations }) => total + (find(destinations, server.address, portOf(key, server))?.[field] ?? 0), 0)
        const [active, inactive, packets, bytes, flows] = [sum('active'), sum('inactive'), sum('packets'), sum('bytes'), sum('flows')]
        return { service: service.name, server: server.name, active, inactive, young: 0, packets, bytes, flows }
      })
    })
    return { interfaces: [], servers, counters: {} }
  }

  close(options: { keep: boolean }): void {
    if (!options.keep) for (const key of this.#services.flatMap(keysOf)) this.#send(COMMAND.DEL_SERVICE, key, [ESRCH, ENOENT])
    this.#socket.close()
  }

  #writeService(key: ServiceKey, service: PacketService): void {
    const write = (command: number) => this.#socket.request(command, FLAG.ACK, (message) => writeService(message, key, service))
    let result = write(COMMAND.NEW_SERVICE)
    if (result === EEXIST) result = write(COMMAND.SET_SERVICE)
    demand(result, `service ${textOf(key)}`)
    this.#writeDestinations(key, service)
  }

  /** A server that is down is none of IPVS's destinations; one that drains has weight 0. */
  #writeDestinations(key: ServiceKey, service: PacketService): void {
    const known = this.#destinations(key)
    const up = service.servers.filter((server) => !server.isDown)
    for (const { address, port } of known) {
      if (up.some((server) => server.address === address && portOf(key, server) === port)) continue
      this.#removeDestination(key, address, port)
    }
    for (const server of up) {
      const isKnown = find(known, server.address, portOf(key, server)) !== undefined
      this.#sendDestination(isKnown ? COMMAND.SET_DEST : COMMAND.NEW_DEST, key, service, server)
    }
  }

  #destinations(key: ServiceKey): Destination[] {
    const answers = this.#socket.request(COMMAND.GET_DEST, FLAG.DUMP, (message) => writeServiceKey(message, key))
    if (answers === ESRCH || answers === ENOENT) return []
    return demand(answers, `service ${textOf(key)}`).flatMap((payload) => readDestination(payload) ?? [])
  }

  #send(command: number, key: ServiceKey, allowed: readonly number[] = []): void {
    const result = this.#socket.request(command, FLAG.ACK, (message) => writeServiceKey(message, key))
    if (typeof result !== 'number' || !allowed.includes(result)) demand(result, `service ${textOf(key)}`)
  }

  #removeDestination(key: ServiceKey, address: string, port: number): void {
    const result = this.#socket.request(COMMAND.DEL_DEST, FLAG.ACK, (message) => {
      writeServiceKey(message, key)
      writeDestinationKey(message, address, port)
    })
    demand(result, `server ${address} of service ${textOf(key)}`)
  }

  #sendDestination(command: number, key: ServiceKey, service: PacketService, server: PacketServer): void {
    const result = this.#socket.request(command, FLAG.ACK, (message) => {
      writeServiceKey(message, key)
      writeDestination(message, service, server, portOf(key, server))
    })
    demand(result, `server ${server.address} of service ${textOf(key)}`)
  }
}

function find(destinations: readonly Destination[], address: string, port: number): Destination | undefined {
  return destinations.find((each) => each.address === address && each.port === port)
}

function textOf(key: ServiceKey): string {
  return 'mark' in key ? `mark ${key.mark} (IPv${key.family})` : `${key.address}:${key.port}/${key.protocol}`
}

function demand<T>(result: T | number, what: string): T {
  if (typeof result !== 'number') return result
  throw new EvenerError('NETLINK_FAILED', `IPVS, ${what}: ${errnoName(result)}`)
}
