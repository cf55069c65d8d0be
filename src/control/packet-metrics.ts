import { Exposition, type MetricDefinition } from '../observe/index.ts'
import type { PacketStatus, ServerLoad } from '../packet/index.ts'

interface ServerMetric extends MetricDefinition {
  read(load: ServerLoad): number
}

const ofServer = (name: string, help: string, read: ServerMetric['read']): ServerMetric => {
  const type = name.endsWith('_total') ? 'counter' : 'gauge'
  return { name: `evener_packet_server_${name}`, type, help, labels: ['listener', 'server'], read }
}

/** What the kernel's programs count for each server of a packet listener. */
const BY_SERVER: readonly ServerMetric[] = [
  ofServer('packets_total', 'Packets that were forwarded to the server.', (load) => load.packets),
  ofServer('bytes_total', 'Bytes of these packets, from the IP header on.', (load) => load.bytes),
  ofServer('flows_total', 'Flows that were opened to the server.', (load) => load.flows),
  ofServer('active_flows', 'Established flows.', (load) => load.active),
  ofServer('inactive_flows', 'Flows that are ending, and those of UDP.', (load) => load.inactive),
  ofServer('new_flows', 'Flows that are not established yet.', (load) => load.young),
]

const VERDICTS: MetricDefinition = {
  name: 'evener_packet_packets_total',
  type: 'counter',
  help: 'Packets of packet listeners, by what became of them.',
  labels: ['verdict'],
}

const INTERFACES: MetricDefinition = {
  name: 'evener_packet_interface',
  type: 'gauge',
  help: '1 for each interface that has the program, with where it runs.',
  labels: ['interface', 'mode'],
}

export const PACKET_METRICS: readonly MetricDefinition[] = [...BY_SERVER, VERDICTS, INTERFACES]

export function packetMetrics(status: PacketStatus | null): string {
  if (status === null) return ''
  const page = new Exposition()
  for (const definition of BY_SERVER) {
    page.family(
      definition,
      status.servers.map((load) => ({ values: [load.service, load.server], value: definition.read(load) })),
    )
  }
  page.family(
    VERDICTS,
    Object.entries(status.counters).map(([verdict, value]) => ({ values: [verdict], value })),
  )
  page.family(
    INTERFACES,
    status.interfaces.map(({ name, mode }) => ({ values: [name, mode], value: 1 })),
  )
  return page.text()
}
