/**
 * packet: ways 4 to 6 to a server. In come services with their servers, weights and health; the kernel's programs forward packets
 * by them; out go flows, loads and counters. A PacketPlane owns its descriptors, and what it pinned, until it is closed.
 */

export { type CheckDestination, CheckWay } from './check-way.ts'
export type { PacketListenerPlan, PacketPlan } from './config.ts'
export {
  DEFAULT_TIMEOUTS,
  type FlowTimeouts,
  type Forward,
  PACKET_ALGORITHMS,
  type PacketAddress,
  type PacketAlgorithm,
  type PacketProtocol,
  type PacketServer,
  type PacketService,
  SERVICE_DEFAULTS,
} from './definition.ts'
export type { FlowInfo, ServerLoad } from './flows.ts'
export { IpvsPlane } from './ipvs/plane.ts'
export { detachPins } from './pins.ts'
export { PacketPlane, type PacketPlaneOptions, type PacketStatus } from './plane.ts'
export { RealServer, type RealServerOptions } from './realserver.ts'
