import { ClientAddress } from '../../core/index.ts'

/** Types of TLVs in a header of version 2 that are read or written here. */
export const TLV = { ALPN: 1, AUTHORITY: 2, CRC32C: 3, NOOP: 4, UNIQUE_ID: 5, SSL: 0x20 } as const

/** Why a header cannot be read, as -reason from parseProxyHeader(). */
export const HEADER_FAULT = { NONE: 1, LINE: 2, COMMAND: 3, FAMILY: 4, ADDRESS: 5, LENGTH: 6, TLV: 7, CHECKSUM: 8 } as const

/**
 * A header of the PROXY protocol: who the connection is really from, and where it was to. One for each worker, refilled by
 * parseProxyHeader(). TLVs are ranges of what was parsed, start === end where there are none.
 */
export class ProxyHeader {
  version = 0
  /** The sender speaks for itself (LOCAL, UNKNOWN): the connection's own addresses hold. */
  isLocal = false
  readonly source = new ClientAddress()
  sourcePort = 0
  readonly destination = new ClientAddress()
  destinationPort = 0
  authorityStart = 0
  authorityEnd = 0
  alpnStart = 0
  alpnEnd = 0
  uniqueIdStart = 0
  uniqueIdEnd = 0
  sslStart = 0
  sslEnd = 0

  clear(): void {
    this.version = 0
    this.isLocal = false
    this.source.clear()
    this.sourcePort = 0
    this.destination.clear()
    this.destinationPort = 0
    this.authorityStart = this.authorityEnd = 0
    this.alpnStart = this.alpnEnd = 0
    this.uniqueIdStart = this.uniqueIdEnd = 0
    this.sslStart = this.sslEnd = 0
  }
}
