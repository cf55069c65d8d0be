import { createMap, indexKey, type LoadedObject, type NativeBpf } from '../kernel/bpf/index.ts'
import type { LinkInfo } from '../kernel/netlink/index.ts'
import type { PacketService } from './definition.ts'
import type { Vocabulary } from './vocabulary.ts'

const MAP_TYPE_DEVICES = 14

/** For each mirror and each interface that packets may leave by: the two that a packet with its copy goes to. */
export function writeMirrors(
  native: NativeBpf,
  object: LoadedObject,
  words: Vocabulary,
  services: readonly PacketService[],
  links: readonly LinkInfo[],
): void {
  const names = new Set(services.flatMap(({ mirror }) => (mirror === undefined ? [] : [mirror.interfaceName])))
  const map = object.map('mirrors')
  for (const mirror of links.filter(({ name }) => names.has(name))) {
    for (const out of links) {
      if (out.index === mirror.index || out.name === 'lo') continue
      const both = createMap(native, { name: 'both_ports', type: MAP_TYPE_DEVICES, keySize: 4, valueSize: 4, maxEntries: 2, flags: 0 }, 1)
      try {
        both.setNumberAt(0, out.index)
        both.setNumberAt(1, mirror.index)
        map.set(words.mirrorKey.encode({ out: out.index, mirror: mirror.index }), indexKey(both.fd))
      } finally {
        both.close()
      }
    }
  }
}
