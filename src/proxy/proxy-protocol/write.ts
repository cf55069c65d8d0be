import { type ClientAddress, writeIp } from '../../core/index.ts'
import { crc32c } from './crc32c.ts'
import { TLV } from './header.ts'

/** Who the client is, and where it connected to; what a header tells of it. */
export interface ProxiedEnds {
  readonly source: ClientAddress
  readonly sourcePort: number
  readonly destination: ClientAddress
  readonly destinationPort: number
}

/** Values of TLVs, empty where there is none. */
export interface ProxyTlvs {
  readonly authority: Uint8Array
  readonly alpn: Uint8Array
  readonly uniqueId: Uint8Array
  /** What the TLV for TLS holds: flags, the result of the verification, TLVs of its own. */
  readonly ssl: Uint8Array
  readonly hasChecksum: boolean
}

/** The longest value of the TLV for TLS that is written; one above it that another balancer told is left out. */
const MAX_SSL_BYTES = 2048
/** Room for any header that is written: addresses, four TLVs of at most 255 bytes, and that for TLS. */
export const PROXY_HEADER_ROOM = 16 + 36 + 4 * (3 + 255) + 3 + MAX_SSL_BYTES

const SIGNATURE = [0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a]
const VERSION_PROXY = 0x21
const VERSION_LOCAL = 0x20
const TCP4 = 0x11
const TCP6 = 0x21
/** UDP in the place of TCP. */
const DATAGRAM = 1

/** Writes a line of version 1 and returns the offset behind it. A client without an IP address is UNKNOWN. */
export function writeProxyLine(memory: Uint8Array, start: number, ends: ProxiedEnds): number {
  if (!hasAddresses(ends)) return writeText(memory, start, 'PROXY UNKNOWN\r\n')
  const isIPv4 = ends.source.family === 4 && ends.destination.family === 4
  let at = writeText(memory, start, isIPv4 ? 'PROXY TCP4 ' : 'PROXY TCP6 ')
  at = writeAddress(memory, at, ends.source, isIPv4)
  memory[at++] = 0x20
  at = writeAddress(memory, at, ends.destination, isIPv4)
  memory[at++] = 0x20
  at = writeDecimal(memory, at, ends.sourcePort)
  memory[at++] = 0x20
  at = writeDecimal(memory, at, ends.destinationPort)
  memory[at++] = 0x0d
  memory[at++] = 0x0a
  return at
}

/** Writes a header of version 2 and returns the offset behind it. A client without an IP address is told as LOCAL. */
export function writeProxyHeader(memory: Uint8Array, start: number, ends: ProxiedEnds, tlvs: ProxyTlvs, isDatagram = false): number {
  for (let i = 0; i < 12; i++) memory[start + i] = SIGNATURE[i]
  const isKnown = hasAddresses(ends)
  const isIPv4 = isKnown && ends.source.family === 4 && ends.destination.family === 4
  memory[start + 12] = isKnown ? VERSION_PROXY : VERSION_LOCAL
  memory[start + 13] = !isKnown ? 0 : (isIPv4 ? TCP4 : TCP6) + (isDatagram ? DATAGRAM : 0)
  let at = start + 16
  if (isKnown) {
    at = writeWords(memory, at, ends.source, isIPv4)
    at = writeWords(memory, at, ends.destination, isIPv4)
    at = writeNumber16(memory, at, ends.sourcePort)
    at = writeNumber16(memory, at, ends.destinationPort)
  }
  at = writeTlv(memory, at, TLV.ALPN, tlvs.alpn)
  at = writeTlv(memory, at, TLV.AUTHORITY, tlvs.authority)
  at = writeTlv(memory, at, TLV.UNIQUE_ID, tlvs.uniqueId)
  if (tlvs.ssl.length <= MAX_SSL_BYTES) at = writeTlv(memory, at, TLV.SSL, tlvs.ssl)
  const hole = at + 3
  if (tlvs.hasChecksum) {
    memory[at] = TLV.CRC32C
    writeNumber16(memory, at + 1, 4)
    at = hole + 4
  }
  writeNumber16(memory, start + 14, at - start - 16)
  if (tlvs.hasChecksum) writeWord(memory, hole, crc32c(memory, start, at, hole))
  return at
}

function hasAddresses({ source, destination }: ProxiedEnds): boolean {
  return source.family !== 0 && destination.family !== 0
}

function writeTlv(memory: Uint8Array, at: number, type: number, value: Uint8Array): number {
  if (value.length === 0) return at
  memory[at] = type
  writeNumber16(memory, at + 1, value.length)
  memory.set(value, at + 3)
  return at + 3 + value.length
}

/** Both addresses of a header are of one family: an IPv4 one beside an IPv6 one is written as mapped. */
function writeAddress(memory: Uint8Array, at: number, address: ClientAddress, isIPv4: boolean): number {
  const begin = isIPv4 || address.family === 6 ? at : writeText(memory, at, '::ffff:')
  return writeIp(memory, begin, address)
}

function writeWords(memory: Uint8Array, at: number, address: ClientAddress, isIPv4: boolean): number {
  if (isIPv4) return writeWord(memory, at, address.word0)
  const isMapped = address.family === 4
  let next = writeWord(memory, at, isMapped ? 0 : address.word0)
  next = writeWord(memory, next, isMapped ? 0 : address.word1)
  next = writeWord(memory, next, isMapped ? 0xffff : address.word2)
  return writeWord(memory, next, isMapped ? address.word0 : address.word3)
}

function writeWord(memory: Uint8Array, at: number, word: number): number {
  memory[at] = word >>> 24
  memory[at + 1] = word >>> 16
  memory[at + 2] = word >>> 8
  memory[at + 3] = word
  return at + 4
}

function writeNumber16(memory: Uint8Array, at: number, value: number): number {
  memory[at] = value >>> 8
  memory[at + 1] = value
  return at + 2
}

function writeDecimal(memory: Uint8Array, at: number, value: number): number {
  return writeText(memory, at, String(value))
}

function writeText(memory: Uint8Array, at: number, text: string): number {
  for (let i = 0; i < text.length; i++) memory[at + i] = text.charCodeAt(i)
  return at + text.length
}
