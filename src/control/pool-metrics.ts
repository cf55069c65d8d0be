import type { MetricDefinition } from '../observe/index.ts'
import type { HookStatus } from './hooks/hooks.ts'
import type { DiscoveryStatus, PoolStatus, ServerStatus } from './status.ts'

const POOL_LABELS = ['pool'] as const
const SERVER_LABELS = ['pool', 'server'] as const

interface PoolMetric extends MetricDefinition {
  /** Whether the pool has what is measured. */
  applies(pool: PoolStatus): boolean
  read(pool: PoolStatus): number
}

const BREAKER_VALUES = { closed: 0, 'half-open': 1, open: 2 } as const

/** What is known of pools, read from the pool table at each scrape. */
export const POOL_METRICS: readonly PoolMetric[] = [
  {
    name: 'evener_pool_available_servers',
    type: 'gauge',
    help: 'Servers that get new requests: not down, not ejected, ready, and of a weight above 0.',
    labels: POOL_LABELS,
    applies: () => true,
    read: (pool) => pool.available,
  },
  {
    name: 'evener_pool_active_requests',
    type: 'gauge',
    help: 'Requests under way in the pool.',
    labels: POOL_LABELS,
    applies: () => true,
    read: (pool) => pool.active,
  },
  {
    name: 'evener_pool_queued_requests',
    type: 'gauge',
    help: 'Requests that wait for a place, where the pool has a queue.',
    labels: POOL_LABELS,
    applies: (pool) => pool.queue !== null,
    read: (pool) => pool.queue?.length ?? 0,
  },
  {
    name: 'evener_pool_breaker_state',
    type: 'gauge',
    help: '0 closed, 1 half-open, 2 open, where the pool has a breaker.',
    labels: POOL_LABELS,
    applies: (pool) => pool.breaker !== null,
    read: (pool) => BREAKER_VALUES[pool.breaker ?? 'closed'],
  },
  {
    name: 'evener_pool_panic',
    type: 'gauge',
    help: '1 while too few servers are usable and all are used.',
    labels: POOL_LABELS,
    applies: () => true,
    read: (pool) => (pool.panic ? 1 : 0),
  },
]

interface ServerMetric extends MetricDefinition {
  /** Whether the server has what is measured; all have without this. */
  applies?(server: ServerStatus): boolean
  read(server: ServerStatus): number
}

/** What is known of servers, read from the pool table at each scrape. */
export const SERVER_METRICS: readonly ServerMetric[] = [
  {
    name: 'evener_server_up',
    type: 'gauge',
    help: '1 while the server is up or starting, 0 while it is down.',
    labels: SERVER_LABELS,
    read: (server) => (server.health === 'down' ? 0 : 1),
  },
  {
    name: 'evener_server_ready',
    type: 'gauge',
    help: '1 while the administrative state is ready, 0 in drain or maintenance.',
    labels: SERVER_LABELS,
    read: (server) => (server.admin === 'ready' ? 1 : 0),
  },
  { name: 'evener_server_weight', type: 'gauge', help: 'Weight in force.', labels: SERVER_LABELS, read: (server) => server.weight },
  {
    name: 'evener_server_active_requests',
    type: 'gauge',
    help: 'Requests that the server is working on.',
    labels: SERVER_LABELS,
    read: (server) => server.active,
  },
  {
    name: 'evener_server_connections',
    type: 'gauge',
    help: 'Open connections to the server, idle ones included.',
    labels: SERVER_LABELS,
    read: (server) => server.connections,
  },
  {
    name: 'evener_server_requests_total',
    type: 'counter',
    help: 'Attempts that ended.',
    labels: SERVER_LABELS,
    read: (server) => server.requests,
  },
  {
    name: 'evener_server_failures_total',
    type: 'counter',
    help: 'Attempts that failed, or that the server answered with 5xx.',
    labels: SERVER_LABELS,
    read: (server) => server.failures,
  },
  {
    name: 'evener_server_latency_seconds',
    type: 'gauge',
    help: 'Moving average of the time to the first byte of a response.',
    labels: SERVER_LABELS,
    read: (server) => server.latencyMs / 1000,
  },
  {
    name: 'evener_server_ejected',
    type: 'gauge',
    help: '1 while the server is taken out as an outlier.',
    labels: SERVER_LABELS,
    read: (server) => (server.ejected ? 1 : 0),
  },
  {
    name: 'evener_server_slow_start_ratio',
    type: 'gauge',
    help: 'Share of its weight that the server gets; below 1 during a slow start.',
    labels: SERVER_LABELS,
    read: (server) => (server.slowStartPercent ?? 100) / 100,
  },
  {
    name: 'evener_server_sessions',
    type: 'gauge',
    help: "Entries of the pool's session table that belong to the server.",
    labels: SERVER_LABELS,
    read: (server) => server.sessions,
  },
  {
    name: 'evener_server_share_ratio',
    type: 'gauge',
    help: 'Share of its weight that counts, by slow start and agent.',
    labels: SERVER_LABELS,
    read: (server) => server.sharePercent / 100,
  },
  {
    name: 'evener_server_capacity_ratio',
    type: 'gauge',
    help: 'What its agent says that is left of its resources, where it has one.',
    labels: SERVER_LABELS,
    applies: (server) => server.agent !== null,
    read: (server) => server.capacityPercent / 100,
  },
  {
    name: 'evener_server_check_duration_seconds',
    type: 'gauge',
    help: 'How long the last check took, where there is one.',
    labels: SERVER_LABELS,
    applies: (server) => server.check !== null && server.check.at !== null,
    read: (server) => (server.check?.durationMs ?? 0) / 1000,
  },
]

const DISCOVERY_LABELS = ['pool', 'source'] as const

/** What is known of the sources of discovered servers. */
export const DISCOVERY_METRICS: readonly (MetricDefinition & { read(source: DiscoveryStatus): number })[] = [
  {
    name: 'evener_discovery_servers',
    type: 'gauge',
    help: "Servers in the source's last answer.",
    labels: DISCOVERY_LABELS,
    read: (source) => source.servers,
  },
  {
    name: 'evener_discovery_failing',
    type: 'gauge',
    help: '1 while the source does not answer usefully and its last answer is kept.',
    labels: DISCOVERY_LABELS,
    read: (source) => (source.failure === null ? 0 : 1),
  },
]

const HOOK_RESULTS = ['delivered', 'failed', 'dropped'] as const

/** What became of the events that hooks were to be told. */
export const HOOK_METRIC: MetricDefinition & { read(hook: HookStatus): { values: string[]; value: number }[] } = {
  name: 'evener_hook_events_total',
  type: 'counter',
  help: 'Events that hooks were to be told: delivered, failed, or dropped because too many waited.',
  labels: ['hook', 'result'],
  read: (hook) => HOOK_RESULTS.map((result) => ({ values: [hook.name, result], value: hook[result] })),
}
