import { Exposition, type MetricDefinition } from '../observe/index.ts'
import type { PacketStatus, ServerLoad } from '../packet/index.ts'

const SERVER_LABELS = ['listener', 'server'] as const

/** What the kernel's programs count for each server of a packet listener. */
const BY_SERVER: readonly (MetricDefinition & { read(load: ServerLoad): number })[] = [
  {
    name: 'evener_packet_server_packets_total',
    type: 'counter',
    help: 'Packets that were forwarded to the server.',
    labels: SERVER_LABELS,
    read: (load) => load.packets,
  },
  {
    name: 'evener_packet_server_bytes_total',
    type: 'counter',
    help: 'Bytes of these packets, from the IP header on.',
    labels: SERVER_LABELS,
    read: (load) => load.bytes,
  },
  {
    name: 'evener_packet_server_flows_total',
    type: 'counter',
    help: 'Flows that were opened to the server.',
    labels: SERVER_LABELS,
    read: (load) => load.flows,
  },
  {
    name: 'evener_packet_server_active_flows',
    type: 'gauge',
    help: 'Established flows.',
    labels: SERVER_LABELS,
    read: (load) => load.active,
  },
  {
    name: 'evener_packet_server_inactive_flows',
    type: 'gauge',
    help: 'Flows that are ending, and those of UDP.',
    labels: SERVER_LABELS,
    read: (load) => load.inactive,
  },
  {
    name: 'evener_packet_server_new_flows',
    type: 'gauge',
    help: 'Flows that are not established yet.',
    labels: SERVER_LABELS,
    read: (load) => load.young,
  },
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
