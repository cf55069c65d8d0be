import { ClientAddress, formatAddress, formatIp, parseIp, type SocketAddress } from '../../../core/index.ts'
import type { ServerPlan } from '../../plan.ts'
import type { DnsDiscoveryPlan } from '../plan.ts'
import type { DiscoveryAnswer } from '../source.ts'
import { type Srv, TYPE } from './message.ts'
import type { Resolution, Resolver } from './resolver.ts'

/** More targets of one SRV name are a mistake; each costs two questions. */
const MAX_TARGETS = 64
/** Where nothing says how long an answer without records holds. */
const NEGATIVE_TTL_SECONDS = 30

/** The servers that a name stands for now. Rejects with words when any of the questions is not answered. */
export async function dnsServers(resolver: Resolver, plan: DnsDiscoveryPlan): Promise<DiscoveryAnswer> {
  const asked = plan.record === 'srv' ? await bySrv(resolver, plan.name) : await byAddress(resolver, plan)
  const ttlMs = Math.min(...asked.ttls) * 1000
  return { servers: asked.servers, validForMs: Math.min(Math.max(ttlMs, plan.minTtlMs), plan.maxTtlMs) }
}

interface Asked {
  readonly servers: readonly ServerPlan[]
  readonly ttls: readonly number[]
}

async function byAddress(resolver: Resolver, { name, record, port }: DnsDiscoveryPlan): Promise<Asked> {
  const types = record === 'a' ? [TYPE.A] : record === 'aaaa' ? [TYPE.AAAA] : [TYPE.A, TYPE.AAAA]
  const found = await Promise.all(types.map((type) => resolver.resolve(name, type)))
  const servers = addressesIn(found, port).map((address) => serverAt(address, 1, 0))
  return { servers, ttls: ttlsOf(found) }
}

/** RFC 2782: the priority is ours, and so is the weight, but for 0, which stands for "hardly any". */
async function bySrv(resolver: Resolver, name: string): Promise<Asked> {
  const found = await resolver.resolve(name, TYPE.SRV)
  const targets = found.records.flatMap(({ srv }) => (srv === undefined || srv.target === '' || srv.port === 0 ? [] : [srv]))
  if (targets.length > MAX_TARGETS) throw new Error(`${targets.length} SRV records, and at most ${MAX_TARGETS} are followed`)
  const resolved = await Promise.all(targets.map((target) => serversOf(resolver, target)))
  return { servers: resolved.flatMap(({ servers }) => servers), ttls: [...ttlsOf([found]), ...resolved.flatMap(({ ttls }) => ttls)] }
}

async function serversOf(resolver: Resolver, { target, port, weight, priority }: Srv): Promise<Asked> {
  const found = await Promise.all([TYPE.A, TYPE.AAAA].map((type) => resolver.resolve(target, type)))
  return { servers: addressesIn(found, port).map((address) => serverAt(address, Math.max(1, weight), priority)), ttls: ttlsOf(found) }
}

/** A question without records says nothing about the TTL of those that have some. */
function ttlsOf(found: readonly Resolution[]): number[] {
  const some = found.filter(({ records }) => records.length > 0)
  return (some.length > 0 ? some : found).map(({ ttlSeconds }) => ttlSeconds ?? NEGATIVE_TTL_SECONDS)
}

function addressesIn(found: readonly Resolution[], port: number): SocketAddress[] {
  return found.flatMap(({ records }) => records.flatMap(({ address }) => (address === undefined ? [] : [socketAddress(address, port)])))
}

function socketAddress(bytes: Uint8Array, port: number): SocketAddress {
  if (bytes.length === 4) return { family: 4, host: bytes.join('.'), port }
  const address = new ClientAddress()
  const groups = Array.from({ length: 8 }, (_, group) => ((bytes[2 * group] << 8) | bytes[2 * group + 1]).toString(16))
  parseIp(groups.join(':'), address)
  return { family: address.family === 4 ? 4 : 6, host: formatIp(address), port }
}

function serverAt(address: SocketAddress, weight: number, priority: number): ServerPlan {
  return { name: formatAddress(address), address, weight, priority, admin: 'ready' }
}
