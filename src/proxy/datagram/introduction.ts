import { ClientAddress, parseIp } from '../../core/index.ts'
import type { DatagramSocket, Endpoint } from '../../engine/index.ts'
import type { ProxyProtocolPlan } from '../../pool/index.ts'
import type { ProxiedClient } from '../proxied-client.ts'
import { PROXY_HEADER_ROOM, type ProxiedEnds, writeProxyHeader } from '../proxy-protocol/index.ts'

const NOTHING = new Uint8Array(0)
const UNIQUE_ID_BYTES = 16
const NO_TLVS = { authority: NOTHING, alpn: NOTHING, uniqueId: NOTHING, ssl: NOTHING, hasChecksum: false }
const scratch = new Uint8Array(PROXY_HEADER_ROOM)

/** Reads which own address a client's datagrams come to. */
export function readDestination({ local }: DatagramSocket, client: Endpoint, out: ClientAddress): void {
  // Where datagrams do not tell their destination, the socket has one address only.
  if (client.local.family === 0 && local.family !== 'unix') parseIp(local.host, out)
  else out.copy(client.local)
}

/** What each datagram to a server begins with: a header of version 2, the same for all of a session. */
export function makeIntroduction({ tlvs }: ProxyProtocolPlan, ends: ProxiedEnds, proxied: ProxiedClient | null): Uint8Array {
  const told = (name: (typeof tlvs)[number], value: Uint8Array | undefined): Uint8Array =>
    tlvs.includes(name) ? (value ?? NOTHING) : NOTHING
  const hasId = proxied !== null && proxied.uniqueId.length > 0
  const end = writeProxyHeader(
    scratch,
    0,
    ends,
    {
      authority: told('authority', proxied?.authority),
      alpn: told('alpn', proxied?.alpn),
      uniqueId: told('unique-id', hasId ? proxied.uniqueId : crypto.getRandomValues(new Uint8Array(UNIQUE_ID_BYTES))),
      ssl: told('ssl', proxied?.ssl),
      hasChecksum: tlvs.includes('checksum'),
    },
    true,
  )
  return scratch.slice(0, end)
}

/** The same for what a check asks from a socket of its own. */
export function introduceDatagram(
  from: { readonly host: string; readonly port: number },
  to: { readonly host: string; readonly port: number },
): Uint8Array {
  const [source, destination] = [new ClientAddress(), new ClientAddress()]
  parseIp(from.host, source)
  parseIp(to.host, destination)
  const end = writeProxyHeader(scratch, 0, { source, sourcePort: from.port, destination, destinationPort: to.port }, NO_TLVS, true)
  return scratch.slice(0, end)
}
