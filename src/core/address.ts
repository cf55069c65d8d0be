import { isIP } from 'node:net'
import { EvenerError } from './errors.ts'

/** Where a socket listens or connects. IPv6 hosts are written without brackets, `path` of an abstract socket starts with "@". */
export type SocketAddress =
  | { readonly family: 4 | 6; readonly host: string; readonly port: number }
  | { readonly family: 'unix'; readonly path: string }

/**
 * Reads "127.0.0.1:8080", "[::1]:8080", ":8080" (all IPv4 addresses), "8080" and "unix:/run/app.sock".
 * Host names are not resolved here. Throws ADDRESS_INVALID with a message that says what is wrong.
 */
export function parseAddress(text: string): SocketAddress {
  if (text.startsWith('unix:')) return parseUnix(text)
  const bracketed = /^\[([^\]]*)\]:(\d+)$/.exec(text)
  if (bracketed !== null) {
    if (isIP(bracketed[1]) !== 6) throw invalid(text, `"${bracketed[1]}" is not an IPv6 address`)
    return { family: 6, host: bracketed[1], port: parsePort(text, bracketed[2]) }
  }
  if (isIP(text) === 4) throw invalid(text, 'the port is missing')
  const colon = text.lastIndexOf(':')
  const host = colon === -1 ? '' : text.slice(0, colon)
  const port = parsePort(text, text.slice(colon + 1))
  if (host === '' || host === '*') return { family: 4, host: '0.0.0.0', port }
  if (isIP(host) === 4) return { family: 4, host, port }
  if (isIP(host) === 6) throw invalid(text, `write an IPv6 address in brackets: "[${host}]:${port}"`)
  throw invalid(text, `"${host}" is not an IP address`)
}

/** The inverse of parseAddress: "127.0.0.1:80", "[::1]:80", "unix:/run/app.sock". */
export function formatAddress(address: SocketAddress): string {
  if (address.family === 'unix') return `unix:${address.path}`
  return address.family === 6 ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`
}

function parseUnix(text: string): SocketAddress {
  const path = text.slice('unix:'.length)
  if (path === '') throw invalid(text, 'the path is missing')
  // sockaddr_un.sun_path holds 108 bytes with the final NUL.
  if (Buffer.byteLength(path) > 107) throw invalid(text, 'a Unix socket path has at most 107 bytes')
  return { family: 'unix', path }
}

function parsePort(text: string, digits: string): number {
  const port = Number(digits)
  if (!/^\d{1,5}$/.test(digits) || port > 65535) throw invalid(text, `"${digits}" is not a port (0 to 65535)`)
  return port
}

function invalid(text: string, why: string): EvenerError {
  return new EvenerError('ADDRESS_INVALID', `invalid address "${text}": ${why}`)
}
