import { existsSync, readFileSync } from 'node:fs'
import { formatMapped, type PacketService } from '../definition.ts'
import type { FlowInfo } from '../flows.ts'

const CONNECTIONS = '/proc/net/ip_vs_conn'

/** The connections of IPVS that belong to these services. */
export function readConnections(services: readonly PacketService[], limit: number): FlowInfo[] {
  return existsSync(CONNECTIONS) ? parseConnections(readFileSync(CONNECTIONS, 'latin1'), services).slice(0, limit) : []
}

/** "TCP C0A80102 A2B4 0A000064 0050 0A00000B 0050 ESTABLISHED     899", IPv6 addresses in full with colons. */
export function parseConnections(text: string, services: readonly PacketService[]): FlowInfo[] {
  return text
    .split('\n')
    .slice(1)
    .flatMap((line) => {
      const [protocol, client, clientPort, address, port, target, targetPort, state] = line.trim().split(/\s+/)
      if (state === undefined) return []
      const [where, whither] = [formatHex(address), formatHex(target)]
      const service = services.find((each) => isOf(each, where, Number.parseInt(port, 16)))
      const server = service?.servers.find((each) => each.address === whither)
      return {
        protocol: protocol.toLowerCase(),
        client: formatHex(client),
        clientPort: Number.parseInt(clientPort, 16),
        address: where,
        port: Number.parseInt(port, 16),
        service: service?.name ?? '',
        server: server?.name ?? `${whither}:${Number.parseInt(targetPort, 16)}`,
        state: state.toLowerCase().replaceAll('_', '-'),
      }
    })
}

function isOf(service: PacketService, address: string, port: number): boolean {
  return service.addresses.some((each) => each.address === address && port >= each.firstPort && port <= each.lastPort)
}

function formatHex(text: string): string {
  const bytes = Buffer.from(text.replaceAll(':', ''), 'hex')
  return bytes.length === 4 ? bytes.join('.') : formatMapped(bytes)
}
