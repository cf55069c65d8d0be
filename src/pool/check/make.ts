import { formatAddress, type SocketAddress } from '../../core/index.ts'
import type { CheckTarget } from './connect.ts'
import { DnsCheck } from './dns/dns.ts'
import { ExchangeCheck } from './exchange.ts'
import { ExecRun } from './exec.ts'
import { GrpcCheck } from './grpc/grpc.ts'
import { HttpCheck } from './http.ts'
import { ImapCheck } from './imap.ts'
import { MemcachedCheck } from './memcached.ts'
import { MysqlCheck } from './mysql/mysql.ts'
import type { CheckPace, CheckPlace, CheckPlan, CheckTlsPlan } from './plan.ts'
import type { CheckEnvironment, Run } from './poll.ts'
import { Pop3Check } from './pop3.ts'
import { PostgresqlCheck } from './postgresql/postgresql.ts'
import { ScramMemory } from './postgresql/scram.ts'
import { Probe } from './probe.ts'
import type { CheckProtocol, Verdict } from './protocol.ts'
import { RedisCheck } from './redis.ts'
import { SmtpCheck } from './smtp.ts'
import { ReplicationMemory } from './sql/replication.ts'

/** A check of one address: where it goes, how often, what it says. */
export interface CheckDefinition {
  /** Equal keys are the same check. */
  readonly key: string
  /** "http", for the log. */
  readonly label: string
  readonly pace: CheckPace
  readonly runsProgram: boolean
  begin(environment: CheckEnvironment, done: (verdict: Verdict) => void): Run
}

/** The check that a plan means for a server, which may have a place of its own for it. */
export function makeCheck(common: CheckPlan, server: SocketAddress, place?: CheckPlace): CheckDefinition {
  // Elsewhere connections need no introduction.
  const plan = place === undefined ? common : { ...common, ...place, proxyProtocol: undefined }
  const address = placeOf(plan, server)
  const host = 'host' in plan ? (plan.host ?? hostOf(server)) : ''
  const memory = { scram: new ScramMemory(), replication: new ReplicationMemory() }
  const target: CheckTarget = {
    address,
    transport: transportOf(plan),
    tls: tlsOf(plan),
    alpn: plan.kind === 'grpc' ? ['h2'] : [],
    proxyProtocol: plan.proxyProtocol,
  }
  return {
    key: JSON.stringify([address, host, plan]),
    label: plan.kind,
    pace: plan,
    runsProgram: plan.kind === 'exec',
    begin: ({ connect, execute, delay, now }, done) =>
      plan.kind === 'exec'
        ? new ExecRun(plan, done).start(address, execute, delay)
        : new Probe(makeProtocol(plan, host, memory, now), plan.timeoutMs, done).start(target, connect, delay),
  }
}

/** Where a check with a place of its own goes. */
export function placeOf({ address, port }: CheckPlace, server: SocketAddress): SocketAddress {
  if (address !== undefined) return address
  return port === undefined || server.family === 'unix' ? server : { ...server, port }
}

/** Value of Host where none is configured; a path is none. */
export function hostOf(address: SocketAddress): string {
  return address.family === 'unix' ? 'localhost' : formatAddress(address)
}

function transportOf(plan: CheckPlan): CheckTarget['transport'] {
  switch (plan.kind) {
    case 'udp':
      return 'udp'
    case 'dns':
      return plan.transport
    case 'tls':
    case 'https':
      return 'tls'
    default:
      return 'mode' in plan && plan.mode === 'direct' ? 'tls' : 'tcp'
  }
}

function tlsOf(plan: CheckPlan): CheckTlsPlan | undefined {
  return 'tls' in plan ? plan.tls : undefined
}

/** What a check keeps of its server from one run to the next. */
interface CheckMemory {
  readonly scram: ScramMemory
  readonly replication: ReplicationMemory
}

function makeProtocol(
  plan: Exclude<CheckPlan, { kind: 'exec' }>,
  host: string,
  { scram, replication }: CheckMemory,
  now: () => number,
): CheckProtocol {
  switch (plan.kind) {
    case 'tcp':
    case 'tls':
    case 'udp':
      return new ExchangeCheck(plan)
    case 'http':
    case 'https':
      return new HttpCheck({ ...plan, host })
    case 'smtp':
      return new SmtpCheck(plan)
    case 'imap':
      return new ImapCheck(plan)
    case 'pop3':
      return new Pop3Check(plan)
    case 'redis':
      return new RedisCheck(plan)
    case 'memcached':
      return new MemcachedCheck()
    case 'mysql':
      return new MysqlCheck(plan, replication, now)
    case 'postgresql':
      return new PostgresqlCheck(plan, scram, replication, now)
    case 'dns':
      return new DnsCheck(plan)
    case 'grpc':
      return new GrpcCheck({ ...plan, host })
  }
}
