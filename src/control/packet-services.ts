import { isIP } from 'node:net'
import type { PacketListenerPlan, PacketServer, PacketService } from '../packet/index.ts'
import { ADMIN, HEALTH, type PoolPlan, type PoolSlots, type PoolTable } from '../pool/index.ts'

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

/** The pool's servers as the kernel is to see them. Those of a priority that has no turn keep their flows and get no new ones. */
export function serversOf(listener: PacketListenerPlan, pool: PoolPlan, { slots }: PoolSlots, table: PoolTable): PacketServer[] {
  const isUsable = pool.servers.map((_, index) => isUsableSlot(table, slots[index]))
  const turn = Math.min(...pool.servers.filter((_, index) => isUsable[index]).map(({ priority }) => priority))
  const keepsPort = listener.forward === 'dr' || listener.forward === 'tun' || !hasSinglePort(listener)
  const algorithm = listener.algorithm ?? pool.algorithm.name
  return pool.servers.flatMap(({ name, address, priority }, index) => {
    if (address.family === 'unix' || isIP(address.host) === 0) return []
    const slot = slots[index]
    const admin = table.admin(slot)
    const isWaiting = isUsable[index] && priority > turn
    return {
      name,
      address: address.host,
      port: keepsPort ? 0 : address.port,
      weight: weightOf(table, slot, algorithm),
      isDown: table.health(slot) === HEALTH.DOWN || admin === ADMIN.MAINTENANCE,
      isDraining: admin === ADMIN.DRAIN || table.isEjected(slot) || isWaiting,
      upper: listener.limits.flows,
      lower: listener.limits.resumeBelow,
    }
  })
}

function isUsableSlot(table: PoolTable, slot: number): boolean {
  const isReady = table.admin(slot) === ADMIN.READY && table.health(slot) !== HEALTH.DOWN
  return isReady && table.weight(slot) > 0 && !table.isEjected(slot)
}

/** The kernel counts in whole numbers; what is more than nothing stays more than nothing. */
function weightOf(table: PoolTable, slot: number, algorithm: string): number {
  const share = table.share(slot) * (algorithm === 'resource' ? table.capacity(slot) : 1)
  const weight = table.weight(slot) * share
  return weight > 0 ? Math.max(1, Math.round(weight)) : 0
}

/** One port that clients ask for can become another one; several stay what they are. */
function hasSinglePort({ addresses, mark }: PacketListenerPlan): boolean {
  const [first] = addresses
  return mark === undefined && addresses.every((each) => each.firstPort === first.firstPort && each.lastPort === first.firstPort)
}
