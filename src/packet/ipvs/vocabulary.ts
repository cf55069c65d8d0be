import type { Forward, PacketAlgorithm } from '../definition.ts'

/** include/uapi/linux/ip_vs.h: names and numbers of the generic netlink family. */
export const IPVS_FAMILY = 'IPVS'
export const IPVS_VERSION = 1

export const COMMAND = {
  NEW_SERVICE: 1,
  SET_SERVICE: 2,
  DEL_SERVICE: 3,
  NEW_DEST: 5,
  SET_DEST: 6,
  DEL_DEST: 7,
  GET_DEST: 8,
} as const

export const ATTRIBUTE = { SERVICE: 1, DEST: 2 } as const

export const SERVICE_ATTRIBUTE = {
  AF: 1,
  PROTOCOL: 2,
  ADDR: 3,
  PORT: 4,
  FWMARK: 5,
  SCHED_NAME: 6,
  FLAGS: 7,
  TIMEOUT: 8,
  NETMASK: 9,
} as const

export const DEST_ATTRIBUTE = {
  ADDR: 1,
  PORT: 2,
  FWD_METHOD: 3,
  WEIGHT: 4,
  U_THRESH: 5,
  L_THRESH: 6,
  ACTIVE_CONNS: 7,
  INACT_CONNS: 8,
  STATS: 10,
  ADDR_FAMILY: 11,
  STATS64: 12,
  TUN_TYPE: 13,
  TUN_PORT: 14,
  TUN_FLAGS: 15,
} as const

export const STATS64_ATTRIBUTE = { CONNS: 1, INPKTS: 2, INBYTES: 4 } as const

/** SCHED1 and SCHED2 mean fallback and port to sh and mh. */
export const SERVICE_FLAG = { PERSISTENT: 1, ONE_PACKET: 4, SCHED1: 8, SCHED2: 16 } as const

export const FORWARD_METHOD: Readonly<Record<Exclude<Forward, 'fullnat'>, number>> = { nat: 0, tun: 2, dr: 3 }
export const TUNNEL_TYPE = { ipip: 0, gue: 1 } as const
export const FAMILY = { 4: 2, 6: 10 } as const

/** Algorithms that IPVS has a scheduler for. */
export const SCHEDULER: Readonly<Partial<Record<PacketAlgorithm, string>>> = {
  'round-robin': 'rr',
  'weighted-round-robin': 'wrr',
  'two-choices': 'twos',
  'least-connections': 'lc',
  'weighted-least-connections': 'wlc',
  'shortest-expected-delay': 'sed',
  'never-queue': 'nq',
  'source-hash': 'sh',
  'destination-hash': 'dh',
  maglev: 'mh',
  'weighted-failover': 'fo',
  overflow: 'ovf',
  locality: 'lblc',
  'locality-replicated': 'lblcr',
}
