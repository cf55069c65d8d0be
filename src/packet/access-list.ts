import { parseCidr } from '../core/index.ts'
import { indexKey, type LoadedObject } from '../kernel/bpf/index.ts'
import { mappedAddress, type PacketService } from './definition.ts'
import type { Vocabulary } from './vocabulary.ts'

/** Makes the access list of a service say what its definition does. The longest matching prefix decides. */
export function writeAccessList(object: LoadedObject, words: Vocabulary, service: PacketService, index: number): void {
  const map = object.map('access_list')
  const wanted = new Map<string, { key: Uint8Array; access: number }>()
  const note = (cidrs: readonly string[], access: number) => {
    for (const text of cidrs) {
      const cidr = parseCidr(text)
      const prefix = 32 + cidr.prefix + (cidr.family === 4 ? 96 : 0)
      const key = words.accessKey.encode({ prefix, service: index, address: mappedAddress(cidr.address) })
      wanted.set(Buffer.from(key).toString('hex'), { key, access })
    }
  }
  note(service.allow, words.access('allow'))
  note(service.deny, words.access('deny'))
  const stale: Uint8Array[] = []
  map.visit((keys, at) => {
    const key = keys.slice(at, at + words.accessKey.size)
    const isOwn = words.accessKey.read(key, 0, 'service') === index
    if (isOwn && !wanted.has(Buffer.from(key).toString('hex'))) stale.push(key)
  })
  for (const { key, access } of wanted.values()) map.set(key, indexKey(access))
  for (const key of stale) map.delete(key)
}
