import { readFileSync } from 'node:fs'
import { addressBytes, EvenerError } from '../core/index.ts'
import { attachEgress, type BpfLink, BpfObject, indexKey, type LoadedObject, loadObject, type StructLayout } from '../kernel/bpf/index.ts'
import { native } from '../kernel/index.ts'
import { RouteSocket } from '../kernel/netlink/index.ts'
import { type Forward, formatMapped, mappedAddress, wirePort } from './definition.ts'
import { requirePacketPlane } from './requirements.ts'

const OBJECT_PATH = new URL('../../bpf/dist/probe.bpf.o', import.meta.url)
/** Above the range that Linux gives to connections by default, which ends at 60999. */
const FIRST_PORT = 61_100
const LAST_PORT = 65_000
/** Sources of tunnelled checks where none is configured, as of other tunnelled packets. */
const SOURCE4 = '172.16.0.1'
const SOURCE6 = '100::1'

/** Where a check goes in truth. */
export interface CheckDestination {
  /** The service's address, which the check connects to. */
  readonly vip: string
  readonly server: string
  readonly forward: Forward
  readonly encapsulation: 'ipip' | 'gue'
  readonly guePort: number
  readonly source4: string | undefined
  readonly source6: string | undefined
}

/**
 * Has checks take the way of the packets: a connection to the VIP from a port that steer() gives out reaches the server that was meant.
 * The VIP must be no address of this machine, or the kernel would keep the connection to itself.
 */
export class CheckWay {
  readonly #object: LoadedObject
  readonly #probe: StructLayout
  readonly #source: BpfObject
  readonly #routes: RouteSocket
  readonly #links = new Map<number, BpfLink>()
  #next = FIRST_PORT

  private constructor(object: LoadedObject, source: BpfObject, routes: RouteSocket) {
    this.#object = object
    this.#source = source
    this.#probe = source.layout('probe')
    this.#routes = routes
  }

  static open(): CheckWay {
    requirePacketPlane()
    const source = new BpfObject(readFileSync(OBJECT_PATH))
    return new CheckWay(loadObject(native(), source), source, new RouteSocket(native()))
  }

  /** The port to connect from; undefined where there is no route to the VIP or the server. */
  steer(destination: CheckDestination): number | undefined {
    const hop = this.#routes.nextHop(addressBytes(destination.server))
    const way = this.#routes.nextHop(addressBytes(destination.vip))
    if (hop === undefined || way === undefined) return undefined
    this.#attach(way.interfaceIndex)
    const isV6 = destination.server.includes(':')
    const port = this.#next
    this.#next = port >= LAST_PORT ? FIRST_PORT : port + 1
    const forward = numberOf(this.#source, 'forward', `FORWARD_${destination.forward.toUpperCase()}`)
    const value = this.#probe.encode({
      to: destination.forward === 'dr' ? mappedAddress(formatAddress(hop.address)) : mappedAddress(destination.server),
      from: mappedAddress(isV6 ? (destination.source6 ?? SOURCE6) : (destination.source4 ?? SOURCE4)),
      ifindex: hop.interfaceIndex,
      gue_port: wirePort(destination.guePort),
      forward,
      encapsulation: numberOf(this.#source, 'encapsulation', `ENCAPSULATION_${destination.encapsulation.toUpperCase()}`),
    })
    this.#object.map('probes').set(indexKey(port), value)
    return port
  }

  close(): void {
    for (const link of this.#links.values()) link.close()
    this.#object.close()
    this.#routes.close()
  }

  #attach(interfaceIndex: number): void {
    if (this.#links.has(interfaceIndex)) return
    this.#links.set(interfaceIndex, attachEgress(native(), this.#object.program('steer'), interfaceIndex))
  }
}

function formatAddress(bytes: Uint8Array): string {
  return bytes.length === 4 ? bytes.join('.') : formatMapped(bytes)
}

function numberOf(source: BpfObject, name: string, word: string): number {
  const value = source.btf.enumerators(name).get(word)
  if (value === undefined) throw new EvenerError('BPF_OBJECT_INVALID', `the BPF object has no ${word}`)
  return value
}
