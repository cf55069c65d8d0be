import { isIP } from 'node:net'
import { EvenerError } from './errors.ts'

/** A block of addresses. `address` is canonical text whose bits beyond `prefix` are zero; IPv6 is written as RFC 5952 says. */
export interface Cidr {
  readonly family: 4 | 6
  readonly address: string
  /** 0 to 32, or 0 to 128. */
  readonly prefix: number
}

/** Reads "10.0.0.0/8", "fd00::/8" and single addresses. Bits beyond the prefix are cleared. Throws ADDRESS_INVALID. */
export function parseCidr(text: string): Cidr {
  const slash = text.indexOf('/')
  const host = slash === -1 ? text : text.slice(0, slash)
  const family = isIP(host)
  if (family === 0 || host.includes('%')) throw invalid(text, `"${host}" is not an IP address`)
  const bits = family === 4 ? 32 : 128
  const digits = slash === -1 ? String(bits) : text.slice(slash + 1)
  const prefix = Number(digits)
  if (!/^\d{1,3}$/.test(digits) || prefix > bits) throw invalid(text, `"${digits}" is not a prefix length (0 to ${bits})`)
  const bytes = addressBytes(host)
  for (let i = 0; i < bytes.length; i++) {
    const kept = Math.max(0, Math.min(8, prefix - i * 8))
    bytes[i] &= 0xff << (8 - kept)
  }
  return { family: family === 4 ? 4 : 6, address: formatBytes(bytes), prefix }
}

/** The inverse of parseCidr: "10.0.0.0/8". */
export function formatCidr(cidr: Cidr): string {
  return `${cidr.address}/${cidr.prefix}`
}

/** The 4 or 16 bytes of an IP address in network order. An IPv6 zone is ignored. Throws ADDRESS_INVALID for anything else. */
export function addressBytes(host: string): Uint8Array {
  const zone = host.indexOf('%')
  const text = zone === -1 ? host : host.slice(0, zone)
  const family = isIP(text)
  if (family === 4) return Uint8Array.from(text.split('.'), Number)
  if (family === 6) return ipv6Bytes(text)
  throw invalid(host, 'it is not an IP address')
}

function ipv6Bytes(text: string): Uint8Array {
  const [left, right] = text.split('::')
  const head = ipv6Groups(left)
  const tail = right === undefined ? [] : ipv6Groups(right)
  const bytes = new Uint8Array(16)
  bytes.set(head, 0)
  bytes.set(tail, 16 - tail.length)
  return bytes
}

function ipv6Groups(text: string): number[] {
  if (text === '') return []
  return text.split(':').flatMap((group) => {
    if (group.includes('.')) return group.split('.').map(Number)
    const value = Number.parseInt(group, 16)
    return [value >> 8, value & 0xff]
  })
}

function formatBytes(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.')
  const groups = Array.from({ length: 8 }, (_, i) => ((bytes[i * 2] << 8) | bytes[i * 2 + 1]).toString(16))
  // RFC 5952 §4.2: the longest run of two or more zero groups, the first of equals, becomes "::".
  const run = longestZeroRun(groups)
  if (run.length < 2) return groups.join(':')
  return `${groups.slice(0, run.start).join(':')}::${groups.slice(run.start + run.length).join(':')}`
}

function longestZeroRun(groups: readonly string[]): { start: number; length: number } {
  let best = { start: 0, length: 0 }
  for (let start = 0; start < groups.length; start++) {
    let length = 0
    while (groups[start + length] === '0') length++
    if (length > best.length) best = { start, length }
  }
  return best
}

function invalid(text: string, why: string): EvenerError {
  return new EvenerError('ADDRESS_INVALID', `invalid address "${text}": ${why}`)
}
