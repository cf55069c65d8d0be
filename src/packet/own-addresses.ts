import type { BpfMap } from '../kernel/bpf/index.ts'
import { mappedAddress, type PacketService } from './definition.ts'

const MARK_FACTOR = 0x9e3779b1
const WORD_BYTES = 8

/**
 * Marks the addresses of services and servers, by which the programs pass on at once what can be no packet of theirs. Marks are only
 * added: flows of what is gone find their end in the tables.
 */
export function markAddresses(map: BpfMap, services: readonly PacketService[]): void {
  for (const { addresses, servers } of services) {
    for (const { address } of [...addresses, ...servers]) {
      const mark = markOf(address)
      const word = map.lookupAt(mark >>> 6)
      word[(mark & 63) >>> 3] |= 1 << (mark & 7)
      map.setAt(mark >>> 6, word.subarray(0, WORD_BYTES))
    }
  }
}

/** As is_marked() of bpf/balance.bpf.c. */
function markOf(address: string): number {
  const view = new DataView(mappedAddress(address).buffer)
  const words = view.getUint32(0, true) ^ view.getUint32(4, true) ^ view.getUint32(8, true) ^ view.getUint32(12, true)
  return Math.imul(words, MARK_FACTOR) >>> 16
}
