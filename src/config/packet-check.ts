import { formatAddress } from '../core/index.ts'
import { IPVS_SCHEDULERS, PACKET_ALGORITHMS, type PacketListenerPlan, plainListener } from '../packet/config.ts'
import type { PoolPlan } from '../pool/config.ts'
import type { ConfigCode, Path } from '../schema/index.ts'
import type { Finding } from './diagnostic.ts'
import type { Plan } from './plan.ts'

/** Packet listeners beside their pools, and beside each other. */
export function checkPackets(plan: Plan): Finding[] {
  const listeners = plan.packet?.listeners ?? []
  const pools = new Map(plan.pools.map((pool) => [pool.name, pool]))
  const findings = checkOverlaps(plan, listeners)
  for (const listener of listeners) {
    const path = ['listeners', listener.name]
    for (const [index, where] of listener.bind.entries()) {
      if (where.family !== 'unix') continue
      findings.push(fail([...path, 'bind', index], 'CONFIG_INVALID_ADDRESS', 'packets come to IP addresses, not to Unix sockets'))
    }
    if (listener.engine === 'ipvs') findings.push(...checkIpvs(listener))
    const pool = pools.get(listener.pool)
    if (pool !== undefined) findings.push(...checkPool(listener, pool))
  }
  return findings
}

function checkPool(listener: PacketListenerPlan, pool: PoolPlan): Finding[] {
  const path = ['listeners', listener.name, 'packet']
  const findings: Finding[] = []
  const known: readonly string[] = PACKET_ALGORITHMS
  if (listener.algorithm === undefined && !known.includes(pool.algorithm.name)) {
    const message = `the algorithm of pool "${pool.name}", ${pool.algorithm.name}, does not run in the kernel`
    findings.push(fail([...path, 'pool'], 'CONFIG_CONFLICT', message, 'for example algorithm: weighted-least-connections, beside "pool"'))
  }
  const scheduler = listener.algorithm ?? pool.algorithm.name
  if (listener.engine === 'ipvs' && known.includes(scheduler) && !Object.hasOwn(IPVS_SCHEDULERS, scheduler)) {
    const message = `IPVS has no scheduler for the algorithm ${scheduler}`
    findings.push(fail([...path, listener.algorithm === undefined ? 'pool' : 'algorithm'], 'CONFIG_CONFLICT', message))
  }
  const families = new Set(listener.bind.flatMap(({ family }) => (family === 'unix' ? [] : [family])))
  const port = singlePort(listener)
  for (const { name, address } of pool.servers) {
    const server = `server "${name}" of pool "${pool.name}"`
    const refuse = (message: string, hint?: string) => findings.push(fail([...path, 'pool'], 'CONFIG_CONFLICT', message, hint))
    if (address.family === 'unix') {
      refuse(`${server} is a Unix socket, which packets do not reach`)
      continue
    }
    const isRewritten = listener.forward === 'nat' || listener.forward === 'fullnat'
    if (isRewritten && (families.size !== 1 || !families.has(address.family))) {
      refuse(
        `${server} has another address family than the listener`,
        `forward: ${listener.forward} keeps the family; tun does not need to`,
      )
    } else if (isRewritten && listener.protocols.includes('sctp') && port !== undefined && address.port !== port) {
      refuse(`${server} has port ${address.port}, and the checksum of SCTP covers the port, which is ${port}`, `give it the port ${port}`)
    } else if (!isRewritten && port !== undefined && address.port !== port) {
      const hint = `give it the port ${port}, or forward: nat`
      refuse(`${server} has port ${address.port}, and forward: ${listener.forward} cannot change the port, which is ${port}`, hint)
    }
  }
  return findings
}

