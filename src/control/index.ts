/**
 * control: the composition root. It makes every other room's objects and owns each decision that is not taken per request.
 *
 * In: a function that loads the configuration, signals, the admin API. Out: Plans to the workers, states to the pool table.
 */

export type { FlowInfo, PacketStatus } from '../packet/index.ts'
export { ACME_METRICS } from './acme/metrics.ts'
export { AgentServer } from './agent/agent-server.ts'
export { Balancer, type BalancerOptions, ConfigurationError, type LoadedConfiguration } from './balancer.ts'
export { CERTIFICATE_METRICS } from './certificates.ts'
export { type Explanation, explainRequest } from './explain.ts'
export { OCSP_METRICS } from './ocsp/metrics.ts'
export { detachPacketPlane, openRealServer, undoRealServer } from './packet-host.ts'
export { PACKET_METRICS } from './packet-metrics.ts'
export { DISCOVERY_METRICS, HOOK_METRIC, POOL_METRICS, SERVER_METRICS } from './pool-metrics.ts'
