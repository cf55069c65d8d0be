import { isIP } from 'node:net'
import type { PacketListenerPlan, PacketServer, PacketService } from '../packet/index.ts'
import { ADMIN, definitionOf, HEALTH, type PoolPlan, type PoolSlots, type PoolTable, Ranks } from '../pool/index.ts'

/** A listener with its pool's servers as they are at this moment. */
export function serviceOf(listener: PacketListenerPlan, pool: PoolPlan, slots: PoolSlots, table: PoolTable): PacketService {
  const { local, persistence } = listener
  return {
    name: listener.name,
    addresses: listener.addresses,
    mark: listener.mark ?? 0,
    protocols: listener.protocols,
    servers: serversOf(listener, pool, slots, table),
    forward: listener.forward,
    encapsulation: listener.tunnel.kind,
    guePort: listener.tunnel.port,
    algorithm: listener.algorithm ?? (pool.algorithm.name as PacketService['algorithm']),
    hashPort: listener.hash.port,
    hashFallback: listener.hash.fallback,
    tableSize: listener.hash.tableSize,
    seed: listener.hash.seed,
    persistenceSeconds: persistence?.seconds ?? 0,
    persistencePrefix4: persistence?.prefix4 ?? 32,
    persistencePrefix6: persistence?.prefix6 ?? 128,
    onePacket: listener.onePacket,
    onServerDown: listener.onServerDown,
    timeouts: listener.timeouts,
    allow: listener.access.allow,
    deny: listener.access.deny,
    newFlowsPerSecond: listener.limits.newFlowsPerSecond,
    newFlowsBurst: listener.limits.burst,
    synCookies: listener.synCookies.mode,
    synCookiesAbove: listener.synCookies.above,
    localAddresses: local?.addresses ?? [],
    localFirstPort: local?.firstPort ?? 0,
    localLastPort: local?.lastPort ?? 0,
    mirror: listener.mirror,
  }
}

/**
 * The pool's servers as the kernel is to see them, by the same rules as for other listeners: priorities, panic, and who waits for its first
 * check. A server that may not be picked keeps its flows unless it is down.
 */
export function serversOf(listener: PacketListenerPlan, pool: PoolPlan, assigned: PoolSlots, table: PoolTable): PacketServer[] {
  const ranks = new Ranks(definitionOf(pool), table, assigned)
  const places = placesOf(ranks)
  const keepsPort = listener.forward === 'dr' || listener.forward === 'tun' || !hasSinglePort(listener)
  const countsCapacity = (listener.algorithm ?? pool.algorithm.name) === 'resource'
  return pool.servers.flatMap(({ name, address }, index) => {
    if (address.family === 'unix' || isIP(address.host) === 0) return []
    const slot = assigned.slots[index]
    const { tier, isPickable } = places[index]
    return {
      name,
      address: address.host,
      port: keepsPort ? 0 : address.port,
      weight: table.weight(slot),
      share: inHundredths(table.share(slot) * (countsCapacity ? table.capacity(slot) : 1)),
      tier,
      isDown: !ranks.isEligible(index) && (table.health(slot) === HEALTH.DOWN || table.admin(slot) === ADMIN.MAINTENANCE),
      isDraining: !isPickable,
      upper: listener.limits.flows,
      lower: listener.limits.resumeBelow,
    }
  })
}

/** The tier of each server, and whether it may be picked while that has its turn; by index. */
function placesOf(ranks: Ranks): { tier: number; isPickable: boolean }[] {
  const places: { tier: number; isPickable: boolean }[] = []
  ranks.judge()
  for (let from = 0, tier = 0; from < ranks.order.length; tier++) {
    const to = ranks.endOfTier(from)
    const isTrusting = ranks.hasTrusted(from, to)
    for (const index of ranks.order.subarray(from, to)) {
      places[index] = { tier, isPickable: ranks.isEligible(index) && !(isTrusting && ranks.isUnchecked(index)) }
    }
    from = to
  }
  return places
}

/** Upwards: what is more than nothing stays more than nothing. Finer steps would only have the kernel's tables made anew more often. */
function inHundredths(share: number): number {
  return Math.min(1, Math.ceil(share * 100 - 1e-9) / 100)
}

/** One port that clients ask for can become another one; several stay what they are. */
function hasSinglePort({ addresses, mark }: PacketListenerPlan): boolean {
  const [first] = addresses
  return mark === undefined && addresses.every((each) => each.firstPort === first.firstPort && each.lastPort === first.firstPort)
}
