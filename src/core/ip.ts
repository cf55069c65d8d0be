/**
 * An IP address as numbers: made once for each connection and refilled, so that access lists, hashes and logs need no text.
 * IPv4 is in `word0`; IPv6 in `word0` (the first 32 bits) to `word3`. An IPv4-mapped IPv6 address (::ffff:192.0.2.1) is
 * stored as the IPv4 address that it is, so that a rule holds however the listener was bound.
 *
 * The words are signed (`value | 0`), because V8 keeps those as small integers without a heap number. Compare as `word >>> 0`.
 */
export class ClientAddress {
  /** 4, 6, or 0 where the peer has no IP address (a Unix socket). */
  family: 0 | 4 | 6 = 0
  word0 = 0
  word1 = 0
  word2 = 0
  word3 = 0

  clear(): void {
    this.family = 0
    this.word0 = 0
    this.word1 = 0
    this.word2 = 0
    this.word3 = 0
  }

  setIPv4(word: number): void {
    this.family = 4
    this.word0 = word | 0
    this.word1 = 0
    this.word2 = 0
    this.word3 = 0
  }

  setIPv6(word0: number, word1: number, word2: number, word3: number): void {
    if (word0 === 0 && word1 === 0 && word2 === 0xffff) {
      this.setIPv4(word3)
      return
    }
    this.family = 6
    this.word0 = word0 | 0
    this.word1 = word1 | 0
    this.word2 = word2 | 0
    this.word3 = word3 | 0
  }

  copy(other: ClientAddress): void {
    this.family = other.family
    this.word0 = other.word0
    this.word1 = other.word1
    this.word2 = other.word2
    this.word3 = other.word3
  }

  equals(other: ClientAddress): boolean {
    return (
      this.family === other.family &&
      this.word0 === other.word0 &&
      this.word1 === other.word1 &&
      this.word2 === other.word2 &&
      this.word3 === other.word3
    )
  }
}

/** The most bytes that writeIp writes: eight groups of four digits and seven colons. */
export const IP_TEXT_BYTES = 39

const textBytes = new Uint8Array(64)
const groups = new Uint16Array(8)

/**
 * Reads an address from text, as sockets report it: "192.0.2.1", "2001:db8::1", "fe80::1%eth0" (the zone is dropped).
 * Returns false, and clears `out`, where the text is not an address. Allocates nothing.
 */
export function parseIp(text: string, out: ClientAddress): boolean {
  const zone = text.indexOf('%')
  const length = zone > 0 && text.indexOf(':') !== -1 ? zone : text.length
  if (length > IP_TEXT_BYTES + 6) {
    out.clear()
    return false
  }
  for (let i = 0; i < length; i++) {
    const code = text.charCodeAt(i)
    textBytes[i] = code < 128 ? code : 0
  }
  return parseIpBytes(textBytes, 0, length, out)
}

/**
 * Reads an address from bytes, as in X-Forwarded-For. Strict: IPv4 is four decimal numbers without leading zeros (which some
 * parsers take for octal), IPv6 is RFC 4291 §2.2 without brackets, zone or port.
 */
export function parseIpBytes(memory: Uint8Array, start: number, end: number, out: ClientAddress): boolean {
  out.clear()
  for (let i = start; i < end && i < start + 5; i++) if (memory[i] === 0x3a) return parseIPv6(memory, start, end, out)
  const word = parseIPv4(memory, start, end)
  if (word < 0) return false
  out.setIPv4(word)
  return true
}

/** The IPv4 address as an unsigned number, or -1. */
function parseIPv4(memory: Uint8Array, start: number, end: number): number {
  let word = 0
  let at = start
  for (let part = 0; part < 4; part++) {
    const first = at
    let value = 0
    while (at < end && at - first < 3 && memory[at] >= 0x30 && memory[at] <= 0x39) value = value * 10 + memory[at++] - 0x30
    if (at === first || value > 255 || (at - first > 1 && memory[first] === 0x30)) return -1
    word = word * 256 + value
    if (part < 3 && (at >= end || memory[at++] !== 0x2e)) return -1
  }
  return at === end ? word : -1
}

