import { BYTE, HEX, HOST } from './characters.ts'

const { BRACKET_CLOSE, BRACKET_OPEN, COLON, DOT, NINE, ZERO } = BYTE

/**
 * Reads host [":" port] (RFC 9110 §7.2, RFC 3986 §3.2) and returns the end of the host, or -1 where it is not valid. The
 * host is an IPv6 literal in brackets, or a non-empty run of the bytes that HOST lists; userinfo, percent-encoding, commas,
 * zone identifiers and IPvFuture are refused. The port has at most five digits and a value up to 65535, or is empty.
 */
export function parseAuthority(memory: Uint8Array, start: number, end: number): number {
  let hostEnd = start
  if (memory[start] === BRACKET_OPEN && start < end) {
    hostEnd = endOfIpv6Literal(memory, start, end)
    if (hostEnd === -1) return -1
  } else {
    while (hostEnd < end && HOST[memory[hostEnd]] === 1) hostEnd++
    if (hostEnd === start) return -1
  }
  if (hostEnd === end) return hostEnd
  if (memory[hostEnd] !== COLON || end - hostEnd > 6) return -1
  let port = 0
  for (let at = hostEnd + 1; at < end; at++) {
    const digit = memory[at] - ZERO
    if (digit < 0 || digit > 9) return -1
    port = port * 10 + digit
  }
  return port > 65535 ? -1 : hostEnd
}

/** RFC 3986 §3.2.2: eight groups of up to four hexadecimal digits, "::" once for one or more of zero, the last two groups perhaps as IPv4. */
function endOfIpv6Literal(memory: Uint8Array, start: number, end: number): number {
  let at = start + 1
  let groups = 0
  let hasGap = false
  if (memory[at] === COLON) {
    if (memory[at + 1] !== COLON) return -1
    hasGap = true
    at += 2
  }
  while (at < end && memory[at] !== BRACKET_CLOSE) {
    const groupStart = at
    while (at < end && at - groupStart < 5 && HEX[memory[at]] !== 255) at++
    if (memory[at] === DOT) {
      at = endOfIpv4(memory, groupStart, end)
      groups += 2
      break
    }
    if (at === groupStart || at - groupStart > 4) return -1
    groups++
    if (memory[at] !== COLON) break
    at++
    if (memory[at] !== COLON) {
      if (memory[at] === BRACKET_CLOSE) return -1
      continue
    }
    if (hasGap) return -1
    hasGap = true
    at++
  }
  if (at === -1 || at >= end || memory[at] !== BRACKET_CLOSE) return -1
  return (hasGap ? groups < 8 : groups === 8) ? at + 1 : -1
}

function endOfIpv4(memory: Uint8Array, start: number, end: number): number {
  let at = start
  for (let part = 0; part < 4; part++) {
    if (part > 0 && (at >= end || memory[at++] !== DOT)) return -1
    const partStart = at
    let value = 0
    while (at < end && at - partStart < 3 && memory[at] >= ZERO && memory[at] <= NINE) value = value * 10 + memory[at++] - ZERO
    if (at === partStart || value > 255 || (at - partStart > 1 && memory[partStart] === ZERO)) return -1
  }
  return at
}
