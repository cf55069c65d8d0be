import { ClientAddress } from '../core/index.ts'
import type { ProxiedEnds, ProxyHeader } from './proxy-protocol/index.ts'

const NOTHING = new Uint8Array(0)

/** The client of a connection that came through another balancer, as that one introduced it. */
export class ProxiedClient implements ProxiedEnds {
  readonly source = new ClientAddress()
  readonly sourcePort: number
  readonly destination = new ClientAddress()
  readonly destinationPort: number
  /** Empty where the header did not say. */
  readonly authority: Uint8Array
  readonly alpn: Uint8Array
  readonly uniqueId: Uint8Array
  /** Of TLS that ended in the balancer in front, as the header has it. */
  readonly ssl: Uint8Array

  /** Copies what the header says; its TLVs are ranges of `memory`. */
  constructor(header: ProxyHeader, memory: Uint8Array) {
    this.source.copy(header.source)
    this.sourcePort = header.sourcePort
    this.destination.copy(header.destination)
    this.destinationPort = header.destinationPort
    this.authority = copy(memory, header.authorityStart, header.authorityEnd)
    this.alpn = copy(memory, header.alpnStart, header.alpnEnd)
    this.uniqueId = copy(memory, header.uniqueIdStart, header.uniqueIdEnd)
    this.ssl = copy(memory, header.sslStart, header.sslEnd)
  }
}

function copy(memory: Uint8Array, start: number, end: number): Uint8Array {
  return start === end ? NOTHING : memory.slice(start, end)
}
