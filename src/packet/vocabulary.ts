import type { BpfObject, StructLayout } from '../kernel/bpf/index.ts'
import type { Forward, PacketAlgorithm, PacketService } from './definition.ts'

const PICK_NAME: Readonly<Record<PacketAlgorithm, string>> = {
  'round-robin': 'PICK_NEXT',
  'weighted-round-robin': 'PICK_NEXT',
  random: 'PICK_RANDOM',
  'weighted-random': 'PICK_RANDOM',
  'two-choices': 'PICK_TWO_CHOICES',
  'least-connections': 'PICK_LEAST',
  'weighted-least-connections': 'PICK_WEIGHTED_LEAST',
  'shortest-expected-delay': 'PICK_SHORTEST_DELAY',
  'never-queue': 'PICK_NEVER_QUEUE',
  resource: 'PICK_NEXT',
  'source-hash': 'PICK_SOURCE',
  'destination-hash': 'PICK_DESTINATION',
  ring: 'PICK_TUPLE',
  maglev: 'PICK_TUPLE',
  first: 'PICK_FIRST',
  'weighted-failover': 'PICK_FAILOVER',
  overflow: 'PICK_OVERFLOW',
  locality: 'PICK_LOCALITY',
  'locality-replicated': 'PICK_LOCALITY_REPLICATED',
}

/** The words that the program text and this room share, with their numbers and places from the object's BTF. */
export class Vocabulary {
  readonly service: StructLayout
  readonly server: StructLayout
  readonly flow: StructLayout
  readonly tuple: StructLayout
  readonly load: StructLayout
  readonly traffic: StructLayout
  readonly serviceKey: StructLayout
  readonly rangeKey: StructLayout
  readonly ranges: StructLayout
  readonly range: StructLayout
  readonly accessKey: StructLayout
  readonly settings: StructLayout
  readonly link: StructLayout
  readonly originKey: StructLayout
  readonly origin: StructLayout
  readonly expiry: StructLayout
  readonly persistence: StructLayout
  readonly locality: StructLayout
  readonly mirrorKey: StructLayout
  /** "FORWARDED" → its counter, in the order of the counters. */
  readonly verdicts: ReadonlyMap<string, number>
  readonly flowFlags: ReadonlyMap<string, number>
  readonly serverFlags: ReadonlyMap<string, number>
  readonly states: readonly string[]
  readonly #serviceFlags: ReadonlyMap<string, number>
  readonly #picks: ReadonlyMap<string, number>
  readonly #forwards: ReadonlyMap<string, number>
  readonly #encapsulations: ReadonlyMap<string, number>
  readonly #access: ReadonlyMap<string, number>

  constructor(object: BpfObject) {
    this.service = object.layout('service')
    this.server = object.layout('server')
    this.flow = object.layout('flow')
    this.tuple = object.layout('tuple')
    this.load = object.layout('load')
    this.traffic = object.layout('traffic')
    this.serviceKey = object.layout('service_key')
    this.rangeKey = object.layout('range_key')
    this.ranges = object.layout('ranges')
    this.range = object.layout('range')
    this.accessKey = object.layout('access_key')
    this.settings = object.layout('settings')
    this.link = object.layout('link')
    this.originKey = object.layout('origin_key')
    this.origin = object.layout('origin')
    this.expiry = object.layout('expiry')
    this.persistence = object.layout('persistence')
    this.locality = object.layout('locality')
    this.mirrorKey = object.layout('mirror_key')
    this.verdicts = object.btf.enumerators('verdict')
    this.flowFlags = object.btf.enumerators('flow_flag')
    this.serverFlags = object.btf.enumerators('server_flag')
    this.states = [...object.btf.enumerators('flow_state').keys()].slice(0, -1)
    this.#serviceFlags = object.btf.enumerators('service_flag')
    this.#picks = object.btf.enumerators('pick')
    this.#forwards = object.btf.enumerators('forward')
    this.#encapsulations = object.btf.enumerators('encapsulation')
    this.#access = object.btf.enumerators('access')
  }

  /** A Maglev table may be hashed by the client's address alone. */
  pick(service: PacketService): number {
    const byAddress = !service.hashPort && (service.algorithm === 'maglev' || service.algorithm === 'ring')
    return numberOf(this.#picks, byAddress ? 'PICK_SOURCE' : PICK_NAME[service.algorithm])
  }

  forward(forward: Forward): number {
    return numberOf(this.#forwards, `FORWARD_${forward.toUpperCase()}`)
  }

  encapsulation(encapsulation: 'ipip' | 'gue'): number {
    return numberOf(this.#encapsulations, `ENCAPSULATION_${encapsulation.toUpperCase()}`)
  }

  access(access: 'allow' | 'deny'): number {
    return numberOf(this.#access, `ACCESS_${access.toUpperCase()}`)
  }

  /** Servers of a locality, as slot + 1. */
  localServers(values: Uint8Array, at: number): number[] {
    const list = this.locality.readBytes(values, at, 'server')
    const view = new DataView(list.buffer, list.byteOffset)
    return Array.from({ length: this.locality.read(values, at, 'count') }, (_, index) => view.getUint32(index * 4, true))
  }

  serverFlag(name: 'DOWN' | 'DRAIN' | 'REMOVED' | 'WAITING'): number {
    return numberOf(this.serverFlags, `SERVER_${name}`)
  }

  flowFlag(name: 'REPLY'): number {
    return numberOf(this.flowFlags, `FLOW_${name}`)
  }

  serviceFlags(service: PacketService): number {
    const flag = (isSet: boolean, name: string) => (isSet ? numberOf(this.#serviceFlags, `SERVICE_${name}`) : 0)
    return (
      flag(service.persistenceSeconds > 0, 'PERSISTENT') |
      flag(service.onePacket, 'ONE_PACKET') |
      flag(service.onServerDown === 'reset', 'RESET_ON_DOWN') |
      flag(service.hashPort, 'HASH_PORT') |
      flag(service.hashFallback, 'FALLBACK') |
      flag(service.allow.length + service.deny.length > 0, 'HAS_ACCESS_LIST') |
      flag(service.allow.length > 0, 'DENY_OTHERS') |
      flag(service.synCookies === 'always', 'COOKIES_ALWAYS') |
      flag(service.synCookies === 'auto', 'COOKIES_AUTO') |
      flag(service.newFlowsPerSecond > 0, 'HAS_RATE') |
      flag(service.mirror !== undefined, 'MIRROR')
    )
  }
}

function numberOf(names: ReadonlyMap<string, number>, name: string): number {
  const value = names.get(name)
  if (value === undefined) throw new Error(`the BPF object has no ${name}`)
  return value
}
