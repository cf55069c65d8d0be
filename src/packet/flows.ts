import type { BpfMap, LoadedObject } from '../kernel/bpf/index.ts'
import { formatMapped, wirePort } from './definition.ts'
import type { Vocabulary } from './vocabulary.ts'

export interface FlowInfo {
  readonly protocol: string
  readonly client: string
  readonly clientPort: number
  readonly address: string
  readonly port: number
  readonly service: string
  readonly server: string
  /** "new", "established", "fin-wait", … */
  readonly state: string
}

export interface ServerLoad {
  readonly service: string
  readonly server: string
  readonly active: number
  readonly inactive: number
  readonly young: number
  readonly packets: number
  readonly bytes: number
  readonly flows: number
}

const PROTOCOL_NAMES = new Map([
  [6, 'tcp'],
  [17, 'udp'],
  [132, 'sctp'],
])

/** Reads what the programs count and remember. */
export class FlowReader {
  readonly #object: LoadedObject
  readonly #words: Vocabulary
  readonly #cpus: number

  constructor(object: LoadedObject, words: Vocabulary, cpus: number) {
    this.#object = object
    this.#words = words
    this.#cpus = cpus
  }

  /** Flows, each once (not their replies' entries), at most `limit`. */
  list(describe: (slot: number) => { service: string; server: string } | undefined, limit: number): FlowInfo[] {
    const flows: FlowInfo[] = []
    const { flow, tuple } = this.#words
    const reply = this.#words.flowFlag('REPLY')
    for (const map of [this.#object.map('flows'), this.#object.map('young')]) {
      map.visit((keys, keyAt, values, valueAt) => {
        if (flows.length >= limit || (flow.read(values, valueAt, 'flags') & reply) !== 0) return
        const slot = flow.read(values, valueAt, 'server')
        const names = describe(slot) ?? { service: '', server: `slot ${slot}` }
        const state = this.#words.states[flow.read(values, valueAt, 'state')] ?? 'STATE_UNKNOWN'
        const protocol = tuple.read(keys, keyAt, 'protocol')
        flows.push({
          protocol: PROTOCOL_NAMES.get(protocol) ?? String(protocol),
          client: formatMapped(tuple.readBytes(keys, keyAt, 'source')),
          clientPort: wirePort(tuple.read(keys, keyAt, 'source_port')),
          address: formatMapped(tuple.readBytes(keys, keyAt, 'destination')),
          port: wirePort(tuple.read(keys, keyAt, 'destination_port')),
          ...names,
          state: state.slice('STATE_'.length).toLowerCase().replaceAll('_', '-'),
        })
      })
    }
    return flows
  }

  load(slot: number): Omit<ServerLoad, 'service' | 'server'> {
    const value = this.#object.map('loads').lookupAt(slot)
    const { load, traffic } = this.#words
    const copies = this.#object.map('traffic_by_server').lookupAt(slot)
    const sum = (name: string) => sumCopies(copies, this.#cpus, (at) => traffic.read(copies, at, name))
    return {
      active: load.read(value, 0, 'active'),
      inactive: load.read(value, 0, 'inactive'),
      young: load.read(value, 0, 'young'),
      packets: sum('packets'),
      bytes: sum('bytes'),
      flows: sum('flows'),
    }
  }

  /** "forwarded" → packets, for every verdict. */
  counters(): Record<string, number> {
    const counters: Record<string, number> = {}
    const map: BpfMap = this.#object.map('counters')
    for (const [name, index] of this.#words.verdicts) {
      if (name === 'VERDICT_COUNT') continue
      const copies = map.lookupAt(index)
      const view = new DataView(copies.buffer)
      const key = name.slice('VERDICT_'.length).toLowerCase().replaceAll('_', '-')
      counters[key] = sumCopies(copies, this.#cpus, (at) => Number(view.getBigUint64(at, true)))
    }
    return counters
  }
}

function sumCopies(copies: Uint8Array, cpus: number, read: (at: number) => number): number {
  const stride = copies.length / cpus
  let sum = 0
  for (let cpu = 0; cpu < cpus; cpu++) sum += read(cpu * stride)
  return sum
}
