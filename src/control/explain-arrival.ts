import type { Plan } from '../config/index.ts'
import { CidrSet, ClientAddress, parseIp } from '../core/index.ts'
import { NO_TLS, type TlsFacts } from '../route/index.ts'
import type { ExplainedRequest, Explanation } from './explain.ts'

type AcceptingListener = Extract<Plan['listeners'][number], { kind: 'http' | 'tcp' }>

/** What a connection is before any route is looked at: whether it gets so far, and with what TLS. */
export interface Arrival extends Pick<Explanation, 'refusal' | 'notes'> {
  readonly address: ClientAddress
  readonly tls: TlsFacts
}

/** Walks the beginning of a connection: the header of the balancer in front, then the handshake. */
export function explainArrival(listener: AcceptingListener, request: ExplainedRequest): Arrival {
  const { from, client, tls: told = {} } = request
  const { tls } = listener
  const notes: string[] = []
  const isHeaderRead = from !== undefined && listener.acceptProxyProtocol !== undefined
  if (from !== undefined && listener.acceptProxyProtocol === undefined)
    notes.push('the listener has no acceptProxyProtocol: a header would be the first bytes of the client')
  const refusal = refusalOf(listener, from ?? client, isHeaderRead)
  const address = readAddress(from !== undefined && !isHeaderRead ? from : client)
  if (tls === undefined) {
    if (Object.keys(told).length > 0 && listener.kind === 'http') notes.push('the listener has no tls: nothing of TLS is known to routes')
    return { refusal, notes, address, tls: NO_TLS }
  }
  if (tls.clientCertificates?.mode === 'require' && told.peerSubject === undefined)
    notes.push('the listener demands a certificate of clients: --subject says what is in it')
  const version = `TLSv${tls.maxVersion}`
  return { refusal, notes, address, tls: { ...NO_TLS, version, serverName: nameOf(request), ...told } }
}

function refusalOf({ acceptProxyProtocol }: AcceptingListener, peer: string, hasHeader: boolean): Explanation['refusal'] {
  if (acceptProxyProtocol === undefined) return undefined
  const { from, others } = acceptProxyProtocol
  const refuse = (sentence: string) => ({ status: undefined, sentence })
  if (new CidrSet(from).contains(readAddress(peer)))
    return hasHeader ? undefined : refuse(`${peer} is in acceptProxyProtocol.from and has to begin with a header; --from says who sent one`)
  if (others === 'close') return refuse(`${peer} is not in acceptProxyProtocol.from`)
  return hasHeader ? refuse(`${peer} is not in acceptProxyProtocol.from: its header would be the first bytes of the client`) : undefined
}

/** A client asks TLS for the host that it asks for. */
function nameOf({ host, target }: ExplainedRequest): string {
  if (host !== undefined) return host.replace(/:\d+$/, '').toLowerCase()
  return URL.canParse(target) ? new URL(target).hostname : ''
}

function readAddress(text: string): ClientAddress {
  const address = new ClientAddress()
  if (!parseIp(text, address)) throw new Error(`"${text}" is not an IP address`)
  return address
}