/** Options that only Evener's own programs have. */
function checkIpvs(listener: PacketListenerPlan): Finding[] {
  const { access, limits, mark } = listener
  const plain = plainListener()
  const isOther = (key: keyof PacketListenerPlan) => JSON.stringify(listener[key]) !== JSON.stringify(plain[key])
  const refused: [key: string, isGiven: boolean, hint?: string][] = [
    ['interfaces', listener.interfaces.length > 0, 'IPVS sees the packets of all interfaces'],
    ['local', isOther('local')],
    ['access', access.allow.length + access.deny.length > 0, 'nftables can refuse clients'],
    ['limits', limits.newFlowsPerSecond + limits.burst > 0, 'nftables can limit clients'],
    ['checks', isOther('checks')],
    ['mirror', isOther('mirror')],
    ['synCookies', isOther('synCookies'), 'net.ipv4.tcp_syncookies of the servers'],
    ['timeouts', isOther('timeouts'), 'ipvsadm --set changes them for all services'],
    ['onServerDown', isOther('onServerDown'), 'net.ipv4.vs.expire_nodest_conn'],
  ]
  const isRange =
    mark === undefined && listener.addresses.some(({ firstPort, lastPort }) => firstPort !== lastPort && firstPort + lastPort !== 65535)
  if (isRange) refused.push(['ports', true, 'mark: and a rule of nftables that sets it'])
  return refused
    .filter(([, isGiven]) => isGiven)
    .map(([key, , hint]) => {
      const message = key === 'ports' ? 'IPVS knows no ranges of ports' : `IPVS does not know "${key}"`
      return fail(['listeners', listener.name, 'packet', key], 'CONFIG_CONFLICT', message, hint)
    })
}

/** The port that clients ask for, where there is one only. */
function singlePort({ addresses }: PacketListenerPlan): number | undefined {
  const [first] = addresses
  const isSame = addresses.every(({ firstPort, lastPort }) => firstPort === first.firstPort && lastPort === firstPort)
  return isSame ? first?.firstPort : undefined
}

/** The same address, port and protocol twice; XDP takes packets before any socket sees them. */
function checkOverlaps(plan: Plan, listeners: readonly PacketListenerPlan[]): Finding[] {
  const findings: Finding[] = []
  const taken: { owner: string; key: string }[] = []
  for (const { name, bind } of plan.listeners) {
    for (const where of bind) taken.push({ owner: `listener "${name}"`, key: `tcp ${formatAddress(where)}` })
  }
  for (const { name, addresses, protocols, mark, bind } of listeners) {
    if (mark !== undefined) continue
    const own: { owner: string; key: string }[] = []
    for (const { address, firstPort, lastPort } of addresses) {
      const host = address.includes(':') ? `[${address}]` : address
      for (const protocol of protocols) {
        const key = `${protocol} ${host}:${firstPort === lastPort ? firstPort : `${firstPort}-${lastPort}`}`
        const clash = [...taken, ...own].find((other) => other.key === key)
        const index = Math.max(
          0,
          bind.findIndex((where) => where.family !== 'unix' && where.host === address),
        )
        if (clash !== undefined)
          findings.push(fail(['listeners', name, 'bind', index], 'CONFIG_DUPLICATE', `${key} is bound by ${clash.owner} already`))
        own.push({ owner: `listener "${name}"`, key })
      }
    }
    taken.push(...own)
  }
  return findings
}

function fail(path: Path, code: ConfigCode, message: string, hint?: string): Finding {
  return { path, part: 'value', complaint: { code, message, hint } }
}

/** Options, as they are written, that say nothing beside the others. */
export function findIdlePacketOptions(listener: string, entry: unknown): Finding[] {
  const { bind, packet } = (entry ?? {}) as { bind?: unknown; packet?: unknown }
  if (typeof packet !== 'object' || packet === null) return []
  const { forward } = packet as { forward?: unknown }
  const hasOpenPort = [bind].flat().some((where) => typeof where === 'string' && where.endsWith(':0'))
  const reasons: [option: string, isIdle: boolean, why: string][] = [
    ['local', forward !== 'fullnat', 'it belongs to forward: fullnat'],
    ['tunnel', forward !== 'tun', 'it belongs to forward: tun'],
    ['ports', !hasOpenPort, 'no address in "bind" has port 0'],
  ]
  return reasons
    .filter(([option, isIdle]) => isIdle && option in packet)
    .map(([option, , why]) => ({
      path: ['listeners', listener, 'packet', option],
      part: 'key',
      complaint: { severity: 'warning', code: 'CONFIG_UNUSED', message: `"${option}" does nothing: ${why}` },
    }))
}
