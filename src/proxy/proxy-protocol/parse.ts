import { type ClientAddress, parseIpBytes } from '../../core/index.ts'
import { crc32c } from './crc32c.ts'
import { HEADER_FAULT, type ProxyHeader, TLV } from './header.ts'

/** Longest line of version 1, with its CRLF; and the longest header of version 2 that is read, its first 16 bytes included. */
export const MAX_LINE_BYTES = 107
export const MAX_HEADER_BYTES = 4096
export const MAX_UNIQUE_ID_BYTES = 128
/** Flags of TLS and the result of its verification, before the TLVs inside of that for TLS. */
const SSL_FIXED_BYTES = 5

const FIXED_BYTES = 16
const CR = 0x0d
const LF = 0x0a
const SPACE = 0x20
const SIGNATURE = new Uint8Array([0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a])
const PROXY = new Uint8Array([0x50, 0x52, 0x4f, 0x58, 0x59, 0x20])
const LOCAL = 0
const AF_UNSPEC = 0
const AF_INET = 1
const AF_INET6 = 2
const AF_UNIX = 3
const STREAM = 1
const DGRAM = 2
/** Bytes of addresses by family: none, 2 × 4 + 2 × 2, 2 × 16 + 2 × 2, 2 × 108. */
const ADDRESS_BYTES = [0, 12, 36, 216]

/**
 * Reads the header of the PROXY protocol, version 1 or 2 (haproxy's proxy-protocol.txt), that memory[start, end) begins with.
 * Returns the offset behind it, 0 while it is incomplete, or -HEADER_FAULT. Strict: a header that two receivers could read
 * differently is refused. Cost is linear in its length, and nothing is allocated. `isDatagram`: it is the beginning of a datagram, which only
 * version 2 has, and must be there as a whole.
 */
export function parseProxyHeader(memory: Uint8Array, start: number, end: number, out: ProxyHeader, isDatagram = false): number {
  out.clear()
  if (end === start) return 0
  if (memory[start] === SIGNATURE[0]) return parseVersion2(memory, start, end, out, isDatagram ? DGRAM : STREAM)
  if (isDatagram) return -HEADER_FAULT.NONE
  return parseVersion1(memory, start, end, out)
}

function parseVersion1(memory: Uint8Array, start: number, end: number, out: ProxyHeader): number {
  const known = Math.min(PROXY.length, end - start)
  for (let i = 0; i < known; i++) if (memory[start + i] !== PROXY[i]) return -HEADER_FAULT.NONE
  const limit = Math.min(end, start + MAX_LINE_BYTES)
  let lineEnd = start + known
  while (lineEnd < limit && memory[lineEnd] !== CR) lineEnd++
  if (lineEnd + 1 >= limit) return limit === start + MAX_LINE_BYTES ? -HEADER_FAULT.LINE : 0
  if (memory[lineEnd + 1] !== LF) return -HEADER_FAULT.LINE
  out.version = 1
  const fault = readLine(memory, start + PROXY.length, lineEnd, out)
  return fault === 0 ? lineEnd + 2 : -fault
}

/** What stands behind "PROXY ": "TCP4 192.0.2.1 192.0.2.2 4711 80", or UNKNOWN and anything. */
function readLine(memory: Uint8Array, start: number, end: number, out: ProxyHeader): number {
  if (isWord(memory, start, end, 'UNKNOWN')) {
    const after = start + 7
    if (after < end && memory[after] !== SPACE) return HEADER_FAULT.FAMILY
    out.isLocal = true
    return 0
  }
  const family = isWord(memory, start, end, 'TCP4 ') ? 4 : isWord(memory, start, end, 'TCP6 ') ? 6 : 0
  if (family === 0) return HEADER_FAULT.FAMILY
  const source = start + 5
  const destination = wordEnd(memory, source, end) + 1
  const sourcePort = wordEnd(memory, destination, end) + 1
  const destinationPort = wordEnd(memory, sourcePort, end) + 1
  if (!readAddress(memory, source, destination - 1, family, out.source)) return HEADER_FAULT.ADDRESS
  if (!readAddress(memory, destination, sourcePort - 1, family, out.destination)) return HEADER_FAULT.ADDRESS
  out.sourcePort = readPort(memory, sourcePort, destinationPort - 1)
  out.destinationPort = readPort(memory, destinationPort, end)
  return out.sourcePort < 0 || out.destinationPort < 0 ? HEADER_FAULT.ADDRESS : 0
}

function readAddress(memory: Uint8Array, start: number, end: number, family: number, out: ClientAddress): boolean {
  if (start >= end || !parseIpBytes(memory, start, end, out)) return false
  // A mapped IPv4 address may stand in a line of TCP6, but no IPv6 address in one of TCP4.
  for (let at = start; at < end; at++) if (memory[at] === 0x3a) return family === 6
  return family === 4
}

/** A port without sign and leading zeros, or -1. */
function readPort(memory: Uint8Array, start: number, end: number): number {
  if (start >= end || end - start > 5 || (end - start > 1 && memory[start] === 0x30)) return -1
  let port = 0
  for (let at = start; at < end; at++) {
    const digit = memory[at] - 0x30
    if (digit < 0 || digit > 9) return -1
    port = port * 10 + digit
  }
  return port > 65535 ? -1 : port
}

function wordEnd(memory: Uint8Array, start: number, end: number): number {
  let at = start
  while (at < end && memory[at] !== SPACE) at++
  return at
}

