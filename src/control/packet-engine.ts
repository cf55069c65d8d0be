import type { Server } from 'node:net'
import {
  type FlowInfo,
  IpvsPlane,
  type PacketPlan,
  PacketPlane,
  type PacketServer,
  type PacketService,
  type PacketStatus,
} from '../packet/index.ts'
import { claimPins } from './packet-host.ts'

/** What forwards packets: programs of Evener's own, or the kernel's IPVS. */
export interface PacketEngine {
  /** It goes on with what an earlier process left. */
  readonly isTakenOver: boolean
  apply(services: readonly PacketService[], interfaces?: readonly string[]): void
  updateServers(service: string, servers: readonly PacketServer[]): void
  keepNeighbours(): boolean
  /** One step; true when a round is complete. */
  age(): boolean
  flows(limit: number): FlowInfo[]
  status(): PacketStatus
  describe(): string[]
  close(options: { keep: boolean }): void
}

export type EngineName = PacketPlan['listeners'][number]['engine']
export const ENGINE_NAMES: readonly EngineName[] = ['xdp', 'ipvs']

/** An engine with the claim on its pins. */
export interface OpenEngine {
  readonly engine: PacketEngine
  readonly claim: Server | undefined
}

export async function openEngine(
  name: EngineName,
  packet: PacketPlan,
  services: readonly PacketService[],
  interfaces: readonly string[],
): Promise<OpenEngine> {
  if (name === 'ipvs') return { engine: IpvsPlane.open(services), claim: undefined }
  const claim = packet.pins === undefined ? undefined : await claimPins(packet.pins)
  try {
    return { engine: PacketPlane.open({ ...planeOptions(packet), interfaces }, services), claim }
  } catch (error) {
    claim?.close()
    throw error
  }
}

/** What an open plane cannot change any more. */
export function planeOptions(packet: PacketPlan) {
  return {
    pinPath: packet.pins,
    mode: packet.mode === 'auto' ? undefined : packet.mode,
    flowEntries: packet.flows,
    youngEntries: packet.newFlows,
    tunnelSource4: packet.tunnelSource4,
    tunnelSource6: packet.tunnelSource6,
    icmpPerSecond: packet.icmpPerSecond,
  }
}
