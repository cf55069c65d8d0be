import type { BpfMap } from '../kernel/bpf/index.ts'
import { mappedAddress, type PacketServer, type PacketService, PROTOCOL_NUMBER, wirePort } from './definition.ts'
import type { Vocabulary } from './vocabulary.ts'

/** A one-packet service and the slots of its servers. */
export interface OriginService {
  readonly service: PacketService
  readonly servers: readonly { readonly slot: number; readonly definition: PacketServer }[]
}

/**
 * What a server's own address and port stand for in the answers of one-packet services, of which no flow tells. A service of several
 * addresses is answered from its first.
 */
export function writeOrigins(map: BpfMap, words: Vocabulary, services: readonly OriginService[]): void {
  const kept = new Set<string>()
  for (const { service, servers } of services) {
    const [first] = service.addresses
    for (const { slot, definition } of servers) {
      for (const protocol of service.protocols) {
        const port = wirePort(definition.port === 0 ? first.firstPort : definition.port)
        const key = words.originKey.encode({ address: mappedAddress(definition.address), port, protocol: PROTOCOL_NUMBER[protocol] })
        map.set(key, words.origin.encode({ address: mappedAddress(first.address), port: wirePort(first.firstPort), server: slot }))
        kept.add(Buffer.from(key).toString('hex'))
      }
    }
  }
  const stale: Uint8Array[] = []
  map.visit((keys, at) => {
    const key = keys.slice(at, at + map.shape.keySize)
    if (!kept.has(Buffer.from(key).toString('hex'))) stale.push(key)
  })
  for (const key of stale) map.delete(key)
}