function isWord(memory: Uint8Array, start: number, end: number, word: string): boolean {
  if (end - start < word.length) return false
  for (let i = 0; i < word.length; i++) if (memory[start + i] !== word.charCodeAt(i)) return false
  return true
}

function parseVersion2(memory: Uint8Array, start: number, end: number, out: ProxyHeader, wanted: number): number {
  const known = Math.min(SIGNATURE.length, end - start)
  for (let i = 0; i < known; i++) if (memory[start + i] !== SIGNATURE[i]) return -HEADER_FAULT.NONE
  if (end - start < FIXED_BYTES) return 0
  const command = memory[start + 12]
  if (command !== 0x20 && command !== 0x21) return -HEADER_FAULT.COMMAND
  const family = memory[start + 13] >>> 4
  const transport = memory[start + 13] & 15
  const length = word16(memory, start + 14)
  if (family > AF_UNIX || transport > 2) return -HEADER_FAULT.FAMILY
  if (length < ADDRESS_BYTES[family] || FIXED_BYTES + length > MAX_HEADER_BYTES) return -HEADER_FAULT.LENGTH
  const headerEnd = start + FIXED_BYTES + length
  if (headerEnd > end) return 0
  out.version = 2
  out.isLocal = (command & 15) === LOCAL || family === AF_UNSPEC
  // A connection cannot have come in datagrams, nor the other way round.
  if (!out.isLocal && transport !== wanted) return -HEADER_FAULT.FAMILY
  if (!out.isLocal) readAddresses(memory, start + FIXED_BYTES, family, out)
  const fault = readTlvs(memory, start, start + FIXED_BYTES + ADDRESS_BYTES[family], headerEnd, out)
  return fault === 0 ? headerEnd : -fault
}

function readAddresses(memory: Uint8Array, at: number, family: number, out: ProxyHeader): void {
  if (family === AF_INET) {
    out.source.setIPv4(word32(memory, at))
    out.destination.setIPv4(word32(memory, at + 4))
  } else if (family === AF_INET6) {
    out.source.setIPv6(word32(memory, at), word32(memory, at + 4), word32(memory, at + 8), word32(memory, at + 12))
    out.destination.setIPv6(word32(memory, at + 16), word32(memory, at + 20), word32(memory, at + 24), word32(memory, at + 28))
  } else return
  const ports = at + ADDRESS_BYTES[family] - 4
  out.sourcePort = word16(memory, ports)
  out.destinationPort = word16(memory, ports + 2)
}

function readTlvs(memory: Uint8Array, headerStart: number, start: number, end: number, out: ProxyHeader): number {
  let seen = 0
  for (let at = start; at < end; ) {
    const next = tlvEnd(memory, at, end)
    if (next === -1) return HEADER_FAULT.TLV
    const type = memory[at]
    if ((type >= TLV.ALPN && type <= TLV.UNIQUE_ID && type !== TLV.NOOP) || type === TLV.SSL) {
      const bit = type === TLV.SSL ? 1 : 1 << type
      if ((seen & bit) !== 0) return HEADER_FAULT.TLV
      seen |= bit
    }
    const fault = readTlv(memory, headerStart, type, at + 3, next, end, out)
    if (fault !== 0) return fault
    at = next
  }
  return 0
}

/** Where the TLV at `at` ends; -1 where that is behind `end`. */
function tlvEnd(memory: Uint8Array, at: number, end: number): number {
  if (end - at < 3) return -1
  const next = at + 3 + word16(memory, at + 1)
  return next > end ? -1 : next
}

function readTlv(
  memory: Uint8Array,
  headerStart: number,
  type: number,
  start: number,
  end: number,
  headerEnd: number,
  out: ProxyHeader,
): number {
  switch (type) {
    case TLV.CRC32C:
      if (end - start !== 4) return HEADER_FAULT.TLV
      return crc32c(memory, headerStart, headerEnd, start) === word32(memory, start) >>> 0 ? 0 : HEADER_FAULT.CHECKSUM
    case TLV.ALPN:
      out.alpnStart = start
      out.alpnEnd = end
      return end - start > 255 ? HEADER_FAULT.TLV : 0
    case TLV.AUTHORITY:
      out.authorityStart = start
      out.authorityEnd = end
      return end - start > 255 ? HEADER_FAULT.TLV : 0
    case TLV.UNIQUE_ID:
      out.uniqueIdStart = start
      out.uniqueIdEnd = end
      return end - start > MAX_UNIQUE_ID_BYTES ? HEADER_FAULT.TLV : 0
    case TLV.SSL:
      out.sslStart = start
      out.sslEnd = end
      return isSsl(memory, start, end) ? 0 : HEADER_FAULT.TLV
    default:
      return 0
  }
}

/** What it says is told on as it is; its TLVs have to end where it does. */
function isSsl(memory: Uint8Array, start: number, end: number): boolean {
  if (end - start < SSL_FIXED_BYTES) return false
  let at = start + SSL_FIXED_BYTES
  while (at !== -1 && at < end) at = tlvEnd(memory, at, end)
  return at !== -1
}

function word16(memory: Uint8Array, at: number): number {
  return (memory[at] << 8) | memory[at + 1]
}

function word32(memory: Uint8Array, at: number): number {
  return (memory[at] << 24) | (memory[at + 1] << 16) | (memory[at + 2] << 8) | memory[at + 3]
}
