import { z } from 'zod'
import { always, duration, exactlyOne, options, serverAddress } from '../../../schema/index.ts'
import type { CheckKind, CheckPlan, ProbePlan } from '../plan.ts'
import { memcachedOptions, redisOptions } from './database.ts'
import { tcpOptions, tlsOptions, udpOptions } from './exchange.ts'
import { httpOptions, httpProbe, httpsOptions } from './http.ts'
import { mailboxOptions, smtpOptions } from './mail.ts'
import { modePlan, tlsPlan } from './tls.ts'

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

export function normaliseCheck(config: CheckConfig): CheckPlan {
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
  return { ...probeOf(config), ...pace, address, port }
}

function probeOf({ tcp, tls, udp, http, https, smtp, imap, pop3, redis, memcached }: CheckConfig): ProbePlan {
  if (smtp !== undefined) return { kind: 'smtp', hello: smtp.hello, ...modePlan(smtp) }
  if (imap !== undefined) return { kind: 'imap', user: imap.user, password: imap.password, ...modePlan(imap) }
  if (pop3 !== undefined) return { kind: 'pop3', user: pop3.user, password: pop3.password, ...modePlan(pop3) }
  if (redis !== undefined) return { kind: 'redis', user: redis.user, password: redis.password, role: redis.role, ...modePlan(redis) }
  if (memcached !== undefined) return { kind: 'memcached', ...modePlan(memcached) }
  if (https !== undefined) return httpProbe('https', https)
  if (http !== undefined) return httpProbe('http', http)
  if (tls !== undefined) return { kind: 'tls', send: tls.send, expect: tls.expect, tls: tlsPlan(tls) }
  if (udp !== undefined) return { kind: 'udp', send: udp.send, expect: udp.expect, tls: undefined }
  return { kind: 'tcp', send: tcp?.send, expect: tcp?.expect, tls: undefined }
}
