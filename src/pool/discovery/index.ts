/**
 * discovery: servers that pools find for themselves. In: the plan's sources, and how they are reached (DiscoveryAccess, from the
 * control thread). Out: lists of servers, kept while a source is silent. Codec and resolver are sans-I/O.
 */

export {
  type DiscoveringPool,
  Discovery,
  type DiscoveryAccess,
  type DiscoveryEvent,
  type DiscoveryOptions,
  type SourceStatus,
} from './discovery.ts'
export type { DnsTransport } from './dns/resolver.ts'
export type { DiscoveryPlan, DnsDiscoveryPlan, FileDiscoveryPlan, HttpDiscoveryPlan } from './plan.ts'
