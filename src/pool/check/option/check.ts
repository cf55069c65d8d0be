import { z } from 'zod'
import { always, duration, exactlyOne, options, serverAddress } from '../../../schema/index.ts'
import type { CheckKind, CheckPlan, ProbePlan } from '../plan.ts'
import { memcachedOptions, redisOptions, sqlOptions, sqlPlan } from './database.ts'
import { dnsOptions, dnsProbe } from './dns.ts'
import { tcpOptions, tlsOptions, udpOptions } from './exchange.ts'
import { execOptions } from './exec.ts'
import { grpcOptions } from './grpc.ts'
import { httpOptions, httpProbe, httpsOptions, httpsProbe } from './http.ts'
import { mailboxOptions, smtpOptions } from './mail.ts'
import { type InheritedTls, modePlan, tlsPlan } from './tls.ts'

const kinds = {
  tcp: tcpOptions.optional().describe('Success is a connection, or the answer to what is sent.'),
  tls: tlsOptions.optional().describe('Success is a TLS handshake, or the answer to what is sent.'),
  http: httpOptions.optional().describe('Success is a response with one of the statuses.'),
  https: httpsOptions.optional().describe('The same over TLS.'),
  udp: udpOptions.optional().describe('Success is an answer to a datagram.'),
  smtp: smtpOptions.optional().describe('Success is an answer to EHLO.'),
  imap: mailboxOptions.optional().describe('Success is an answer to NOOP, or a login.'),
  pop3: mailboxOptions.optional().describe('Success is a greeting, or a login.'),
  redis: redisOptions.optional().describe('Success is an answer to PING, or the role that is asked for.'),
  memcached: memcachedOptions.optional().describe('Success is an answer to "version".'),
  mysql: sqlOptions.optional().describe('Success is an answer to a login, or a login and an answer to the query.'),
  postgresql: sqlOptions.optional().describe('Success is an answer to a login, or a login and an answer to the query.'),
  dns: dnsOptions.optional().describe('Success is an answer to a query.'),
  exec: execOptions.optional().describe('Success is the exit status of a program.'),
  grpc: grpcOptions.optional().describe('Success is SERVING from grpc.health.v1.Health/Check.'),
} satisfies Readonly<Record<CheckKind, z.ZodType>>

const KINDS = Object.keys(kinds) as CheckKind[]

/** `check` of a pool: one kind, and when and where it runs. */
export const check = options({
  ...kinds,
  interval: duration.prefault('2s').describe('Time from the begin of one run to the begin of the next.'),
  fastInterval: duration.optional().describe('The same while a change is under way: some results have spoken against the present state.'),
  downInterval: duration.optional().describe('The same while the server is down.'),
  jitter: z
    .int()
    .min(0)
    .max(50)
    .default(10)
    .describe('Up to so many percent are added to or taken from each interval, so that checks of many servers spread out.'),
  timeout: duration.prefault('1s').describe('A check that takes longer has failed.'),
  rise: z.int().min(1).max(1000).default(2).describe('Successes in a row that bring a server up. The very first result decides alone.'),
  fall: z.int().min(1).max(1000).default(3).describe('Failures in a row that take it down.'),
  address: serverAddress.optional().describe("Where to check instead of the server's own address."),
  port: z.int().min(1).max(65535).optional().describe("Another port of the server's host."),
}).check(
  exactlyOne('a check', KINDS),
  always((value, report) => {
    if (value.address === undefined || value.port === undefined) return
    report({ code: 'CONFIG_CONFLICT', message: 'a check has "address" or "port", not both' }, ['port'])
  }),
)

export type CheckConfig = z.output<typeof check>

/** `pool` is how its connections speak TLS. */
export function normaliseCheck(config: CheckConfig, pool: InheritedTls): CheckPlan {
  const { interval, fastInterval, downInterval, jitter, timeout, rise, fall, address, port } = config
  const pace = {
    intervalMs: interval,
    fastIntervalMs: fastInterval ?? interval,
    downIntervalMs: downInterval ?? interval,
    jitterPercent: jitter,
    timeoutMs: timeout,
    rise,
    fall,
  }
  return { ...probeOf(config, pool), ...pace, address, port }
}

type ProbeMakers = { readonly [K in CheckKind]: (given: NonNullable<CheckConfig[K]>, pool: InheritedTls) => ProbePlan }

const PROBES: ProbeMakers = {
  tcp: ({ send, expect }) => ({ kind: 'tcp', send, expect, tls: undefined }),
  tls: ({ send, expect, ...tls }, pool) => ({ kind: 'tls', send, expect, tls: tlsPlan(tls, pool) }),
  http: httpProbe,
  https: httpsProbe,
  udp: ({ send, expect }) => ({ kind: 'udp', send, expect, tls: undefined }),
  smtp: ({ hello, ...tls }, pool) => ({ kind: 'smtp', hello, ...modePlan(tls, pool) }),
  imap: ({ user, password, ...tls }, pool) => ({ kind: 'imap', user, password, ...modePlan(tls, pool) }),
  pop3: ({ user, password, ...tls }, pool) => ({ kind: 'pop3', user, password, ...modePlan(tls, pool) }),
  redis: ({ user, password, role, ...tls }, pool) => ({ kind: 'redis', user, password, role, ...modePlan(tls, pool) }),
  memcached: (tls, pool) => ({ kind: 'memcached', ...modePlan(tls, pool) }),
  mysql: (given, pool) => ({ kind: 'mysql', ...sqlPlan(given, pool) }),
  postgresql: (given, pool) => ({ kind: 'postgresql', ...sqlPlan(given, pool) }),
  dns: dnsProbe,
  exec: ({ command, environment, exitStatus }) => ({ kind: 'exec', command, environment, exitStatus }),
  grpc: ({ service, host, ...tls }, pool) => ({ kind: 'grpc', service, host, ...modePlan({ ...tls, host }, pool) }),
}

function probeOf(config: CheckConfig, pool: InheritedTls): ProbePlan {
  const kind = KINDS.find((candidate) => config[candidate] !== undefined) ?? 'tcp'
  // Elsewhere another server may answer, with another certificate.
  const inherited = config.address === undefined ? pool : undefined
  return (PROBES[kind] as (given: unknown, pool: InheritedTls) => ProbePlan)(config[kind], inherited)
}

/** A check in the clear of servers that speak TLS would never pass. */
export const clearCheckRules = always(({ tls, check: given, servers }, report) => {
  const { http, grpc, address, port } = (given ?? {}) as Record<string, { tls?: unknown } | undefined>
  const isElsewhere =
    address !== undefined || port !== undefined || (Array.isArray(servers) && servers.some((each) => each?.check !== undefined))
  if (tls === undefined || isElsewhere) return
  if (http !== undefined) {
    const message = '"http" speaks in the clear, and the servers of this pool speak TLS'
    report({ code: 'CONFIG_CONFLICT', message, hint: 'write "https"' }, ['check', 'http'])
  }
  if (grpc !== undefined && (grpc.tls === undefined || grpc.tls === 'none')) {
    const message = '"grpc" speaks in the clear, and the servers of this pool speak TLS'
    report({ code: 'CONFIG_CONFLICT', message, hint: 'write "tls: direct" in it' }, ['check', 'grpc'])
  }
})