function parseIPv6(memory: Uint8Array, start: number, end: number, out: ClientAddress): boolean {
  let count = 0
  let gap = -1
  let at = start
  if (end - start >= 2 && memory[at] === 0x3a) {
    if (memory[at + 1] !== 0x3a) return false
    gap = 0
    at += 2
  }
  while (at < end) {
    if (count === 8) return false
    const first = at
    let value = 0
    let digit = hexDigit(memory[at])
    while (digit >= 0 && at - first < 4) {
      value = value * 16 + digit
      at++
      digit = at < end ? hexDigit(memory[at]) : -1
    }
    if (at < end && memory[at] === 0x2e) {
      const word = count <= 6 ? parseIPv4(memory, first, end) : -1
      if (word < 0) return false
      groups[count++] = word >>> 16
      groups[count++] = word & 0xffff
      break
    }
    if (at === first) return false
    groups[count++] = value
    if (at === end) break
    if (memory[at++] !== 0x3a || at === end) return false
    if (memory[at] === 0x3a) {
      if (gap >= 0) return false
      gap = count
      at++
    }
  }
  return fillIPv6(count, gap, out)
}

/** Spreads `count` groups around the gap ("::", at least one group of zeros) and stores them. */
function fillIPv6(count: number, gap: number, out: ClientAddress): boolean {
  if (gap === -1 ? count !== 8 : count > 7) return false
  if (gap !== -1) {
    const behind = count - gap
    for (let i = 0; i < behind; i++) groups[7 - i] = groups[count - 1 - i]
    for (let i = gap; i < 8 - behind; i++) groups[i] = 0
  }
  out.setIPv6(groups[0] * 65536 + groups[1], groups[2] * 65536 + groups[3], groups[4] * 65536 + groups[5], groups[6] * 65536 + groups[7])
  return true
}

/**
 * Writes the address in its canonical text form (RFC 5952) and returns the offset behind it: at most IP_TEXT_BYTES bytes.
 * An address without family is written as "-".
 */
export function writeIp(memory: Uint8Array, at: number, address: ClientAddress): number {
  if (address.family === 4) return writeIPv4(memory, at, address.word0)
  if (address.family === 6) return writeIPv6(memory, at, address)
  memory[at] = 0x2d
  return at + 1
}

/** The address as canonical text, for control code. */
export function formatIp(address: ClientAddress): string {
  const bytes = new Uint8Array(IP_TEXT_BYTES)
  return String.fromCharCode(...bytes.subarray(0, writeIp(bytes, 0, address)))
}

function writeIPv4(memory: Uint8Array, at: number, word: number): number {
  let end = writeByte(memory, at, word >>> 24)
  memory[end++] = 0x2e
  end = writeByte(memory, end, (word >>> 16) & 255)
  memory[end++] = 0x2e
  end = writeByte(memory, end, (word >>> 8) & 255)
  memory[end++] = 0x2e
  return writeByte(memory, end, word & 255)
}

function writeByte(memory: Uint8Array, at: number, value: number): number {
  if (value > 99) memory[at++] = 0x30 + ((value / 100) | 0)
  if (value > 9) memory[at++] = 0x30 + (((value / 10) | 0) % 10)
  memory[at] = 0x30 + (value % 10)
  return at + 1
}

function writeIPv6(memory: Uint8Array, at: number, address: ClientAddress): number {
  groups[0] = address.word0 >>> 16
  groups[1] = address.word0
  groups[2] = address.word1 >>> 16
  groups[3] = address.word1
  groups[4] = address.word2 >>> 16
  groups[5] = address.word2
  groups[6] = address.word3 >>> 16
  groups[7] = address.word3
  // RFC 5952 §4.2: "::" stands for the longest run of at least two zero groups, the first one where two are as long.
  let gap = -1
  let gapLength = 1
  for (let i = 0; i < 8; i++) {
    let run = i
    while (run < 8 && groups[run] === 0) run++
    if (run - i > gapLength) {
      gap = i
      gapLength = run - i
    }
    if (run > i) i = run - 1
  }
  for (let i = 0; i < 8; i++) {
    if (i === gap) {
      memory[at++] = 0x3a
      if (i === 0) memory[at++] = 0x3a
      i += gapLength - 1
    } else {
      at = writeGroup(memory, at, groups[i])
      if (i < 7) memory[at++] = 0x3a
    }
  }
  return at
}

function writeGroup(memory: Uint8Array, at: number, group: number): number {
  if (group > 0xfff) memory[at++] = hexCharacter(group >>> 12)
  if (group > 0xff) memory[at++] = hexCharacter((group >>> 8) & 15)
  if (group > 0xf) memory[at++] = hexCharacter((group >>> 4) & 15)
  memory[at] = hexCharacter(group & 15)
  return at + 1
}

function hexCharacter(digit: number): number {
  return digit < 10 ? 0x30 + digit : 0x57 + digit
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30
  const lower = byte | 0x20
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1
}
