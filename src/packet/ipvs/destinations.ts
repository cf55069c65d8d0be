import { readAttributes } from '../../kernel/netlink/index.ts'
import { formatMapped, wirePort } from '../definition.ts'
import { ATTRIBUTE, DEST_ATTRIBUTE, FAMILY, STATS64_ATTRIBUTE } from './vocabulary.ts'

/** A destination as the kernel tells of it. */
export interface Destination {
  readonly address: string
  readonly port: number
  readonly active: number
  readonly inactive: number
  readonly flows: number
  readonly packets: number
  readonly bytes: number
}

/** One answer to GET_DEST. */
export function readDestination(payload: Uint8Array): Destination | undefined {
  const nested = readAttributes(payload, 4).get(ATTRIBUTE.DEST)
  if (nested === undefined) return undefined
  const attributes = readAttributes(nested, 0)
  const number = (type: number) => numberOf(attributes.get(type))
  const raw = attributes.get(DEST_ATTRIBUTE.ADDR) ?? new Uint8Array(16)
  const stats = readAttributes(attributes.get(DEST_ATTRIBUTE.STATS64) ?? new Uint8Array(0), 0)
  return {
    address: number(DEST_ATTRIBUTE.ADDR_FAMILY) === FAMILY[6] ? formatMapped(raw) : raw.subarray(0, 4).join('.'),
    port: wirePort(number(DEST_ATTRIBUTE.PORT)),
    active: number(DEST_ATTRIBUTE.ACTIVE_CONNS),
    inactive: number(DEST_ATTRIBUTE.INACT_CONNS),
    flows: numberOf(stats.get(STATS64_ATTRIBUTE.CONNS)),
    packets: numberOf(stats.get(STATS64_ATTRIBUTE.INPKTS)),
    bytes: numberOf(stats.get(STATS64_ATTRIBUTE.INBYTES)),
  }
}

function numberOf(bytes: Uint8Array | undefined): number {
  if (bytes === undefined) return 0
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (bytes.length === 2) return view.getUint16(0, true)
  if (bytes.length === 4) return view.getUint32(0, true)
  return bytes.length === 8 ? Number(view.getBigUint64(0, true)) : 0
}
