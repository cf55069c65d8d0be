import { ClientAddress, parseIp } from '../core/index.ts'
import type { Connection, Preface } from '../engine/index.ts'
import type { ProxyProtocolPlan } from '../pool/index.ts'
import type { ProxiedClient } from './proxied-client.ts'
import { PROXY_HEADER_ROOM, type ProxiedEnds, type ProxyTlvs, writeProxyHeader, writeProxyLine, writeSsl } from './proxy-protocol/index.ts'

const NOTHING = new Uint8Array(0)
const UNIQUE_ID_BYTES = 16

/** The header that a server expects before the first byte of a connection, and before its TLS: for whom the connection is. */
export class Introduction implements Preface {
  readonly room = PROXY_HEADER_ROOM
  readonly #plan: ProxyProtocolPlan
  readonly #client: Connection
  readonly #proxied: ProxiedClient | null
  readonly #serverName: string

  /** `serverName` is what TLS that passes through asks for, where that is known. */
  constructor(plan: ProxyProtocolPlan, client: Connection, proxied: ProxiedClient | null, serverName = '') {
    this.#plan = plan
    this.#client = client
    this.#proxied = proxied
    this.#serverName = serverName
  }

  write(memory: Uint8Array, at: number): number {
    const ends = this.#proxied ?? endsOf(this.#client)
    return this.#plan.version === 1 ? writeProxyLine(memory, at, ends) : writeProxyHeader(memory, at, ends, this.#tlvs())
  }

  /** What the balancer in front said is passed on, unless the connection has told it itself. */
  #tlvs(): ProxyTlvs {
    const { tlvs } = this.#plan
    const proxied = this.#proxied
    const { secure } = this.#client
    const own = (text: string): Uint8Array => Buffer.from(text, 'latin1')
    const either = (said: Uint8Array, told: Uint8Array | undefined): Uint8Array => (said.length > 0 ? said : (told ?? NOTHING))
    return {
      authority: tlvs.includes('authority') ? either(own(secure?.serverName ?? this.#serverName), proxied?.authority) : NOTHING,
      alpn: tlvs.includes('alpn') ? either(own(secure?.protocol ?? ''), proxied?.alpn) : NOTHING,
      uniqueId: tlvs.includes('unique-id')
        ? either(proxied?.uniqueId ?? NOTHING, crypto.getRandomValues(new Uint8Array(UNIQUE_ID_BYTES)))
        : NOTHING,
      ssl: tlvs.includes('ssl') ? (secure === null ? (proxied?.ssl ?? NOTHING) : writeSsl(secure)) : NOTHING,
      hasChecksum: tlvs.includes('checksum'),
    }
  }
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
