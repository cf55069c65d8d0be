import { ClientAddress, parseIp } from '../core/index.ts'
import type { Connection } from '../engine/index.ts'
import type { ProxyProtocolPlan } from '../pool/index.ts'
import type { ProxiedClient } from './proxied-client.ts'
import { PROXY_HEADER_ROOM, type ProxiedEnds, type ProxyTlvs, writeProxyHeader, writeProxyLine } from './proxy-protocol/index.ts'

const NOTHING = new Uint8Array(0)
const UNIQUE_ID_BYTES = 16

/** What a connection's beginning told: SNI and ALPN of TLS. Empty where it is not known. */
export interface KnownTls {
  readonly authority: Uint8Array
  readonly alpn: Uint8Array
}

export const NO_TLS: KnownTls = { authority: NOTHING, alpn: NOTHING }

/** Sends the header that a server expects before the first byte of a connection. False where there was no memory for it. */
export function introduce(
  upstream: Connection,
  memory: Uint8Array,
  plan: ProxyProtocolPlan,
  downstream: Connection,
  proxied: ProxiedClient | null,
  tls: KnownTls,
): boolean {
  const at = upstream.reserve(PROXY_HEADER_ROOM)
  if (at === -1) return false
  const ends = proxied ?? endsOf(downstream)
  const end = plan.version === 1 ? writeProxyLine(memory, at, ends) : writeProxyHeader(memory, at, ends, tlvsOf(plan, proxied, tls))
  upstream.commit(end - at)
  return true
}

function endsOf({ remote, local }: Connection): ProxiedEnds {
  const [source, destination] = [new ClientAddress(), new ClientAddress()]
  if (remote.family !== 'unix') parseIp(remote.host, source)
  if (local.family !== 'unix') parseIp(local.host, destination)
  return {
    source,
    sourcePort: remote.family === 'unix' ? 0 : remote.port,
    destination,
    destinationPort: local.family === 'unix' ? 0 : local.port,
  }
}

/** What the balancer in front said is passed on, unless the connection has told it itself. */
function tlvsOf({ tlvs }: ProxyProtocolPlan, proxied: ProxiedClient | null, tls: KnownTls): ProxyTlvs {
  const either = (own: Uint8Array, told: Uint8Array | undefined): Uint8Array => (own.length > 0 ? own : (told ?? NOTHING))
  return {
    authority: tlvs.includes('authority') ? either(tls.authority, proxied?.authority) : NOTHING,
    alpn: tlvs.includes('alpn') ? either(tls.alpn, proxied?.alpn) : NOTHING,
    uniqueId: tlvs.includes('unique-id')
      ? either(proxied?.uniqueId ?? NOTHING, crypto.getRandomValues(new Uint8Array(UNIQUE_ID_BYTES)))
      : NOTHING,
    hasChecksum: tlvs.includes('checksum'),
  }
}
